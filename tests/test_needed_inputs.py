"""Predicting from the inputs that a prediction depends on: others, also of other points, are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from test_behaviour import bench

from symgrad.api import export
from symgrad.errors import DataError
from symgrad.prediction.predictions import predictions
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.reads import predicted_from
from symgrad.training.checkpoint import load_checkpoint
from symgrad.training.dataset.feeding.apply_preparation import known_columns
from symgrad.training.dataset.in_memory import memory_source
from symgrad.training.dataset.preparation import TensorPreparation
from symgrad.training.train import train
from symgrad.verifier.behaviour.suite import observed

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SPEC: dict[str, Any] = {
    "name": "rod",
    "dtype": "float64",
    "inputs": {"xb": ["boundary", 1], "x": ["interior", 1], "t": ["interior", 1], "w": ["interior"]},
    "targets": {"g": ["boundary", 1]},
    "networks": {"u(x, t)": ["dense(3, activation=tanh)", "dense(1)"]},
    "equations": {"inside": "u(x, t)", "r": "d(inside, t) - d(inside, x, x)", "edge": "u(xb, 0 * xb)"},
    "loss": "mean(w * sum(r**2, axis=1)) + mean((edge - g)**2)",
    "outputs": ["inside"],
    "train": {"epochs": 1, "batch_size": "full"},
}
RNG = np.random.default_rng(3)
DATA = {
    "xb": RNG.normal(size=(4, 1)),
    "x": RNG.normal(size=(6, 1)),
    "t": RNG.normal(size=(6, 1)),
    "w": RNG.uniform(size=6),
    "g": RNG.normal(size=(4, 1)),
}
GRID = RNG.normal(size=(5, 2))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModuleType]:
    folder = tmp_path_factory.mktemp("rod")
    module = interpreted(written(SPEC, folder))
    train(read(SPEC), module, data=DATA, out=folder / "run", progress=False)
    return folder / "run" / "checkpoint.npz", module


def test_a_grid_of_ones_own_is_enough(run: tuple[Path, ModuleType], tmp_path: Path) -> None:
    file, module = run
    x, t = GRID[:, :1], GRID[:, 1:]
    kept, own = load_checkpoint(file, module), module.load(file)
    right = module.predict(own.params, DATA["xb"], x, t, np.ones(5))
    table = {"x": x.ravel().tolist(), "t": t.ravel().tolist()}
    for found in (
        module.predict(own.params, x=x, t=t),
        module.forward(own.params, DATA["xb"], x, t),
        own.predict(x, t),
        own.predict(table),
        own.predict(DATA["xb"], x, t, np.ones(5)),
        kept.predict(x, t),
        kept.predict(table),
        kept.predict(DATA["xb"], x, t, np.ones(5)),
    ):
        np.testing.assert_allclose(found, right, rtol=1e-13)
    np.savetxt(tmp_path / "grid.csv", GRID, "%.17g", ",", header="x,t", comments="")
    (columns,) = predictions(kept, tmp_path / "grid.csv")
    assert [*columns] == ["inside"]  # not the target g, which is of other points
    np.testing.assert_allclose(columns["inside"], right[:, 0], rtol=1e-13)


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("x1 x2 t", ([0, 1], [2])),
        ("x_2 t x_1", ([2, 0], [1])),  # by the numbers in their names, not as they stand
        ("w x0 g x1 t", ([1, 3], [4])),  # what else stands there is left out
        ("a b t", ([0, 1], [2])),
        ("x4 x3 t", ([1, 0], [2])),
        ("x1 x01 t", ([0, 1], [2])),
        ("a t b c", None),
    ],
)
def test_columns_of_a_table_for_what_was_an_array(header: str, taken: tuple[list[int], ...] | None) -> None:
    names = header.split()
    source = memory_source({name: np.full(3, float(n)) for n, name in enumerate(names)}, [], "a table")
    known = {
        "x": TensorPreparation((2,), ("x",), found_by="array"),
        "t": TensorPreparation((1,), ("t",), found_by="array"),
    }
    if taken is None:
        with pytest.raises(DataError, match="has 4 columns where the model takes 3"):
            [*known_columns(source, known)]
        return
    (found,) = known_columns(source, known)
    assert tuple([int(column.numbers[0]) for column in columns] for columns in found.values()) == taken


def test_what_is_needed_is_asked_for_by_name(run: tuple[Path, ModuleType]) -> None:
    file, module = run
    x, own = GRID[:, :1], module.load(file)
    with pytest.raises(TypeError, match=r"t: missing.*expected x=\.\.\., t=\.\.\."):
        module.predict(own.params, x=x)
    with pytest.raises(TypeError, match="predict: expected 2 inputs, x, t, or a dict of columns; got 3"):
        own.predict(x, x, x)
    with pytest.raises(ValueError, match=r"w: expected 5 along 'interior'"):
        module.predict(own.params, x=x, t=x, w=np.ones(3))
    with pytest.raises(DataError, match="t"):
        load_checkpoint(file, module).predict({"x": x})


def test_several_outputs_are_columns_by_their_names(tmp_path: Path) -> None:
    spec = {**SPEC, "outputs": ["inside", "r"]}
    module = interpreted(written(spec, tmp_path))
    trained = train(read(spec), module, data=DATA, progress=False).checkpoint
    (columns,) = predictions(trained, {"x": GRID[:, 0], "t": GRID[:, 1]})
    inside, residual = module.predict(trained.fitted, x=GRID[:, :1], t=GRID[:, 1:])
    np.testing.assert_array_equal(columns["inside"], inside[:, 0])
    np.testing.assert_array_equal(columns["r"], residual[:, 0])


@pytest.mark.parametrize(
    ("equations", "outputs", "needed"),
    [
        ({"y": "x * 2"}, ["y"], ("x",)),
        ({"y": "f(x)"}, ["y"], ("x", "z")),  # through a function that reads z
        ({"y": "x + size(z, 0)"}, ["y"], ("x", "z")),  # how many rows there are is read too
        ({"h": "x + z", "y": "d(h, x)"}, ["y"], ("x", "z")),
        ({"y": "x", "q": "z"}, ["y", "q"], ("x", "z")),
    ],
)
def test_what_outputs_depend_on(
    equations: dict[str, str], outputs: list[str], needed: tuple[str, ...]
) -> None:
    inputs = {"x": ["n"], "z": ["n"]}
    functions = {"f(a)": "a * z"}
    spec = {
        "inputs": inputs,
        "equations": equations,
        "outputs": outputs,
        "functions": functions,
        "loss": "mean(x * z)",
    }
    assert predicted_from(expand(read(spec))) == needed


SIZED = "arrays, extents = _arguments(INPUTS, inputs)"
FAULTS = [
    ("declarations", 'PREDICTED_FROM = ("x", "t")', 'PREDICTED_FROM = ("x",)', "PREDICTED_FROM is"),
    ("declarations", 'PREDICTED = ("inside",)', 'PREDICTED = ("r",)', "PREDICTED is"),
    ("good data", "sizes.get(axis, 1)", "3 * sizes.get(axis, 1)", "without w is refused"),
    ("good data", "_with_spare((xb, x, t, w))", "(xb, x, t, w)", "without xb is refused"),
    ("good data", SIZED, f"{SIZED}\n    "
     "arrays[1] = arrays[1] + 1 - arrays[3].mean()", "gives another answer"),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "before", "after", "told"), FAULTS)
def test_the_judge_leaves_them_out_too(
    behaviour: str, before: str, after: str, told: str, tmp_path: Path
) -> None:
    module, case = bench(SPEC, tmp_path, before, after)
    assert told in observed(module, behaviour, case)


def test_a_right_module_is_right(tmp_path: Path) -> None:
    module, case = bench(SPEC, tmp_path)
    for behaviour in ("declarations", "bad data", "good data", "raw rows"):
        assert observed(module, behaviour, case) == ""


def test_a_standard_file_asks_for_no_more(run: tuple[Path, ModuleType], tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    file, module = run
    trained = load_checkpoint(file, module)
    path = tmp_path / "rod.onnx"
    export(SPEC, trained, path)
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["x", "t"]
    (found,) = session.run(None, {"x": GRID[:, :1], "t": GRID[:, 1:]})
    np.testing.assert_allclose(found, trained.predict(GRID[:, :1], GRID[:, 1:]), rtol=1e-12)
