"""The benchmark's own harness, on one tiny problem: equal losses, and a floor that counts the right products.

The numbers themselves are for tests/benchmarks; nothing here asserts a time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from benchmarks.floor import Rates, floor_of, product_flops
from benchmarks.machine import available_cores
from benchmarks.peers import PEERS
from benchmarks.peers.with_numpy import train
from benchmarks.problems import ALL_PROBLEMS, NETWORK_PROBLEMS, PROBLEMS, Problem
from benchmarks.processes import Place, Process
from benchmarks.race import AGREEMENT, Pace, race
from benchmarks.results import Results, Steps
from benchmarks.tables import tables

from symgrad.graphs.interpret import interpret
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

TINY = Problem("3-4-4-2 b2", (3, 4, 4, 2), 2, 3, learning_rate=0.1)
SMALL_PROBLEMS = [p for p in PROBLEMS if max(p.sizes, default=0) < 784]


def tables_of(steps: Steps) -> str:
    """All tables of a run that measured these alone."""
    return "\n".join(table.markdown() for table in tables(Results({"processor": "here"}, steps=(steps,))))


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
    shown = tables_of(steps)
    assert "| 3-4-4-2 b2 |" in shown
    assert "busy" not in shown
    assert "with one busy process beside" in tables_of(replace(steps, beside="busy"))
    assert "not measured" in shown  # the goals are about other problems


@pytest.mark.parametrize(
    "name",
    [
        "conv1d 100x4 b32",
        "LeNet 8x8 b64",
        "attention T16 d32 b32",
        "Bengio 64 tokens b64",
        "Burgers 2-20-20-20-1 1000 points float32",
    ],
)
def test_peers_compute_the_loss_of_a_network_from_the_same_arrays(name: str) -> None:
    """By symgrad's equations over NumPy arrays, beside those of the peers that are installed."""
    problem = next(p for p in ALL_PROBLEMS if p.name == name)
    program = stages_of(read(problem.spec())).formulas
    x, t = (array[:3] for array in problem.data())
    names = [tensor.name for tensor in program.of_kind("parameter")]
    arrays = dict(zip(names, problem.weights(), strict=True))
    assert [arrays[name].shape for name in names] == [*problem.shapes]
    mine = float(interpret(program, {**arrays, "x": x, "t": t}, {"batch": 3})["loss"])
    assert np.isfinite(mine)
    with suppress(ImportError):
        from benchmarks.peers import with_jax

        assert float(with_jax._loss(problem)(problem.weights(), x, t)) == pytest.approx(mine, 1e-5)
    with suppress(ImportError):
        import torch
        from benchmarks.peers import with_torch
        from benchmarks.peers.torch_networks import IMAGES, KERNELS

        image = with_torch._ordered(x, IMAGES if problem.network in KERNELS else {})
        loss = with_torch._loss(problem)(with_torch._first_weights(problem), image, torch.from_numpy(t))
        assert float(loss) == pytest.approx(mine, 1e-5)


def test_a_network_that_begins_elsewhere_is_refused() -> None:
    peers = {peer.name: peer for peer in PEERS}
    problem = next(p for p in NETWORK_PROBLEMS if p.network == "conv1d")
    answers = {"symgrad": 1.5, "PyTorch": 1.5001, "JAX step": 1.500001}

    class Answering:
        """A worker that has prepared, with its loss."""

        def __init__(self, name: str) -> None:
            self.peer = peers[name]

        def ask(self, do: str, **_: Any) -> dict[str, Any]:
            """What a worker says to a request."""
            loss = answers[self.peer.name]
            prepared = {"variant": "", "seconds": 1.0, "loss": loss}
            return prepared if do == "prepare" else {"seconds": [1.0], "losses": [loss]}

    found = race(problem, [Answering(name) for name in answers], Pace(rounds=1, least=1))  # type: ignore[misc]  # no processes
    assert found.missing == (("PyTorch", "its first loss is 1.5001, not 1.5"),)
    assert [lap.peer for lap in found.laps] == ["symgrad", "JAX step"]


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
