"""This machine, as steps of a spec on it were timed: alone, with one process on every core, and together."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.ranks.mpi_world import environment_of_ranks, mpiexec_here
from symgrad.runtime.array_archives import write_archive
from symgrad.scaling.rank_probe import SHORT
from symgrad.scaling.step_model import Tcp, TimedMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.benchmark.workload import Workload


_LEAST_SENT = 1 << 12
BY_TCP = {
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,tcp",
    "OMPI_MCA_btl_tcp_if_include": "127.0.0.0/8",
    "MPIR_CVAR_NOLOCAL": "1",
}
"""Lets ranks of one machine send each other what they send as ranks of several do: Open MPI's and MPICH's."""


@dataclass(frozen=True)
class RankProbe:
    """Runs that time steps of a workload's module, each on so many ranks of this machine."""

    work: Workload
    folder: Path

    @property
    def vector(self) -> int:
        """The bytes of a gradient, at least so many that their time can be told from that of none."""
        module = self.work.module
        own: int = module.SIZE * np.dtype(module.DTYPE).itemsize
        return max(own, _LEAST_SENT)

    def write(self) -> None:
        """Leave the data where ranks find it."""
        write_archive(self.folder / "data.npz", dict(self.work.arrays))

    def found(
        self, ranks: int, rows: Iterable[int], environment: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, Any]:
        """What they found of steps with so many rows each: seconds, memory, what sending takes.

        Raises:
            DataError: a rank ended before that, and said why.
        """
        batched = [name not in self.work.whole for name in self.work.arrays]
        asked: dict[str, Any] = {"module": str(self.work.module.__file__), "batched": batched}
        asked |= {"rows": [count * ranks for count in rows], "exchanged": [SHORT, self.vector]}
        asked["between_machines"] = bool(environment)
        (self.folder / "asked.json").write_text(json.dumps(asked))
        result = self.folder / "found.json"
        result.unlink(missing_ok=True)
        probe = [sys.executable, "-m", "mpi4py", "-m", "symgrad.scaling.rank_probe", str(self.folder)]
        alone = [sys.executable, *probe[3:]]
        command = alone if ranks == 1 else [mpiexec_here(), "-n", str(ranks), *probe]
        run = subprocess.run(  # noqa: S603  # our own
            command,
            env={**environment_of_ranks(), **environment},
            capture_output=True,
            text=True,
            check=False,
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
    work: Workload,
    least_rows: int,
    side_by_side: Sequence[int],
    together: Mapping[int, int],
    progress: Callable[[str], None],
    *,
    is_one_of_many: bool,
) -> tuple[TimedMachine, dict[int, float]]:
    """The machine with so many processes at once, and seconds of real steps.

    Steps are timed with the batch's rows for each rank, and fewer down to the least; real ones on so many
    ranks as `together` says, with so many rows for each.

    Raises:
        DataError: steps could not be timed.
        ModuleError: mpi4py or mpiexec is missing.
    """
    assert work.batch is not None, "ranks share rows"  # noqa: S101
    with TemporaryDirectory(prefix="symgrad-plan-") as folder:
        probe = RankProbe(work, Path(folder))
        probe.write()
        found, real = {}, {}
        for ranks in (1, *side_by_side):
            progress(f"timing steps of {ranks} {'process' if ranks == 1 else 'processes side by side'}")
            found[ranks] = probe.found(ranks, _rows(work.batch, least_rows))
        tcp = Tcp(0.0, 0.0, 0.0)
        if is_one_of_many:
            progress("timing what it takes to send to other machines")
            tcp = _tcp(probe.found(2, [], BY_TCP), probe.vector)
        for ranks, rows in together.items():
            progress(f"timing steps of {ranks} {'rank' if ranks == 1 else 'ranks'} once more")
            again = probe.found(ranks, [rows])
            real[ranks] = again["plain"] if ranks == 1 else again["steps"][str(rows * ranks)]
    sending = {ranks: _sending(found[ranks]["exchange"], probe.vector) for ranks in side_by_side}
    machine = TimedMachine(
        plain=found[1]["plain"],
        side_by_side={
            ranks: _by_rows(each["steps"], ranks, sending.get(ranks, 0.0)) for ranks, each in found.items()
        },
        bandwidth={ranks: 2 * probe.vector * (ranks - 1) / sending[ranks] for ranks in side_by_side},
        tcp=tcp,
        memory=_by_rows(found[max(found)]["memory"], max(found)),
    )
    return machine, real


def _rows(batch: int, least: int) -> list[int]:
    """The numbers of rows that are timed: the batch, and halves of halves of it down to the least."""
    halves = (batch >> halvings for halvings in range(batch.bit_length()))
    return sorted({least, *(rows for rows in halves if rows > least)})


def _by_rows(found: Mapping[str, float], ranks: int, part: float = 0.0) -> dict[int, float]:
    """What was found by the rows of each rank, without a part of it; at least half is left."""
    return {int(rows) // ranks: max(value - part, value / 2) for rows, value in found.items()}


def _tcp(found: Mapping[str, Any], vector: int) -> Tcp:
    """What sending takes: two exchanges between two ranks, of which each sends and takes half of a vector."""
    exchange = found["exchange"]
    return Tcp(found["told"], exchange[str(SHORT)] / 2, _sending(exchange, vector) / vector)


def _sending(exchange: Mapping[str, float], vector: int) -> float:
    """Seconds for which the bytes of two exchanges are under way, beside what exchanges of few take."""
    return max(exchange[str(vector)] - exchange[str(SHORT)], exchange[str(vector)] / 10)
