"""The benchmark's own harness, on one tiny problem: equal losses, and a floor that counts the right products.

The numbers themselves are for tests/benchmarks; nothing here asserts a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from benchmarks.floor import Rates, floor_of, product_flops
from benchmarks.machine import available_cores
from benchmarks.peers import PEERS
from benchmarks.peers.with_numpy import train
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.processes import Place, Process
from benchmarks.race import AGREEMENT, Pace, race
from benchmarks.results import Results, Steps
from benchmarks.tables import tables

TINY = Problem("3-4-4-2 b2", (3, 4, 4, 2), 2, 3, learning_rate=0.1)
SMALL_PROBLEMS = [p for p in PROBLEMS if max(p.sizes, default=0) < 784]


def test_symgrad_and_numpy_compute_the_same_in_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # the same statements, run by Python: nothing is timed here
    place = Place(available_cores()[:1])
    peers = {peer.name: peer for peer in PEERS}
    with Process(peers["symgrad"], place) as symgrad, Process(peers["NumPy"], place) as numpy:
        found = race(TINY, [symgrad, numpy], Pace(rounds=4, least=2, turn=0))
    assert not found.missing
    assert [(lap.peer, lap.epochs) for lap in found.laps] == [("symgrad", 4), ("NumPy", 4)]
    first, last = found.laps[1].losses
    assert found.laps[1].agrees
    assert abs(first - last) > 100 * AGREEMENT * last  # training moves the loss by more than what may differ
    rates = Rates({"some BLAS": 1e11}, {4096: 1e11})
    steps = Steps(1, (found,), (floor_of(TINY, rates),), rates)
    shown = "\n".join(table.markdown() for table in tables(Results({"processor": "here"}, steps=(steps,))))
    assert "| 3-4-4-2 b2 |" in shown
    assert "not measured" in shown  # the goals are about other problems


def test_a_peer_that_cannot_take_part_says_why() -> None:
    peers = {peer.name: peer for peer in PEERS}
    place = Place(available_cores()[:1])
    wrong = Problem("no such kind", (2, 2), 1, 1, kind="regression")  # type: ignore[arg-type]
    with Process(peers["NumPy"], place) as numpy:
        found = race(wrong, [numpy], Pace(rounds=1, least=1))
    assert found.missing == (("NumPy", "KeyError: 'regression'"),)


class Counting(np.ndarray[Any, Any]):
    """An array that counts the multiplications and additions of the matrix products it takes part in."""

    flops = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """The result of the same on plain arrays, as an array that counts."""
        plain = [np.asarray(value) if isinstance(value, Counting) else value for value in inputs]
        if "out" in options:
            options["out"] = tuple(np.asarray(value) for value in options["out"])
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counting.flops += 2 * result.size * plain[0].shape[-1]
        return result.view(Counting) if isinstance(result, np.ndarray) else result


@dataclass(frozen=True)
class Counted(Problem):
    """A problem whose arrays count."""

    def data(self) -> tuple[Any, Any]:
        """Only the inputs count: labels are indices."""
        x, t = super().data()
        return x.view(Counting), t

    def weights(self) -> list[Any]:
        """All of them count."""
        return [w.view(Counting) for w in super().weights()]


@pytest.mark.parametrize("problem", SMALL_PROBLEMS, ids=lambda problem: problem.name)
def test_the_floor_counts_the_products_that_a_step_computes(problem: Problem) -> None:
    training = train(Counted(**vars(problem) | {"steps": 1}))
    Counting.flops = 0
    training.epoch(np.arange(problem.batch))
    assert Counting.flops == product_flops(problem) > 0


def test_short_epochs_are_timed_in_turns_of_several_after_one_that_is_not() -> None:
    pace = Pace(turn=0.01)
    assert [pace.epochs(seconds) for seconds in (0.02, 0.01, 0.006, 0.001)] == [1, 1, 3, 11]
