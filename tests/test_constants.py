"""Constants: fixed numbers by name, from the spec to the compiled module and the judge."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, judged, written
from planting import planted

from symgrad.api import derive
from symgrad.compiler.loading.load import double_precision_twin, load
from symgrad.errors import SpecError
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

TABLE = [[1, 0.5, 2], [0, -1, 0.1], [0.3, 0.2, 1], [1e-3, 0, 0]]
SPEC: dict[str, Any] = {
    "name": "fixed",
    "inputs": {"x": ["n", 4]},
    "targets": {"t": ["n", 3]},
    "constants": {"table": TABLE, "shift": [0.1, 2, -3], "scale": 0.1},
    "parameters": {"b": {"axes": [3], "init": "normal(std=1)"}},
    "equations": {"z": "scale * (x @ table) + b", "y[n,k]": "z[n,k]**2 + shift[k]"},
    "loss": "mse(y, t) + scale * l2(b)",
}
X = np.random.default_rng(0).normal(size=(5, 4))
T = np.zeros((5, 3))


def expected(b: np.ndarray) -> np.ndarray:
    return (0.1 * (X @ np.array(TABLE)) + b) ** 2 + np.array([0.1, 2, -3])


def test_they_are_exact_in_both_precisions(tmp_path: Path) -> None:
    """Compiled in float32, and as the float64 twin, which must not see what float32 has rounded."""
    module = load(written(SPEC, tmp_path))
    params = module.init_params()
    single = module.forward(params, X)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected(params.b), rtol=1e-5, atol=1e-6)
    twin = double_precision_twin(module)
    params = twin.init_params()
    np.testing.assert_allclose(twin.forward(params, X), expected(params.b), rtol=1e-15, atol=1e-15)
    # More rows need a longer workspace: the constants must be there too.
    twice = twin.forward(params, np.concatenate([X] * 20))
    np.testing.assert_allclose(twice, np.concatenate([expected(params.b)] * 20), rtol=1e-15, atol=1e-15)


def test_they_are_read_only_and_made_once(tmp_path: Path) -> None:
    path = written(SPEC, tmp_path)
    module = interpreted(path)
    assert {name: array.tolist() for name, array in module.CONSTANTS.items()} == SPEC["constants"]
    with pytest.raises(ValueError, match="read-only"):
        module.CONSTANTS["shift"][0] = 1
    text = path.read_text()
    compiled = text[text.index("# --- Kernels") : text.index("# --- What callers use")]
    assert "np.array" not in compiled
    assert "np.empty" not in compiled


def test_training_leaves_them_as_they_are(tmp_path: Path) -> None:
    module = interpreted(written(SPEC, tmp_path))
    module.fit(X, T, epochs=3, batch_size=2)
    params = module.init_params()
    np.testing.assert_allclose(module.forward(params, X), expected(params.b), rtol=1e-5, atol=1e-6)


FAULTS = {
    "a number": ("[0.1, 2.0, -3.0]", "[0.1, 2.0, -3.1]", "forward"),
    "a sign": ("+ c1", "- c1", "forward"),
    "a factor": ("np.square(z[{i}, {n}])", "np.square(z[{i}, {n}]) * c1", "forward"),
}


BY_ROWS = {
    "a number": FAULTS["a number"],
    "a sign": ("+ shift[{i}]", "- shift[{i}]", "forward"),
    "a factor": ("np.square(z[{n}, {i}])", "np.square(z[{n}, {i}]) * shift[{i}]", "forward"),
}


@pytest.mark.parametrize(
    ("surroundings", "faults"), [(nullcontext, FAULTS), (by_rows, BY_ROWS)], ids=["columns", "rows"]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_knows_them_from_the_spec(
    fault: str, surroundings: Any, faults: Any, tmp_path: Path
) -> None:
    before, after, guilty = faults[fault]

    with surroundings():
        report = judged(
            {**SPEC, "dtype": "float64"}, tmp_path, lambda text: planted(text, before, after), compiled=False
        )
    assert guilty in {c.name for c in report.checks if c.verdict == "fail"}


def test_reports_show_them() -> None:
    derivation = derive(read(SPEC))
    page = str(derivation)
    assert "table  constant   [4, 3]    1, 0.5, 2, 0, -1, 0.1, …" in page
    assert "scale  constant   a number  0.1" in page
    assert "z = scale·(x·table) + b" in page
    tensors = {t["name"]: t for t in json.loads(json.dumps(derivation.as_dict()))["tensors"]}
    assert tensors["table"] == {
        "name": "table",
        "kind": "constant",
        "axes": [4, 3],
        "classes": None,
        "values": TABLE,
    }
    assert tensors["scale"]["values"] == 0.1
    assert "values" not in tensors["x"]
    for text in (derivation.latex(), derivation.html()):
        assert "constant" in text


def read_constants(block: Any, **changes: Any) -> Any:
    return read({**SPEC, "constants": block, **changes}).constants


def test_shapes_and_values_are_read() -> None:
    found = {c.name: (c.shape, c.values) for c in read_constants({"a": 2, "v": [1, 2.5], "c": [[[1], [2]]]})}
    assert found == {"a": ((), (2.0,)), "v": ((2,), (1.0, 2.5)), "c": ((1, 2, 1), (1.0, 2.0))}


def test_formulas_of_numbers_are_computed() -> None:
    text = {"nu": "0.01 / pi", "half": "1/2", "v": ["-half", 1, "sqrt(nu) * e"], "pi": 3, "six": "2 * pi"}
    found = {c.name: c.values for c in read_constants(text)}
    nu = 0.01 / np.pi
    assert found["nu"] == (nu,)
    assert found["v"] == (-0.5, 1.0, np.sqrt(nu) * np.e)
    assert found["six"] == (6.0,)  # a user's own pi


REFUSED: dict[str, tuple[str, str]] = {
    "ragged rows": ("w: [[1, 2], [3]]", "1:25: this is a list of 1, the first one beside it is a list of 2"),
    "a list among numbers": ("w: [1, [2]]", "1:20: this is a list of 1, the first one beside it is a number"),
    "a number among lists": ("w: [[1], 2]", "1:22: this is no list, the first one beside it is a list of 1"),
    "nothing": ("w: []", "an empty list"),
    "a list of nothing": ("w: [[]]", "an empty list"),
    "a word": ("w: [1, one]", "1:20: 'one' is no number"),
    "a truth value": ("w: true", "'true' is no number"),
    "a formula of no number": ("w: 1/0", "'1/0' is no number"),
    "a formula of what is below": ("w: 2 * v, v: 1", "'2 [*] v' is no number"),
    "a formula of many numbers": ("v: [1], w: 2 * v", "'2 [*] v' is no number"),
    "a formula of an input": ("w: 2 * x", "'2 [*] x' is no number"),
    "an empty place": ("w: [1, null]", "nothing is no number"),
    "a mapping": ("w: {a: 1}", "is no number"),
    "not a number": ("w: [.nan]", "not a finite number"),
    "infinity": ("w: [.inf]", "not a finite number"),
    "too large for float32": ("w: [1.0, -1e39]", "the number -1e[+]39 is beyond 3.4e[+]38"),
    "the name of an input": ("x: 1", "the constant 'x' has the name of the input"),
    "the name of an axis": ("n: 1", "the constant 'n' has the name of the axis"),
    "the name of a parameter": ("b: 1", "the parameter 'b' has the name of the constant"),
    "the name of an equation": ("y: 1", "the equation 'y' has the name of the constant"),
    "a function of the language": ("exp: 1", "'exp' is a function of the language"),
    "no name": ("2w: 1", "'2w' is not a name"),
    "deeper than a spec": ("w: " + "[" * 30 + "1" + "]" * 30, "deeper than"),
    "too many": (f"w: [{', '.join(['1'] * 10_001)}]", "more than 10000 items"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_where_it_stands(name: str) -> None:
    block, message = REFUSED[name]
    rest = "inputs: {x: [n, 3]}\nparameters: {b: [3]}\nequations: {y: x + b}\n"
    with pytest.raises(SpecError, match=message) as caught:
        read(f"constants: {{{block}}}\n{rest}")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradients": ["scale"]}, "'scale' is a constant, nothing varies it"),
        ({"equations": {"z": "x + table", "y": "z"}}, r"cannot combine \[n, 4\] with \[4, 3\]"),
        ({"equations": {"z": "x", "y[n]": "table[n, 0] * x[n, 0]"}}, "index 'n' runs over"),
        ({"functions": {"shift(a)": "a"}}, "the function 'shift' has the name of the constant"),
    ],
)
def test_misuse_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        derive(read({**SPEC, **changes}))


def test_a_layers_tensors_give_way() -> None:
    spec = {
        **{k: v for k, v in SPEC.items() if k not in ("equations", "parameters")},
        "constants": {"W1": [1, 2, 3]},
        "layers": ["dense(3)"],
        "loss": "mse",
    }
    assert "W1_2" in str(derive(read(spec)))


def test_one_may_be_an_output(tmp_path: Path) -> None:
    module = interpreted(written({**SPEC, "outputs": ["y", "table"]}, tmp_path))
    np.testing.assert_allclose(module.forward(module.init_params(), X)[1], TABLE, rtol=1e-6)
