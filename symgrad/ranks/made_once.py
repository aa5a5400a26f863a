"""What one rank of each machine makes and all ranks there have: its arrays lie in memory that they share.

That is a file which has no name any more before anything is in it, so nothing of it stays however its ranks
end; an empty one of ranks that were killed before goes with `remove_left`. Of an array a rank loads the pages
it looks at; where memory is short, the system keeps others on disk.
"""

from __future__ import annotations

import mmap
import os
import pickle
import secrets
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from symgrad.errors import DataError
from symgrad.ranks.passing_names import PREFIX, hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.ranks.group_of_ranks import RankGroup

T = TypeVar("T")
ALIGNED = 64
"""Arrays begin at multiples of so many bytes."""
REMEDY = "ranks share there what one of them has read; the variable TMPDIR names another folder"


def made_once(ranks: RankGroup, what: str | None, make: Callable[[], T]) -> T:
    """What `make` gives, made by the first of those ranks of a machine that ask for the same; nobody may
    write into its arrays. None: what this rank alone can make.

    What is raised on one rank, all raise; a DataError where there is no room for what is shared.
    """
    if ranks.comm is None:
        return make()
    is_shared = what is not None and sys.platform != "win32"  # there a file that is open keeps its name
    machine, folder = ranks.comm.machine(), ranks.together(_folder)
    own = (machine, folder, what) if is_shared else ranks.rank
    asked, names = zip(*ranks.comm.allgather((own, secrets.token_hex(8))), strict=True)
    if len({*asked}) == len(asked):
        return ranks.together(make)
    maker = asked.index(own)
    is_maker = maker == ranks.rank
    with ExitStack() as opened:
        path = Path(tempfile.gettempdir(), PREFIX + names[maker])
        try:
            file = ranks.together(lambda: opened.enter_context(_opened(path)))
        finally:
            if is_maker:  # all have it open, or cannot
                path.unlink(missing_ok=True)
        laid = ranks.after(is_maker, lambda: _laid(make(), file) if is_maker else None)
        found: T = _taken(ranks.comm.allgather(laid)[maker], file)
        return found


def _folder() -> tuple[int, int]:
    """Which folder has the files that are not kept: ranks in containers may have others of its name."""
    with _refused():
        there = os.stat(tempfile.gettempdir())
    return there.st_dev, there.st_ino


def _opened(path: Path) -> IO[bytes]:
    """A file that the first of some processes makes. Raises DataError."""
    with _refused():
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=0)
    hold(file.fileno())
    return file


@contextmanager
def _refused(size: int = 0) -> Iterator[None]:
    """Make a DataError of what the system says of a file for so many bytes."""
    try:
        yield
    except OSError as error:
        what = f"{size / 1e6:,.0f} MB of data" if size else "data"
        problem = f"{what} cannot be held there: {error.strerror}"
        raise DataError(problem, at=tempfile.tempdir, remedy=REMEDY) from error


@contextmanager
def _emptied_in_need(file: IO[bytes]) -> Iterator[None]:
    """Give the room in a file back where what it is for fails: others, who are told, may need some."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            file.truncate(0)
        raise


@dataclass(frozen=True)
class _Laid:
    """Something pickled but for its arrays, and from where to where each of these lies in a file."""

    pickled: bytes
    places: tuple[tuple[int, int], ...]
    size: int


def _laid(value: Any, file: IO[bytes]) -> _Laid:
    """Lay it in a file. Raises DataError where there is no room."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    arrays, places, end = [buffer.raw() for buffer in buffers], [], 0
    with _refused(sum(array.nbytes for array in arrays)), _emptied_in_need(file):
        for array in arrays:
            start = -(-end // ALIGNED) * ALIGNED
            end = start + array.nbytes
            _write(array, file, start)
            places.append((start, end))
        file.truncate(max(end, 1))  # what is empty cannot be mapped
    return _Laid(pickled, tuple(places), max(end, 1))


def _write(memory: memoryview, file: IO[bytes], start: int) -> None:
    """Write it from there on: the system may take a part of what is long."""
    while memory.nbytes:
        count = os.pwrite(file.fileno(), memory, start)
        memory, start = memory[count:], start + count


def _taken(laid: _Laid, file: IO[bytes]) -> Any:
    """What was laid in a file, whose memory its arrays are."""
    memory = memoryview(mmap.mmap(file.fileno(), laid.size))
    arrays = [memory[start:end] for start, end in laid.places]
    return pickle.loads(laid.pickled, buffers=arrays)  # noqa: S301  # of a rank of this training
