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
from symgrad.ranks.sent_behind import sent_behind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

SHORT = 8
"""Bytes of messages whose time is that of sending anything at all."""
_LEAST, _REPEATS, _MOST_STEPS = 0.02, 7, 128


def main(folder: Path) -> None:
    """Time what `asked.json` says, steps with so many rows of all ranks, and leave it in `found.json`.

    A process alone also times steps that share nothing.
    """
    asked = json.loads((folder / "asked.json").read_text())
    module, begun = load(asked["module"]), world()
    comm: Any = OneOfOne() if begun is None else PatientComm(begun)  # as trainings wait
    with np.load(folder / "data.npz") as stored:
        arrays = [stored[name] for name in (*module.INPUTS, *module.TARGETS)]
    own = sum(array.nbytes for array in arrays)  # in trainings, ranks of a machine share them
    batched: list[bool] = asked["batched"]
    found: dict[str, Any] = {"steps": {}, "memory": {}}
    for rows in sorted(asked["rows"]):
        found["steps"][rows] = _timed(begun, _steps(module, arrays, batched, rows, {"comm": comm}))
        found["memory"][rows] = max(_resident() - own, 0)
    if begun is None:
        found["plain"] = _timed(None, _steps(module, arrays, batched, max(asked["rows"]), {}))
    else:
        exchange = _behind(comm) if asked["between_machines"] else comm.Alltoallv
        found["exchange"] = {size: _exchange(comm, exchange, size) for size in asked["exchanged"]}
        found["told"] = _told(comm)
    if comm.Get_rank() == 0:
        (folder / "found.json").write_text(json.dumps(found))


def _steps(
    module: ModuleType, arrays: list[Any], batched: list[bool], rows: int, shared: dict[str, Any]
) -> Callable[[int], float]:
    """The seconds of so many steps of training on so many rows each, from the first values."""
    first = module.init_params(0)

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


def _timed(ranks: Any, run: Callable[[int], float]) -> float:
    """Seconds of a step: the slowest rank's, the median of some turns.

    What an epoch takes besides its steps is left out: it is in the time of one epoch as in that of a longer.
    """

    def slowest(count: int) -> float:
        if ranks is None:
            return run(count)
        ranks.Barrier()
        return float(max(ranks.allgather(run(count))))

    slowest(1)
    count = 1
    while slowest(count) < _LEAST and count < _MOST_STEPS:
        count *= 2
    short, long = count, 3 * count
    return max(median([slowest(long) - slowest(short) for _ in range(_REPEATS)]), 0.0) / (long - short)


def _behind(comm: PatientComm) -> Callable[[Any, Any], None]:
    """An exchange as between machines."""
    way = sent_behind(comm.comm)
    return lambda sent, taken: way.begin(sent, taken, comm.meet).Wait()


def _told(comm: PatientComm) -> float:
    """Seconds in which all know a few bytes of each."""
    own, all_own = np.ones(1), np.ones(comm.Get_size())
    return _slowest(comm, lambda: comm.Allgather(own, all_own))


def _exchange(comm: PatientComm, exchange: Callable[[Any, Any], None], size: int) -> float:
    """Seconds of two exchanges as of a step: a rank sends parts of a vector, then one part to all."""
    ranks = comm.Get_size()
    part = max(size // 8 // ranks, 1)
    sent, taken, rank = np.ones(ranks * part), np.ones(ranks * part), comm.Get_rank()
    places, same = [part * n for n in range(ranks)], [0] * ranks
    each = [0 if n == rank else part for n in range(ranks)]

    def both() -> None:
        exchange([sent, (each, places)], [taken, (each, places)])
        exchange([sent, (each, same)], [taken, (each, places)])

    return _slowest(comm, both)


def _slowest(comm: PatientComm, act: Callable[[], None]) -> float:
    """Seconds of what all do at once: the slowest rank's, the median of some turns."""
    turns: list[float] = []
    for _ in range(3 * _REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        act()
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
