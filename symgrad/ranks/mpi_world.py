"""The ranks that mpiexec began, and how one process begins them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError, how_to_install
from symgrad.ranks.passing_names import HELD, held_folder, is_free

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OF_MPIEXEC = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_SIZE")
"""Some of what the environment of a process holds that Open MPI's or MPICH's mpiexec began."""
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""How many it began."""
ENDED_IN, LAUNCHER = "SYMGRAD_RANKS_ENDED_IN", "SYMGRAD_RANKS_LAUNCHER"
"""Where the first of launched ranks leaves its exit status; what the process holds that began them."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
INSTALL = how_to_install("mpi")
SETTINGS = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
}
"""For Open MPI 5 and 4: more ranks than cores are allowed, and none is bound to a core."""
AS_ROOT = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")


def world() -> Any:
    """The communicator of all ranks where mpiexec began this process beside others; else None.

    Raises:
        ModuleError: mpi4py is missing, or belongs to another MPI than mpiexec.
    """
    if not any(name in os.environ for name in OF_MPIEXEC):
        return None
    if find_spec("mpi4py") is None:
        problem = "mpiexec began this process, and mpi4py is missing: it knows nothing of the others"
        raise ModuleError(problem, remedy=INSTALL)
    from mpi4py import MPI

    found = MPI.COMM_WORLD.Get_size()
    begun = [int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdigit()]
    if any(size != found for size in begun):
        problem = f"mpiexec began {begun[0]} processes, of which mpi4py sees {found}"
        remedy = "mpiexec must be that of the MPI library that mpi4py was made for, and still run"
        raise ModuleError(problem, remedy=remedy)
    return MPI.COMM_WORLD if found > 1 else None


def run_on_ranks(arguments: Sequence[str], ranks: int, start_within: float = 120.0) -> int | None:
    """Run `symgrad` with these arguments on so many ranks: its exit status, None where ranks were lost.

    Each computes with one thread, unless the environment says otherwise. Ctrl-C and SIGTERM ask the ranks to
    end after the epoch, and the second time end them at once. All must have met after `start_within` seconds.

    Raises:
        ModuleError: mpi4py or mpiexec is missing.
    """
    mpiexec = mpiexec_here()
    python = [sys.executable, "-m", "mpi4py", "-m", "symgrad"]
    with held_folder() as folder:
        ended = folder / "status"
        environment = environment_of_ranks() | {ENDED_IN: str(ended), LAUNCHER: str(folder / HELD)}
        command = [mpiexec, "-n", str(ranks), *python, *arguments]
        running = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  # our own
        with running, _signals_go_to(running):
            _demand_start(running, folder, ranks, start_within)
            running.wait()
        return int(ended.read_text()) if ended.is_file() else None


def _demand_start(running: subprocess.Popen[bytes], folder: Path, ranks: int, seconds: float) -> None:
    """End ranks of which some have not met the others in time: so far none of them can know."""
    end = time.monotonic() + seconds
    while running.poll() is None:
        if all((folder / f"rank-{rank}").exists() for rank in range(ranks)):
            return
        if time.monotonic() > end:
            sys.stderr.write(f"error: not all ranks had met after {seconds:.0f} s\n")
            running.terminate()
            return
        time.sleep(0.1)


def check_in(rank: int) -> None:
    """Tell the process that launched this rank, on this machine, that it has met the others."""
    place = os.environ.get(LAUNCHER)
    if place is not None and Path(place).parent.is_dir():
        Path(place).with_name(f"rank-{rank}").touch()


def is_launched() -> bool:
    """Whether `--ranks` began this process, and not mpiexec by hand or nobody."""
    return LAUNCHER in os.environ


def is_abandoned() -> bool:
    """Whether the process that launched this rank has ended."""
    place = os.environ.get(LAUNCHER)
    return place is not None and is_free(Path(place))


def leave_status(status: int) -> int:
    """What a launched rank ends with: it leaves the status to who launched it, so that mpiexec is silent."""
    place = os.environ.get(ENDED_IN)
    if place is None:
        return status
    try:
        Path(place).write_text(str(status))
    except OSError:  # another machine, or who launched it is gone
        return status
    return 0


def mpiexec_here() -> str:
    """The program, that beside Python before others. Raises ModuleError where it or mpi4py is missing."""
    if sys.platform == "win32":
        raise ModuleError("ranks are begun on Linux and macOS alone", remedy="train without --ranks")
    if find_spec("mpi4py") is None:
        raise ModuleError("mpi4py is missing", remedy=INSTALL)
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.is_file() else shutil.which("mpiexec")
    if found is None:
        raise ModuleError("there is no mpiexec on the PATH", remedy=INSTALL)
    return found


def environment_of_ranks() -> dict[str, str]:
    """That of this process, with what ranks need where it says nothing else."""
    own = dict.fromkeys(THREADS, "1") | SETTINGS
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        own |= dict.fromkeys(AS_ROOT, "1")
    return own | os.environ


@contextmanager
def _signals_go_to(running: subprocess.Popen[bytes]) -> Iterator[None]:
    """Inside it, what is to end this process ends the ranks."""
    asked = False

    def pass_on(*_: object) -> None:
        nonlocal asked
        if running.poll() is None:
            running.send_signal(signal.SIGTERM if asked else signal.SIGUSR1)
        asked = True

    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, pass_on) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
