"""Sizes that only the data decides: their formulas, what is shown of them, and what no data make right."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from building import interpreted, written
from fuzz.free_axes import free_axes_spec
from fuzz.gradients import plain
from seeds import SEED

from symgrad.errors import DataError, ShapeError, SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.language.sizes.size_forms import SizeForm, Whole, free_size, is_never_negative, least_size
from symgrad.spec.reader import read
from symgrad.training.dataset.data import load_data
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.static.subscripts import subscript_findings

T = free_size("T")


def drawn(random: Random) -> tuple[Whole, str]:
    """A formula of T and S, computed by forms, and as Python text."""
    name = random.choice("TS")
    form: Whole = free_size(name)
    text = name
    for _ in range(random.randrange(6)):
        number = random.randrange(1, 5)
        operator = random.choice("+-*/")
        text = f"({text}) {operator if operator != '/' else '//'} {number}"
        match operator:
            case "+":
                form = form + number
            case "-":
                form = form - number
            case "*":
                form = form * number
            case _:
                form = form // number
    return form, text


def test_forms_are_the_formulas_they_are_made_of_and_what_is_shown_of_them_holds() -> None:
    random = Random(SEED)
    shown = 0
    for _ in range(400):
        (one, first), (other, second) = drawn(random), drawn(random)
        factor = random.randrange(-2, 3)
        total, text = one * factor + other, f"({first}) * {factor} + ({second})"
        for sizes in ({"T": random.randrange(1, 40), "S": random.randrange(1, 40)} for _ in range(12)):
            value = total.at(sizes) if isinstance(total, SizeForm) else total
            assert value == eval(text, sizes.copy()) == eval(str(total), sizes.copy()), text
            assert value >= 0 or not is_never_negative(total), text
        shown += is_never_negative(total)
        if (least := least_size(one, 1)) is not None and isinstance(one, SizeForm):
            name, number = least
            assert all(one.at({name: size}) >= 1 for size in range(number, number + 30)), first
            assert number == 1 or one.at({name: number - 1}) < 1, first
    assert shown > 40


def test_formulas_of_one_size_are_one_form() -> None:
    assert (T - 3) // 2 + 1 == (T + 1) // 2 - 1
    assert T + 2 - 3 + 1 == T
    assert str((T + 5) // 2) == "(T + 1)//2 + 2"
    assert (2 * T) // 4 == T // 2


def text_of(**body: Any) -> dict[str, Any]:
    given = {"inputs": {"x": ["batch", "T", 2]}, "parameters": {"W": [2, 3], "K": [3, 2, 3]}}
    return {**given, "targets": {"t": ["batch", 3]}, "loss": "mse(y, t)", **body}


PLACES = {
    "no place before rows": ({"q": "pad(x, 0, 1)"}, "pad along the rows 'batch'"),
    "no number of rows": ({"h[n,i,c]": "x[n,i,c] * n"}, "it runs over the rows"),
    "no row by number": ({"h[n,i,c]": "x[0,i,c] + x[n,i,c]"}, "this index is no row of 'x'"),
    "beyond the end": ({"h[n,i:T,c]": "x[n, i + 1, c]"}, "it runs from 1 to T; expected one from 0 to T - 1"),
    "two lengths": ({"h[n,i,c]": "x[n,i,c] + p[n,i,c]"}, "runs over T in 'x' and over .T . 2. in 'p'"),
    "a length below 0": ({"h[n,i:2 - T,c]": "x[n, 0, c]"}, "no entries for some data"),
    "more than all rows": ({"h[n,i:batch + 1,c]": "x[n, 0, c]"}, "'i' has batch . 1 values, .* in batches"),
    "two free lengths": ({"f": "flatten(z, 1, 2)"}, "there are free axes behind the first of .T, S."),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_no_data_make_right_is_refused(case: str) -> None:
    equations, message = PLACES[case]
    before = {"p": "pad(x, 1, 1)", "z[n,i,j]": "sum(x[n,i,c] * s[n,j,c], c)"}
    given = text_of(equations={**before, **equations, "y": "mean(x @ W, axis=1)"})
    given["inputs"] = {**given["inputs"], "s": ["batch", "S", 2]}
    with pytest.raises((ShapeError, SpecError), match=message):
        stages_of(read(given)).plan  # noqa: B018  # a stage is made when it is asked for


def test_subscripts_of_random_modules_are_shown_at_all_sizes() -> None:
    for number in range(4):
        spec = {k: v for k, v in free_axes_spec(Random(f"{SEED}:{number}")).items() if k != "least"}
        text = module_text(read(plain(spec)))
        findings = subscript_findings(text, parse(text).facts)
        assert not findings.fault, spec
        assert not findings.left, spec


def labelled() -> dict[str, Any]:
    given = text_of(equations={"y": "x @ W"}, loss="softmax_cross_entropy(y, t)")
    return {**given, "targets": {"t": {"axes": ["batch", "T"], "classes": 3, "ignore": -100}}}


def test_arrays_say_how_long_their_sequences_are() -> None:
    x, t = np.arange(60.0).reshape(6, 5, 2), np.arange(30).reshape(6, 5) % 3
    t[2, 3] = -100
    found = load_data(read(labelled()), {"x": x, "t": t})
    np.testing.assert_array_equal(found.inputs["x"], x)
    np.testing.assert_array_equal(found.targets["t"], t)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.zeros((6, 5, 2)), "t": np.zeros((6, 4), int)}, r"rows of shape .4. do not fit 't'"),
        ({"x": np.zeros((6, 5)), "t": np.zeros((6, 5), int)}, "'x'"),
        (
            {"x": np.zeros((6, 5, 3)), "t": np.zeros((6, 5), int)},
            r"rows of shape .5, 3. do not fit 'x'; the spec needs",
        ),
        ({"a": [1.0, 2], "b": [1.0, 2], "c": [0, 1]}, "axis 'T' of 'x' has no size|array|column"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(read(labelled()), data)


def test_what_lies_behind_the_length_of_a_row_has_no_part_in_anything(tmp_path: Any) -> None:
    """Garbage there, up to the largest numbers, changes nothing to the last bit; its slope is exactly 0."""
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", "T", 2], "length": ["batch"]},
        "targets": {"t": ["batch", 3]},
        "parameters": {"W": [2, 3]},
        "equations": {
            "v[n,i,c]": "where(i < length[n], x[n,i,c], 0)",
            "S[n,i,j]": "where(j < length[n], sum(v[n,i,c] * v[n,j,c], c), -inf)",
            "h": "tanh(softmax(S) @ v @ W)",
            "y[n,k]": "sum(where(i < length[n], h[n,i,k], 0), i) / length[n]",
        },
        "gradients": ["x"],
        "loss": "mse(y, t)",
    }
    module, rng = interpreted(written(spec, tmp_path)), np.random.default_rng(0)
    params, x, t = module.init_params(1), rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 3))
    length = np.array([1.0, 3.0, 5.0])
    behind = np.arange(5) >= length[:, None]
    found = []
    for garbage in (0.0, 7.0, -1e300):
        given = np.where(behind[..., None], garbage, x)
        value, slopes = module.loss_and_grad(params, given, length, t)
        (of_x,) = module.input_gradients(params, given, length, t)
        assert (of_x[behind] == 0).all()
        found.append((value, slopes.W.tobytes(), of_x.tobytes()))
    assert len(set(found)) == 1
    alone = module.predict(params, x[:1, :1], length[:1])
    np.testing.assert_allclose(module.predict(params, x, length)[:1], alone, rtol=1e-13)
    x[0, 4, 1] = np.nan
    with pytest.raises(ValueError, match=r"x: the entry at \[0, 4, 1\] is nan"):
        module.predict(params, x, length)
