"""Homework 2 and 3: the scripts beside the specs, run as a user runs them."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linprog

from symgrad.lectures.demand import DemandSpecs, demand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def homework2(case: DemandSpecs) -> str:
    """Without and with bias; the same curves as PyTorch's from the same weights and batches."""
    with _script(case.folder, "homework2") as script:
        x, t = script.samples()
        held_out = script.sbs.split(x, t, 0).held_out_x
    demand(x.shape == (200, 2) and t.sum() == 100 and len(held_out) == 40, "not 2 × 100 samples, 40 held out")
    demand(not _separable(x, t), "a line separates the classes")
    without, with_bias = _run(case.folder, "homework2", "--epochs", "100")
    for title, ours, _ in (without, with_bias):
        demand(ours.training[-1] < ours.training[0], f"{title}: the training loss does not fall")
    demand(with_bias[1].training[-1] < without[1].training[-1], "the biases do not improve the training loss")
    compared = _compared(case.folder, [without, with_bias])
    return f"2 × 100 samples that no line separates, 40 held out; biases lower the loss; {compared}"


def homework3(case: DemandSpecs) -> str:
    """The network tells ones from twos, as PyTorch's does."""
    result = _run(case.folder, "homework3", "--epochs", "3")
    demand(result[1].accuracy > 0.95, f"accuracy {result[1].accuracy} on the digits held out")
    with _script(case.folder, "homework3") as script:
        size = script.sg.build(script.spec_for(28 * 28), identity=False).SIZE
    demand(size == 785 * 1000 + 1001 * 1000 + 1001, f"784-1000-1000-1 has {size} parameters")
    compared = _compared(case.folder, [result])
    told_apart = "with 8x8 pixels over 95 % of the digits held out are told apart"
    return f"a module for 784-1000-1000-1 is made; {told_apart}; {compared}"


def _separable(x: Any, t: Any) -> bool:
    """Whether a line has one class on each side: w·x + b ≥ 1 for the one, ≤ −1 for the other."""
    side = np.where(t == 1, 1.0, -1.0)
    constraints = -side * np.hstack([x, np.ones((len(x), 1))])
    infeasible = 2
    found = linprog(np.zeros(3), constraints, -np.ones(len(x)), bounds=(None, None))
    return int(found.status) != infeasible


def _compared(folder: Path, results: Sequence[tuple[str, Any, Any]]) -> str:
    with _script(folder, "side_by_side") as script:
        for title, ours, theirs in results:
            if theirs is None:
                return "PyTorch is not installed, so nothing was compared"
            difference = script.largest_difference(ours, theirs)
            demand(difference <= 1e-5, f"{title}: the curves differ from PyTorch's by {difference:.1e}")
    return "PyTorch's loss curves to 1e-5"


def _run(folder: Path, name: str, *arguments: str) -> Any:
    """What a script's `main` returns; it writes into a folder that is thrown away."""
    with (
        tempfile.TemporaryDirectory() as out,
        _script(folder, name) as script,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        return script.main([*arguments, "--out", out])


@contextlib.contextmanager
def _script(folder: Path, name: str) -> Iterator[Any]:
    """A script of the folder, imported with its neighbours in reach."""
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
