"""Ranks that train together: what one of them finds, all know; what one of them cannot do, none does."""

from __future__ import annotations

import pickle
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from symgrad.errors import DataError, SymgradError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

T = TypeVar("T")


@dataclass(frozen=True)
class _Tried(Generic[T]):
    """What a call gave, or the error that it raised."""

    value: T | None = None
    error: BaseException | None = None

    @property
    def to_send(self) -> _Tried[T]:
        """The same for another process: an error that cannot be sent in its words."""
        return self if self.error is None else _Tried(error=_sendable(self.error))

    def given(self) -> T:
        """The value; what was raised is raised again."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # it is what the call gave, None too


@dataclass(frozen=True)
class RankGroup:
    """The ranks of a PatientComm; without one, a process alone.

    `stop` is set where somebody wants training to end.
    """

    comm: Any = None
    stop: Event = field(default_factory=Event, compare=False)

    @property
    def count(self) -> int:
        """How many there are."""
        return 1 if self.comm is None else int(self.comm.Get_size())

    @property
    def rank(self) -> int:
        """The number of this one, from 0."""
        return 0 if self.comm is None else int(self.comm.Get_rank())

    @property
    def is_first(self) -> bool:
        """Whether this is the one that measures, writes and answers."""
        return self.rank == 0

    @property
    def shared(self) -> dict[str, Any]:
        """What a module's functions are given so that ranks share their batches."""
        return {} if self.comm is None else {"comm": self.comm}

    def agreed(self, ask: Callable[[], T]) -> T:
        """What the first rank is told, on all of them; what it raises, all raise."""
        if self.comm is None:
            return ask()
        if not self.is_first:
            sent: _Tried[T] = self.comm.bcast(None)
            if isinstance(sent.error, SymgradError):
                sent.error.is_known = True
            return sent.given()
        tried = _tried(ask)
        self.comm.bcast(tried.to_send)
        return tried.given()

    def told_by_first(self, ask: Callable[[], T]) -> T:
        """The same for what takes long: the others do not use the processor until then."""
        tried = _tried(ask) if self.is_first else None
        self.wait_for_first()
        return self.agreed(ask if tried is None else tried.given)

    def together(self, do: Callable[[], T]) -> T:
        """What each rank makes of a call; where it fails on one, the error of the first such rank on all."""
        if self.comm is None:
            return do()
        tried = _tried(do)
        for rank, sent in enumerate(self.comm.allgather(tried.to_send.error)):
            if rank == self.rank:
                tried.given()
            elif sent is not None:
                raise _of_rank(rank, sent)
        return tried.given()

    @contextmanager
    def held_by_first(self, context: Callable[[], AbstractContextManager[T]]) -> Iterator[T | None]:
        """What the first rank holds until the block ends; None on others. Where it cannot, all raise that."""
        with ExitStack() as stack:
            yield self.together(lambda: stack.enter_context(context()) if self.is_first else None)

    def demand_same(self, own: Mapping[str, str]) -> None:
        """Raise DataError unless all ranks have the same of each of these, by its name."""
        if self.comm is None:
            return
        first, *others = self.comm.allgather(dict(own))
        for rank, theirs in enumerate(others, 1):
            for name in (name for name in first if theirs[name] != first[name]):
                remedy = "give all ranks the same spec, module and files"
                error = DataError(f"rank {rank} has other {name} than rank 0", remedy=remedy)
                error.is_known = not self.is_first
                raise error

    def after_first(self, do: Callable[[], T]) -> T:
        """What each makes of a call, where the others begin when the first is done: what it leaves in a cache
        they find."""
        return self.after(self.is_first, do)

    def after(self, is_early: bool, do: Callable[[], T]) -> T:
        """What each makes of a call, where all others wait for those that are early, which may take long.

        Where it fails on one of these, no other begins.
        """
        tried = _tried(do) if is_early else None
        self.wait_for_first()
        self.together(lambda: None if tried is None else tried.given())
        return self.together(do if tried is None else tried.given)

    def wait_for_first(self) -> None:
        """Let the others go on when all have come here."""
        if self.comm is not None:
            self.comm.Barrier()


ALONE = RankGroup()


def _tried(ask: Callable[[], T]) -> _Tried[T]:
    try:
        return _Tried(ask())
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # all ranks are told, and raise it
        return _Tried(error=error)


def _sendable(error: BaseException) -> BaseException:
    """The error, or where it cannot be sent, its words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # what was just written
    except Exception:  # noqa: BLE001  # whatever is in the way
        if isinstance(error, SymgradError):
            return SymgradError(error.problem, at=error.at, remedy=error.remedy)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _of_rank(rank: int, error: BaseException) -> BaseException:
    """The error of another rank, which says so if it is not the first."""
    if not isinstance(error, SymgradError):
        return error
    where = f"rank {rank}: " if rank else ""
    found = type(error)(f"{where}{error.problem}", at=error.at, remedy=error.remedy)
    found.is_known = True
    return found


class OneOfOne:
    """As much of a communicator as a module asks for, of one rank: with it code for several is compiled."""

    def Get_rank(self) -> int:
        """This rank."""
        return 0

    def Get_size(self) -> int:
        """How many there are."""
        return 1

    def Allgather(self, sent: Any, taken: Any) -> None:
        """What all sent, side by side."""
        taken.reshape(-1)[:] = sent.reshape(-1)

    def Alltoallv(self, sent: Any, taken: Any) -> None:
        """Of the vectors of others their parts for this one: there are none."""
