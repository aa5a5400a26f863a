"""This machine, as steps of a spec on it were timed: alone, with one process on every core, and together."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError
from symgrad.ranks.mpi_world import environment_of_ranks, mpiexec_here
from symgrad.runtime.array_archives import write_archive
from symgrad.scaling.rank_probe import LONG, SHORT
from symgrad.scaling.step_model import TimedMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.benchmark.workload import Workload


@dataclass(frozen=True)
class RankProbe:
    """Runs that time steps of a workload's module, each on so many ranks of this machine."""

    work: Workload
    folder: Path

    def write(self) -> None:
        """Leave the data where ranks find it."""
        write_archive(self.folder / "data.npz", dict(self.work.arrays))

    def found(self, ranks: int, rows: Iterable[int], together: Iterable[int]) -> dict[str, Any]:
        """What they found: seconds of steps by rows each for itself, and by rows of all together.

        Raises:
            DataError: a rank ended before that, and said why.
        """
        batched = [name not in self.work.whole for name in self.work.arrays]
        asked = {"module": str(self.work.module.__file__), "batched": batched}
        asked |= {"rows": list(rows), "together": list(together)}
        (self.folder / "asked.json").write_text(json.dumps(asked))
        result = self.folder / "found.json"
        result.unlink(missing_ok=True)
        probe = [sys.executable, "-m", "mpi4py", "-m", "symgrad.scaling.rank_probe", str(self.folder)]
        alone = [sys.executable, *probe[3:]]
        command = alone if ranks == 1 else [mpiexec_here(), "-n", str(ranks), *probe]
        run = subprocess.run(  # noqa: S603  # our own
            command, env=environment_of_ranks(), capture_output=True, text=True, check=False
        )
        if run.returncode or not result.is_file():
            said = (run.stderr.strip() or run.stdout.strip() or "no reason given").splitlines()[-1]
            problem = f"steps could not be timed on {ranks} {'rank' if ranks == 1 else 'ranks'}: {said}"
            raise DataError(
                problem, at=self.work.model.spec.name, remedy="symgrad doctor looks for what is wrong"
            )
        found: dict[str, Any] = json.loads(result.read_text())
        return found


def measured(
    work: Workload, side_by_side: Sequence[int], together: Sequence[int], progress: Callable[[str], None]
) -> tuple[TimedMachine, dict[int, float]]:
    """The machine with so many processes at once, and seconds of real steps on so many ranks.

    Raises:
        DataError: steps could not be timed.
        ModuleError: mpi4py or mpiexec is missing.
    """
    assert work.batch is not None, "ranks share rows"  # noqa: S101
    with TemporaryDirectory(prefix="symgrad-plan-") as folder:
        probe = RankProbe(work, Path(folder))
        probe.write()
        progress("timing steps of one process")
        found = {1: probe.found(1, _rows(work.batch), [work.batch])}
        for ranks in side_by_side:
            progress(f"timing steps of {ranks} processes side by side")
            found[ranks] = probe.found(ranks, _rows(work.batch), [])
        real = {}
        for ranks in together:
            progress(f"timing steps of {ranks} {'rank' if ranks == 1 else 'ranks'}")
            real[ranks] = probe.found(ranks, [], [work.batch])["together"][str(work.batch)]
    machine = TimedMachine(
        plain=found[1]["together"][str(work.batch)],
        side_by_side={ranks: _by_rows(each["steps"]) for ranks, each in found.items()},
        bandwidth={ranks: _bandwidth(ranks, found[ranks]["exchange"]) for ranks in side_by_side},
        memory=_by_rows(found[max(found)]["memory"]),
    )
    return machine, real


def _rows(batch: int) -> list[int]:
    """The numbers of rows that are timed: the batch, and halves of halves of it."""
    return sorted({max(1, batch >> halvings) for halvings in range(batch.bit_length())})


def _by_rows(found: Mapping[str, float]) -> dict[int, float]:
    return {int(rows): value for rows, value in found.items()}


def _bandwidth(ranks: int, exchange: Mapping[str, float]) -> float:
    """Bytes a second that all-to-all and all-gather move, which take so long with few bytes and with many."""
    rest = max(exchange[str(LONG)] - exchange[str(SHORT)], exchange[str(LONG)] / 10)
    return 2 * LONG * (ranks - 1) / rest
