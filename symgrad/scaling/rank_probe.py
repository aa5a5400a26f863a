"""What one rank runs to time steps and messages on this machine: `python -m symgrad.scaling.rank_probe`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.compiler.loading.load import load
from symgrad.ranks.group_of_ranks import OneOfOne
from symgrad.ranks.mpi_world import world
from symgrad.ranks.patient_comm import PatientComm

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

LONG = 1 << 23
"""Bytes of the messages that bandwidth is measured with."""
SHORT = 8
_LEAST, _REPEATS, _MOST_STEPS = 0.03, 7, 30


def main(folder: Path) -> None:
    """Time what `asked.json` says, and leave what was found in `found.json`.

    Steps of each number of rows are timed on all ranks at once, each for itself but in step with the others;
    those of `together` are real ones.
    """
    asked = json.loads((folder / "asked.json").read_text())
    module, begun = load(asked["module"]), world()
    comm = None if begun is None else PatientComm(begun)  # as trainings wait
    with np.load(folder / "data.npz") as stored:
        arrays = [stored[name] for name in (*module.INPUTS, *module.TARGETS)]
    found: dict[str, Any] = {"steps": {}, "memory": {}}
    if comm is not None:
        found["exchange"] = {size: _exchange(comm, size) for size in (SHORT, LONG)}
    in_step = OneOfOne() if comm is None else _InStep(comm)
    for rows in sorted(asked["rows"]):
        found["steps"][rows] = _timed(comm, _steps(module, arrays, asked["batched"], rows, in_step))
        found["memory"][rows] = _resident()
    for rows in asked["together"]:
        found.setdefault("together", {})[rows] = _timed(
            comm, _steps(module, arrays, asked["batched"], rows, comm)
        )
    if comm is None or comm.Get_rank() == 0:
        (folder / "found.json").write_text(json.dumps(found))


class _InStep(OneOfOne):
    """A rank by itself that meets the others where real ones exchange what they have."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.few, self.taken = np.zeros(1), np.zeros(comm.Get_size())

    def Allgather(self, sent: Any, taken: Any) -> None:
        """What it sent itself, when all have come."""
        self.comm.Allgather(self.few, self.taken)
        super().Allgather(sent, taken)


def _steps(
    module: ModuleType, arrays: list[Any], batched: list[bool], rows: int, comm: Any
) -> Callable[[int], float]:
    """The seconds of so many steps of training on so many rows each, from the first values."""
    first, shared = module.init_params(0), {} if comm is None else {"comm": comm}

    def run(count: int) -> float:
        data = [
            np.resize(array, (rows * count, *array.shape[1:])) if is_batched else array
            for array, is_batched in zip(arrays, batched, strict=True)
        ]
        params = module.unflatten(module.flatten(first).copy())
        state = module.init_state(params)
        start = time.perf_counter()
        loss = module.train_epoch(params, state, *data, rows, **shared)
        taken = time.perf_counter() - start
        if not np.isfinite(loss):
            raise SystemExit(f"the loss is not finite after {count} steps on this data")
        return taken

    return run


def _timed(comm: Any, run: Callable[[int], float]) -> float:
    """Seconds of a step: the slowest rank's, the median of some turns."""

    def slowest(count: int) -> float:
        if comm is None:
            return run(count)
        comm.Barrier()
        return float(max(comm.allgather(run(count))))

    slowest(1)
    count, taken = 1, slowest(1)
    while taken < _LEAST and count < _MOST_STEPS:
        count = min(_MOST_STEPS, max(2 * count, int(count * _LEAST / max(taken, 1e-6))))
        taken = slowest(count)
    return median([slowest(count) for _ in range(_REPEATS)]) / count


def _exchange(comm: Any, size: int) -> float:
    """Seconds of two exchanges as of a step: a rank sends parts of a vector, then one part to all."""
    ranks = comm.Get_size()
    part = max(size // 8 // ranks, 1)
    sent, taken, rank = np.ones(ranks * part), np.ones(ranks * part), comm.Get_rank()
    places, same = [part * n for n in range(ranks)], [0] * ranks
    each = [0 if n == rank else part for n in range(ranks)]
    turns: list[float] = []
    for _ in range(3 * _REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        comm.Alltoallv([sent, (each, places)], [taken, (each, places)])
        comm.Alltoallv([sent, (each, same)], [taken, (each, places)])
        turns.append(max(comm.allgather(time.perf_counter() - start)))
    return median(turns)


def _resident() -> int:
    """Bytes of memory that this process has; 0 where the system does not tell."""
    file = Path("/proc/self/status")
    if not file.is_file():
        return 0
    line = next(line for line in file.read_text().splitlines() if line.startswith("VmRSS"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
