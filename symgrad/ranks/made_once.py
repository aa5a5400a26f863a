"""What one rank of each machine makes and all ranks there have: its arrays lie in memory that they share.

That is a file which has no name any more before anything is in it, so nothing of it is left however its ranks
end. Of an array a rank loads the pages it looks at; where memory is short, the system keeps others on disk.
"""

from __future__ import annotations

import mmap
import os
import pickle
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.ranks.group_of_ranks import RankGroup

T = TypeVar("T")
PREFIX = "symgrad-shared-"
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
    asked = ranks.comm.allgather((machine, folder, what) if is_shared else ranks.rank)
    if len({*asked}) == len(asked):
        return ranks.together(make)
    maker = asked.index(asked[ranks.rank])
    is_maker = maker == ranks.rank
    with ExitStack() as opened:
        with ranks.held_by(is_maker, _new_file) as named:
            name = ranks.comm.allgather(named and named.name)[maker]
            file = ranks.together(lambda: opened.enter_context(open(name, "r+b")))
        laid = ranks.after(is_maker, lambda: _laid(make(), file) if is_maker else None)
        return _taken(ranks.comm.allgather(laid)[maker], file)


def _folder() -> tuple[int, int]:
    """Which folder has the files that are not kept: ranks in containers may have others of its name."""
    with _refused():
        there = os.stat(tempfile.gettempdir())
    return there.st_dev, there.st_ino


def _new_file() -> tempfile._TemporaryFileWrapper[bytes]:
    """A file that is gone when it is closed. Raises DataError."""
    with _refused():
        return tempfile.NamedTemporaryFile(prefix=PREFIX)


@contextmanager
def _refused(size: int = 0) -> Iterator[None]:
    """Make a DataError of what the system says of a file for so many bytes."""
    try:
        yield
    except OSError as error:
        problem = f"{size / 1e6:,.0f} MB of data cannot be held there: {error.strerror}"
        raise DataError(problem, at=tempfile.tempdir, remedy=REMEDY) from error


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
    with _refused(sum(array.nbytes for array in arrays)):
        for array in arrays:
            start = -(-end // ALIGNED) * ALIGNED
            end = start + array.nbytes
            file.seek(start)
            file.write(array)
            places.append((start, end))
        file.truncate(max(end, 1))  # what is empty cannot be mapped
    return _Laid(pickled, tuple(places), max(end, 1))


def _taken(laid: _Laid, file: IO[bytes]) -> Any:
    """What was laid in a file, whose memory its arrays are."""
    memory = memoryview(mmap.mmap(file.fileno(), laid.size))
    arrays = [memory[start:end] for start, end in laid.places]
    return pickle.loads(laid.pickled, buffers=arrays)  # noqa: S301  # of a rank of this training
