"""Random trainings on points that are drawn anew for every epoch, beside steps on them that NumPy makes.

The oracle knows no generator: it holds the points of each epoch to what the spec says of them, makes the
steps of the training by the spec's text, and begins again where the training was stopped.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.drawing import Draw
from fuzz.gradients import Outcome, module_of
from fuzz.meaning import meaning
from symgrad.spec.reader import read
from symgrad.training.dataset.data import load_data
from symgrad.training.resuming import newest
from symgrad.training.train import resume, train

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    Array = np.ndarray[Any, Any]

Spec = dict[str, Any]
RATE = 0.05
CLOSE = {"float64": 1e-9, "float32": 1e-3}
CHOICES = (-1.0, 0.0, 2.5)


def resampled_spec(random: Random) -> Spec:
    """A fit to numbers that are drawn, in one or two sets of points, of which at least one is drawn anew."""
    draw = Draw(random)
    width, has_edge = draw.whole(1, 3), draw.chance(0.4)
    dtype = "float64" if draw.chance(0.8) else "float32"
    anew = [draw.chance(0.5), draw.chance(0.7)] if has_edge else [True]
    anew[0] |= not any(anew)
    inside = _points(draw, ("x", "s"), anew[0])
    edge = _points(draw, ("xb",), anew[-1])
    plan: dict[str, Any] = {"epochs": draw.whole(2, 4), "seed": draw.whole(0, 99)}
    if has_edge:
        sizes = {"N": draw.whole(2, 9), "B": draw.whole(1, 5)}
        plan |= {"data": {"sets": {"N": inside, "B": edge}}, "batch_size": draw.one(("full", sizes))}
    else:
        plan |= {"data": inside, "batch_size": draw.one(("full", draw.whole(2, 9)))}
        plan |= {"standardize": True} if draw.chance(0.4) else {}
    plan |= {"validation": 0.3} if draw.chance(0.4) and "standardize" not in plan else {}
    plan |= {"shuffle": "never"} if draw.chance(0.3) else {}
    return {
        "name": "resampled",
        "dtype": dtype,
        "inputs": {"x": ["N", width], "s": ["N", 1]} | ({"xb": ["B", width]} if has_edge else {}),
        "parameters": {"W": [width, 1], "b": {"axes": [1], "init": 0.3}},
        "equations": {"y": "tanh(x @ W + b)"} | ({"z": "tanh(xb @ W)"} if has_edge else {}),
        "outputs": ["y"],
        "loss": "mean((y - 0.1 * s)**2)" + (" + mean((z - 1)**2)" if has_edge else ""),
        "train": {"optimizer": f"sgd(learning_rate={RATE})", **plan},
    }


def _points(draw: Draw, names: tuple[str, ...], anew: bool) -> dict[str, Any]:
    """So many points, each number of them from a range or one of some."""
    points: dict[str, Any] = {}
    for name in names:
        least = draw.one((-3.0, 0.0, 10.0))
        is_chosen = draw.chance(0.15) and name == "s"  # points are told apart by the others
        points[name] = {"of": list(CHOICES)} if is_chosen else [least, least + draw.one((0.5, 2.0, 30.0))]
    method = draw.one(("uniform", "latin", "sobol"))
    said = {"points": points, "number": draw.whole(10, 20), "method": method}
    return said | ({"resample": True} if anew else {})


@dataclass(frozen=True)
class Call:
    """The data of some steps, the rows of each, and the parameters before and behind all."""

    data: dict[str, Array]
    steps: tuple[Array, ...]
    before: Array
    after: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All of it."""
        return (*self.data.values(), *self.steps, self.before, self.after)


class Watched:
    """A module that keeps what every call for steps was given, and what it left."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def train_epoch(self, params: Any, state: Any, *data: Any, **how: Any) -> float:
        """The module's own, watched."""
        rows = np.arange(len(data[0])) if how.get("order") is None else np.copy(how["order"])
        size, before = how["batch_size"], np.copy(self.module.flatten(params))
        loss = float(self.module.train_epoch(params, state, *data, **how))
        steps = tuple(rows[first : first + size] for first in range(0, len(rows), size))
        arrays = {name: np.copy(array) for name, array in zip(self.module.INPUTS, data, strict=True)}
        self.calls.append(Call(arrays, steps, before, np.copy(self.module.flatten(params))))
        return loss


