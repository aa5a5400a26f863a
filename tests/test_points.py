"""Points that a spec has drawn: in their ranges, as its method says, the same by the same seed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner
from scipy.stats import qmc

from symgrad.cli import main
from symgrad.errors import DataError, SpecError
from symgrad.spec.model import DataSpec
from symgrad.spec.reader import read
from symgrad.training.dataset.data import load_data
from symgrad.training.resuming import newest
from symgrad.training.train import resume, train

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = {"points": {"x": [-1, 1], "t": ["-pi", "2 * pi"]}, "number": 100}
EDGE = {"points": {"xb": {"of": [-1, 1]}, "tb": [0, 1]}, "number": 20, "method": "latin"}
SPEC: dict[str, Any] = {
    "name": "drawn",
    "dtype": "float64",
    "inputs": {"x": ["N", 2], "t": ["N", 1], "xb": ["B", 2], "tb": ["B", 1]},
    "networks": {"u(x, t)": ["dense(2, activation=tanh)", "dense(1)"]},
    "equations": {"v": "u(x, t)", "w": "u(xb, tb)"},
    "loss": "mean(v**2) + mean((w - 1)**2)",
    "outputs": ["v"],
    "train": {"epochs": 1, "batch_size": "full", "data": {"sets": {"N": INSIDE, "B": EDGE}}},
}


def with_data(data: Any, **more: Any) -> dict[str, Any]:
    return {**SPEC, "train": {**SPEC["train"], "data": data, **more}}


def test_they_lie_in_their_ranges_and_depend_on_the_seed() -> None:
    found = load_data(read(SPEC))
    assert found.rows_of == {"N": 100, "B": 20}
    x, t, xb, tb = found.arrays
    assert x.shape == (100, 2)
    for values, least, most in ((x, -1, 1), (t, -np.pi, 2 * np.pi), (tb, 0, 1)):
        assert least <= values.min() < least + 0.1 * (most - least)
        assert most - 0.1 * (most - least) < values.max() <= most
    assert {*xb.ravel()} == {-1.0, 1.0}
    again, other = (load_data(read(with_data(SPEC["train"]["data"], seed=seed))) for seed in (0, 1))
    np.testing.assert_array_equal(again.arrays[0], x)
    assert not np.isin(other.arrays[0], x).any()


@pytest.mark.parametrize("method", ["latin", "sobol"])
def test_methods_spread_points_evenly(method: str) -> None:
    """Every hundredth has its point in a Latin hypercube; both have less discrepancy than random points."""
    x, t = load_data(read(with_data({"sets": {"N": {**INSIDE, "method": method}, "B": EDGE}}))).arrays[:2]
    unit = np.column_stack([(x + 1) / 2, (t + np.pi) / (3 * np.pi)])
    if method == "latin":
        for column in unit.T:
            np.testing.assert_array_equal(np.sort(np.floor(100 * column)), np.arange(100))
    random = np.random.default_rng(0).uniform(size=(100, 3))
    assert qmc.discrepancy(unit) < 0.5 * qmc.discrepancy(random)


def test_other_sets_may_be_files_and_held_out_points_are_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "edge.npz", xb=np.ones((3, 2)), tb=np.zeros((3, 1)))
    sets = {"sets": {"N": INSIDE, "B": "edge.npz"}}
    (tmp_path / "drawn.yaml").write_text(json.dumps(with_data(sets, validation=sets)))
    spec = read(tmp_path / "drawn.yaml")
    learnt = load_data(spec)
    assert isinstance(spec.train.validation, DataSpec)
    held_out = load_data(spec, data=spec.train.validation, like=learnt.preparation)
    assert learnt.rows_of == held_out.rows_of == {"N": 100, "B": 3}
    assert not np.isin(held_out.arrays[0], learnt.arrays[0]).any()


def test_a_spec_trains_without_a_file(tmp_path: Path) -> None:
    run = train(read(SPEC), interpreted(written(SPEC, tmp_path)), progress=False)
    assert run.training.rows == 100
    assert run.checkpoint.predict(np.zeros((3, 2)), np.zeros((3, 1))).shape == (3, 1)


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ({"points": {"x": [-1, 1]}}, "no range of 't', which is of these points too"),
        ({"points": {"x": [1, -1], "t": [0, 1]}}, "the range of 'x' is from 1 to -1; expected the smaller"),
        ({"points": {"x": [-1e308, 1e308], "t": [0, 1]}}, "the range of 'x' is wider than any number"),
        ({"points": {"x": [0, "y"], "t": [0, 1]}}, "the range of 'x' is not of numbers"),
        ({"points": {"x": [0, 1, 2], "t": [0, 1]}}, "x"),
        ({"points": {"q": [0, 1], "t": [0, 1]}}, "a range of 'q', which is no input or target here"),
        ({"points": {"x": {"of": []}, "t": [0, 1]}}, "of"),
        ({"method": "halton"}, "method"),
        ({"number": 0}, "number"),
    ],
)
def test_what_is_wrong_is_said(inside: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read(with_data({"sets": {"N": {**INSIDE, **inside}, "B": EDGE}}))


def test_too_many_are_refused() -> None:
    spec = read(with_data({"sets": {"N": {**INSIDE, "number": 2**26}, "B": EDGE}}))
    with pytest.raises(DataError, match=r"67,108,864 points of 3 numbers.*draw fewer"):
        load_data(spec)


ANEW = {"sets": {"N": {**INSIDE, "resample": True}, "B": EDGE}}


class Watched:
    """A module that keeps the data of every epoch."""

    def __init__(self, module: Any) -> None:
        self.module, self.seen = module, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def train_epoch(self, params: Any, state: Any, *data: Any, **options: Any) -> float:
        self.seen.append([np.copy(array) for array in data])
        return float(self.module.train_epoch(params, state, *data, **options))


@pytest.mark.parametrize("more", [{}, {"validation": 0.3}, {"batch_size": {"N": 30, "B": 4}}])
def test_points_drawn_anew_are_others_in_every_epoch_and_resumed_exactly(
    more: dict[str, Any], tmp_path: Path
) -> None:
    spec = read(with_data(ANEW, epochs=4, **more))
    module = interpreted(written(spec, tmp_path))
    runs = []
    for stopped in (False, True):
        watched: Any = Watched(module)
        out = tmp_path / f"run_{stopped}"
        stop = (lambda record, _: record.epoch == 2) if stopped else None
        run = train(spec, watched, progress=False, out=out, after_epoch=stop)
        if stopped:
            assert run.history.records[-1].epoch == 2
            run = resume(spec, watched, out, *newest(out), progress=False)
        runs.append((watched.seen, run))
    (whole, first), (parts, again) = runs
    assert len(whole) == len(parts)
    for one, other in zip(whole, parts, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        module.flatten(first.checkpoint.fitted), module.flatten(again.checkpoint.fitted)
    )
    steps = len(whole) // 4
    epochs = [np.concatenate([seen[0] for seen in whole[n * steps : (n + 1) * steps]]) for n in range(4)]
    number = 70 if "validation" in more else 100
    assert [len(x) for x in epochs] == [number] * 4
    assert all(x.min() >= -1 and x.max() <= 1 and len({*x[:, 0]}) == number for x in epochs)
    assert not any(np.isin(a, b).any() for n, a in enumerate(epochs) for b in epochs[:n])
    assert steps > 1 or len({seen[3].tobytes() for seen in whole}) == 1, (
        "points of the edge are not drawn anew"
    )
    drawn = load_data(read(with_data({"sets": {"N": INSIDE, "B": EDGE}}))).arrays[0]
    assert np.isin(epochs[0], drawn).all()


def test_points_drawn_anew_are_standardised_as_the_first_were(tmp_path: Path) -> None:
    spec = read(
        {
            "dtype": "float32",
            "inputs": {"x": ["N", 2]},
            "equations": {"y": "dense(x, 1)"},
            "loss": "mean(y**2)",
            "train": {
                "data": {"points": {"x": [10, 20]}, "number": 50, "method": "latin", "resample": True},
                "standardize": True,
                "epochs": 3,
            },
        }
    )
    watched: Any = Watched(interpreted(written(spec, tmp_path)))
    train(spec, watched, progress=False)
    for (x,) in watched.seen:
        assert x.dtype == np.float32
        assert abs(x.mean()) < 0.05
        assert abs(x.std() - 1) < 0.05
    assert len({float(x[0, 0]) for (x,) in watched.seen}) == 3


def test_held_out_points_stay() -> None:
    with pytest.raises(SpecError, match="points that are held out are the same in every epoch"):
        read(with_data(ANEW, validation=ANEW))


def test_data_that_are_given_are_not_drawn(tmp_path: Path) -> None:
    spec = read(with_data(ANEW, epochs=2))
    watched: Any = Watched(interpreted(written(spec, tmp_path)))
    train(spec, watched, data=load_data(spec), progress=False)
    np.testing.assert_array_equal(watched.seen[0][0], watched.seen[1][0])


def test_the_command_draws_others_for_each_epoch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the call does, to the last bit."""
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    spec = {
        "name": "anew",
        "dtype": "float64",
        "inputs": {"x": ["n", 1]},
        "equations": {"y": "dense(x, 1)", "e": "(y - x**2)**2"},
        "loss": "mean(e)",
        "train": {"data": {"points": {"x": [-1, 1]}, "number": 8, "resample": True}, "epochs": 3},
    }
    file = tmp_path / "anew.yaml"
    file.write_text(json.dumps(spec), encoding="utf-8")
    module = written(file, tmp_path)
    out = ["--no-verify", "--json", "--out", str(tmp_path / "run")]
    told = ["train", str(file), "--module", str(module), *out]
    answer = CliRunner().invoke(main, told)
    assert answer.exit_code == 0, answer.output
    expected = train(read(file), interpreted(module), progress=False).history.columns()["loss"]
    assert json.loads(answer.stdout)["history"]["loss"] == expected
