"""Training on several sets of points: batches of the first of them, of others too or these whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.errors import DataError, SpecError
from symgrad.spec.model import DataSpec
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.epochs.set_batches import SetBatches
from symgrad.training.resuming import newest
from symgrad.training.run import TrainingDivergedError
from symgrad.training.split import split
from symgrad.training.train import resume, train

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SPEC: dict[str, Any] = {
    "name": "rod",
    "dtype": "float64",
    "inputs": {"x": ["interior"], "f": ["interior"], "xb": ["boundary"]},
    "targets": {"g": ["boundary", 1]},
    "networks": {"u(x)": ["dense(4, activation=tanh)", "dense(1)"]},
    "equations": {"u": "u(x)", "r": "d(u, x, x) + column_stack(f)"},
    "loss": "mean(r**2) + mean((u(xb) - g)**2)",
    "outputs": ["u"],
    "train": {"optimizer": "adam(learning_rate=0.01)", "epochs": 3, "batch_size": 4},
}
RNG = np.random.default_rng(5)
POINTS = {
    "x": RNG.normal(size=10),
    "f": RNG.normal(size=10),
    "xb": RNG.normal(size=3),
    "g": RNG.normal(size=(3, 1)),
}
TUPLE = tuple(POINTS.values())


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return interpreted(written(SPEC, tmp_path_factory.mktemp("rod")))


def trained(module: ModuleType, data: Any, spec: dict[str, Any] = SPEC, **settings: Any) -> Any:
    return train(read(spec), module, data=data, progress=False, **settings)


def by_hand(module: ModuleType, epochs: int, size: int, seed: int = 0) -> tuple[Any, list[float]]:
    """Step after step: the rows of x and f in an order drawn by the seed, xb and g whole."""
    x, f, xb, g = TUPLE
    params = module.init_params(seed=seed)
    state, losses = module.init_state(params), []
    for epoch in range(1, epochs + 1):
        order, total = np.random.default_rng([seed, 2, epoch]).permutation(len(x)), 0.0
        order = np.arange(len(x)) if size == len(x) else order
        for first in range(0, len(x), size):
            rows = order[first : first + size]
            total += len(rows) * module.train_step(params, state, x[rows], f[rows], xb, g)
        losses.append(total / len(x))
    return params, losses


@pytest.mark.parametrize("size", [4, 10])
def test_batches_are_of_the_first_set_and_the_others_are_whole(module: ModuleType, size: int) -> None:
    run = trained(module, POINTS, batch_size=size, seed=7)
    params, losses = by_hand(module, 3, size, 7)
    np.testing.assert_allclose([record.loss for record in run.history.records], losses, rtol=1e-12)
    np.testing.assert_allclose(module.flatten(run.checkpoint.fitted), module.flatten(params), rtol=1e-12)


def test_arrays_files_and_tuples_are_the_same_points(module: ModuleType, tmp_path: Path) -> None:
    np.savez(tmp_path / "points.npz", **POINTS)  # type: ignore[arg-type]  # names of arrays are no keywords
    for data in (TUPLE, tmp_path / "points.npz", {n: v.tolist() for n, v in POINTS.items()}):
        found = load_data(read(SPEC), data)
        assert found.rows == 10
        assert found.rows_of == {"interior": 10, "boundary": 3}
        for array, wanted in zip(found.arrays, TUPLE, strict=True):
            np.testing.assert_array_equal(array, wanted)


def test_each_set_may_have_a_table_of_its_own(tmp_path: Path) -> None:
    columns = {"interior": ("x", "f"), "boundary": ("xb", "g")}
    for name, tensors in columns.items():
        rows = zip(*(POINTS[tensor].ravel() for tensor in tensors), strict=True)
        lines = [",".join(tensors), *(",".join(map(repr, map(float, row))) for row in rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    files = {"boundary": {"path": "boundary.csv", "columns": {"g": "g"}}, "interior": "interior.csv"}
    spec = {**SPEC, "train": {"data": {"sets": files}, "validation": {"sets": files}}}
    (tmp_path / "rod.yaml").write_text(json.dumps(spec))
    named = read(tmp_path / "rod.yaml")
    learnt = load_data(named)
    assert isinstance(named.train.validation, DataSpec)
    again = load_data(named, data=named.train.validation, like=learnt.preparation)
    tables = {name: tmp_path / f"{name}.csv" for name in columns}
    for found in (learnt, again, load_data(read(SPEC), tables)):
        assert list(found.inputs) == ["x", "f", "xb"]
        assert found.rows_of == {"interior": 10, "boundary": 3}
        for array, wanted in zip(found.arrays, TUPLE, strict=True):
            np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        ({"interior": "a.csv"}, "no data for the points of 'boundary'; add boundary: boundary.csv"),
        ({"inside": "a.csv"}, "'inside' is no set of points"),
        (
            {"interior": {"path": "a.csv", "columns": {"g": "g"}}, "boundary": "b.csv"},
            "columns for 'g', which is no input or target; expected x or f",
        ),
    ],
)
def test_what_is_wrong_with_tables_of_sets_is_said(sets: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read({**SPEC, "train": {"data": {"sets": sets}}})


def test_every_set_is_split_by_itself() -> None:
    sets = {"x": "a", "f": "a", "xb": "b", "g": "b"}
    arrays = {"x": np.arange(10), "f": np.arange(10), "xb": np.arange(4), "g": np.arange(4)}
    dataset = Dataset({n: arrays[n] for n in ("x", "f", "xb")}, {"g": arrays["g"]}, "data", sets=sets)
    parts = split(dataset, 0.25, 3)
    for names, rows in ((("x", "f"), 10), (("xb", "g"), 4)):
        found = [{**part.inputs, **part.targets} for part in parts]
        for values in found:
            np.testing.assert_array_equal(values[names[0]], values[names[1]])
        np.testing.assert_array_equal(np.sort(np.concatenate([v[names[0]] for v in found])), np.arange(rows))
    assert [part.rows_of for part in parts] == [{"a": 8, "b": 3}, {"a": 2, "b": 1}]


def test_a_run_that_goes_on_is_one_that_never_stopped(module: ModuleType, tmp_path: Path) -> None:
    spec = {**SPEC, "train": {**SPEC["train"], "validation": 0.3}}
    part = interpreted(written(spec, tmp_path))
    whole = trained(part, POINTS, spec, epochs=4)
    trained(part, POINTS, spec, epochs=2, out=tmp_path / "run")
    checkpoint, orders = newest(tmp_path / "run")
    gone = resume(
        read(spec), part, tmp_path / "run", checkpoint, orders, data=POINTS, epochs=4, progress=False
    )
    assert part.flatten(gone.checkpoint.fitted).tolist() == part.flatten(whole.checkpoint.fitted).tolist()
    assert whole.validation.rows == 3


@pytest.mark.parametrize(
    ("change", "train_block", "told"),
    [
        ({"f": POINTS["f"][:9]}, {}, "the numbers of rows differ: x has 10, f has 9"),
        ({"g": POINTS["g"][:2]}, {}, "the numbers of rows differ: xb has 3, g has 2"),
        ({"xb": POINTS["xb"][:0], "g": POINTS["g"][:0]}, {}, "there are no points of 'boundary'"),
        ({}, {"standardize": True}, "several sets of points would be standardised.*scale in the formulas"),
        ({}, {"validation": 0.1}, "splits 3 rows of boundary into 3 for training and 0 for validation"),
    ],
)
def test_what_does_not_fit_is_said(
    module: ModuleType, change: dict[str, Any], train_block: dict[str, Any], told: str, tmp_path: Path
) -> None:
    spec = {**SPEC, "train": {**SPEC["train"], **train_block}}
    fitting = interpreted(written(spec, tmp_path)) if train_block else module
    with pytest.raises(DataError, match=told):
        trained(fitting, {**POINTS, **change}, spec)


def test_gaps_leave_out_rows_of_their_own_set() -> None:
    gap = POINTS["xb"].copy()
    gap[1] = np.nan
    found = load_data(read({**SPEC, "train": {"missing": "drop"}}), {**POINTS, "xb": gap})
    assert found.rows_of == {"interior": 10, "boundary": 2}
    np.testing.assert_array_equal(found.targets["g"], POINTS["g"][[0, 2]])


SIZES = {"interior": 4, "boundary": 2}
IN_BATCHES = {**SPEC, "train": {**SPEC["train"], "batch_size": SIZES}}


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return interpreted(written(IN_BATCHES, tmp_path_factory.mktemp("rod")))


@pytest.mark.parametrize("shuffle", ["each_epoch", "once", "never"])
def test_batches_of_every_set(batched: ModuleType, shuffle: str) -> None:
    """By hand, step after step: of 3 points on the boundary 2 a step, in a new order when all were taken."""
    spec = read({**IN_BATCHES, "train": {**IN_BATCHES["train"], "shuffle": shuffle}})
    plan_of_module = batched.SPEC_SHA256
    batched.SPEC_SHA256 = spec.sha256
    run = train(spec, batched, data=POINTS, progress=False, seed=7)
    batched.SPEC_SHA256 = plan_of_module
    x, f, xb, g = TUPLE
    params = batched.init_params(seed=7)
    state, losses, stream = batched.init_state(params), [], list[int]()
    for turn in range(6):
        drawn = np.random.default_rng([7, 5, 1, 0 if shuffle == "once" else turn]).permutation(3)
        stream += range(3) if shuffle == "never" else drawn.tolist()
    step = 0
    for epoch in range(1, 4):
        drawn = np.random.default_rng([7, 2, 0 if shuffle == "once" else epoch]).permutation(10)
        order, total = np.arange(10) if shuffle == "never" else drawn, 0.0
        for first in range(0, 10, 4):
            rows, edge = order[first : first + 4], stream[2 * step : 2 * step + 2]
            total += len(rows) * batched.train_step(params, state, x[rows], f[rows], xb[edge], g[edge])
            step += 1
        losses.append(total / 10)
    np.testing.assert_allclose([record.loss for record in run.history.records], losses, rtol=1e-12)
    np.testing.assert_allclose(batched.flatten(run.checkpoint.fitted), batched.flatten(params), rtol=1e-12)


def test_a_set_is_taken_evenly_and_a_step_knows_its_rows() -> None:
    batches = SetBatches(rows=7, size=3, seed=1, place=1, shuffle="each_epoch")
    taken = np.concatenate([batches.of_step(step) for step in range(1, 15)])
    np.testing.assert_array_equal(np.sort(taken.reshape(6, 7)), np.tile(np.arange(7), (6, 1)))
    assert len({tuple(order) for order in taken.reshape(6, 7)}) > 4
    np.testing.assert_array_equal(batches.of_step(9), taken[24:27])


def test_batches_of_every_set_go_on_where_they_stopped(batched: ModuleType, tmp_path: Path) -> None:
    whole = trained(batched, POINTS, IN_BATCHES, epochs=4)
    trained(batched, POINTS, IN_BATCHES, epochs=2, out=tmp_path / "run")
    found = newest(tmp_path / "run")
    gone = resume(read(IN_BATCHES), batched, tmp_path / "run", *found, data=POINTS, epochs=4, progress=False)
    assert (
        batched.flatten(gone.checkpoint.fitted).tolist() == batched.flatten(whole.checkpoint.fitted).tolist()
    )


def test_a_step_that_breaks_is_made_again_with_its_rows(batched: ModuleType) -> None:
    bad = POINTS["g"].copy()
    bad[1] = 1e200
    found = pytest.raises(TrainingDivergedError, match=r"in batch \d of 3 \(step \d\)")
    with np.errstate(all="ignore"), found:
        trained(batched, {**POINTS, "g": bad}, IN_BATCHES)


def test_the_module_says_that_its_fit_takes_others_whole(batched: ModuleType) -> None:
    assert "batches of other sets of points, 2 of boundary" in " ".join((batched.fit.__doc__ or "").split())


@pytest.mark.parametrize(
    ("train_block", "told"),
    [
        ({"batch_size": {"inside": 4}}, "batch_size.inside|'inside' is no set of points"),
        ({"batch_size": {"boundary": 0}}, r"batch_size\.boundary"),
        ({"batch_size": {"interior": "full", "boundary": 2}, "optimizer": "rprop()"}, "mini-batches of 2"),
    ],
)
def test_what_no_batches_can_be_is_said(train_block: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read({**SPEC, "train": train_block})


def test_sets_that_are_not_named_are_whole() -> None:
    found = read({**SPEC, "train": {"batch_size": {"boundary": 2}}}).train
    assert (found.batch_size, found.set_batches) == ("full", (("boundary", 2),))
    assert read({**SPEC, "train": {"batch_size": {"interior": 4}}}).train.set_batches == ()