def judge_resampled(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The points of every epoch, the steps on them, and the same where training was stopped between."""
    module, epochs = module_of(spec, by_rows), spec["train"]["epochs"]
    whole, parts = (Watched(module) for _ in range(2))
    last = np.copy(module.flatten(train(read(spec), whole, progress=False).checkpoint.fitted))  # type: ignore[arg-type]  # answers as one
    for number, call in enumerate(whole.calls):
        if away := _away_from_steps(spec, call):
            return Outcome("wrong steps", f"call {number}: {away:g} away")
    if wrong := next(_wrong_points(spec, whole.calls, epochs), None):
        return Outcome("wrong points", wrong)
    stop = random.randint(1, epochs - 1)
    with tempfile.TemporaryDirectory() as folder:
        out, until = Path(folder) / "run", lambda record, _: record.epoch == stop
        train(read(spec), parts, progress=False, out=out, after_epoch=until)  # type: ignore[arg-type]  # as above
        run = resume(read(spec), parts, out, *newest(out), progress=False)  # type: ignore[arg-type]  # as above
    once, again = ([array for call in of.calls for array in call.arrays] for of in (whole, parts))
    is_same = len(once) == len(again) and all(map(np.array_equal, once, again))
    if not is_same or not np.array_equal(last, module.flatten(run.checkpoint.fitted)):
        return Outcome("resumed otherwise", f"behind epoch {stop}")
    return Outcome("right")


def _away_from_steps(spec: Spec, call: Call) -> float:
    """How far the parameters lie from those of gradient descent by the spec's text; 0 where they are near."""
    theta, width = call.before.astype(float), spec["parameters"]["W"][0]
    text = {**spec, "parameters": {"W": spec["parameters"]["W"], "b": [1]}}
    wrt = {"W": np.arange(width), "b": np.arange(1)}
    for rows in call.steps:
        batch = {
            name: (array[rows] if spec["inputs"][name][0] == "N" else array).astype(float)
            for name, array in call.data.items()
        }
        slope = meaning(
            text, batch | {"W": theta[:width].reshape(width, 1), "b": theta[width:]}, wrt
        ).gradient
        theta = theta - RATE * np.concatenate([slope["W"], slope["b"]])
    close = CLOSE[spec["dtype"]]
    is_near = np.allclose(theta, call.after, rtol=close, atol=close)
    return 0.0 if is_near else float(np.abs(theta - call.after).max())


def _wrong_points(spec: Spec, calls: list[Call], epochs: int) -> Iterator[str]:
    """What the spec says of points, and what is not so in some epoch."""
    each = len(calls) // epochs
    plan, axes = spec["train"], {name: said[0] for name, said in spec["inputs"].items()}
    as_drawn = load_data(read({**spec, "train": {**plan, "standardize": False}})).inputs
    for of, said in plan["data"].get("sets", {"N": plan["data"]}).items():
        names = [name for name, axis in axes.items() if axis == of]
        first = np.column_stack([as_drawn[name] for name in names]).astype(float)
        epoch = [_rows_seen(calls[n * each : (n + 1) * each], names) for n in range(epochs)]
        if plan.get("standardize"):  # by the first ones, whatever comes later
            epoch = [rows * first.std(axis=0) + first.mean(axis=0) for rows in epoch]
        kept = len(first) - round(len(first) * plan.get("validation", 0))
        is_whole = plan["batch_size"] == "full" or of == "N"
        for number, rows in enumerate(epoch, 1):
            if is_whole and len(rows) != kept:
                yield f"{of} has {len(rows)} rows in epoch {number}, not {kept}"
            drawn = len(first) if number == 1 or not said.get("resample") else kept
            yield from (f"{of} in epoch {number}: {wrong}" for wrong in _wrong_rows(spec, said, rows, drawn))
        if not _are_among(epoch[0], first).all():
            yield f"{of}: points in the first epoch that are not the spec's"
        for m, n in combinations(range(epochs), 2):
            shared = _are_among(epoch[n], epoch[m]).mean()
            if shared > 0.5 if said.get("resample") else is_whole and shared < 1:
                yield f"{of}: epochs {m + 1} and {n + 1} share {shared:.0%} of their points"


def _rows_seen(calls: list[Call], names: list[str]) -> Array:
    """The points of a set in some calls, each once."""
    found = [np.column_stack([call.data[name] for name in names]) for call in calls]
    return np.unique(np.concatenate(found), axis=0).astype(float)


def _are_among(rows: Array, others: Array) -> Array:
    """Which of some points are, but for rounding, one of others."""
    return np.isclose(rows[:, None], others[None], rtol=1e-5, atol=1e-5).all(axis=2).any(axis=1)


def _wrong_rows(spec: Spec, said: dict[str, Any], rows: Array, drawn: int) -> Iterator[str]:
    """What is wrong with the points of an epoch, of so many that were drawn."""
    names = [name for name in spec["inputs"] if name in said["points"]]
    wide = [name for name in names for _ in range(spec["inputs"][name][1])]
    for name, column in zip(wide, rows.T, strict=True):
        given = said["points"][name]
        if not isinstance(given, list):
            if not np.isclose(column[:, None], CHOICES, atol=1e-5).any(axis=1).all():
                yield f"{name} is none of {CHOICES}"
            continue
        unit = (column - given[0]) / (given[1] - given[0])
        if not ((unit > -1e-5) & (unit < 1 + 1e-5)).all():
            yield f"{name} is from {column.min():g} to {column.max():g}"
        strata = np.floor(unit * drawn + 1e-6 * (spec["dtype"] == "float64"))
        if said["method"] == "latin" and spec["dtype"] == "float64" and len({*strata}) < len(rows):
            yield f"{name} has two points in one of {drawn} equal parts"
        if said["method"] == "sobol" and len(rows) == drawn and abs((unit < 0.5).sum() - drawn / 2) > 0.5:
            yield f"{name} has {(unit < 0.5).sum()} of {drawn} points in its lower half"
