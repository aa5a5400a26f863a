"""Every way symgrad refuses or doubts an input: where it is, what is wrong, how to mend it."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Position:
    """A place in a source text; lines and columns count from 1."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"

    def moved(self, columns: int, lines: int = 0) -> Position:
        """The position `columns` to the right, or at `columns` of a line further down."""
        if lines:
            return Position(self.source, self.line + lines, 1 + columns)
        return Position(self.source, self.line, self.column + columns)


class _Located(Exception):  # noqa: N818  # a warning is one too
    """What is said about an input. `str()` gives `place: problem; remedy`."""

    def __init__(self, problem: str, *, at: Position | str | None = None, remedy: str = "") -> None:
        self.problem, self.at, self.remedy = problem, at, remedy
        where = f"{at}: " if at is not None else ""
        super().__init__(where + problem + (f"; {remedy}" if remedy else ""))


class SymgradError(_Located):
    """An input that cannot be used. `str()` gives `place: problem; remedy`."""

    is_known: bool = False
    """Whether another rank, of some that train together, says it too."""


class SpecError(SymgradError):
    """The spec does not say something symgrad can understand."""


class ShapeError(SpecError):
    """Tensors whose axes do not fit together."""


class DataError(SymgradError):
    """Data that does not fit the spec, or holds what no network can be trained on."""


class ModuleError(SymgradError):
    """An emitted module that cannot be loaded or lacks one of the stable names."""


class NotIdenticalError(SymgradError):
    """A module that computes something else than its spec says, or could not be compared with it: a defect of
    symgrad, found in time."""


class NoVerdictError(SymgradError):
    """A module that was neither found right nor wrong: the machine had no time or no memory to judge it."""


class DivergenceError(SymgradError):
    """Training met a loss that is not a finite number."""


class LostRanksError(SymgradError):
    """Of some processes that trained together one ended before the others."""


class CallbackError(SymgradError):
    """A function of the caller failed while training ran; `run` holds what was trained before."""

    run: Any = None


class StopTraining(Exception):  # noqa: N818  # it is no error
    """Raised by a callback: training ends here as if it had been its plan. Its text says why."""


class SymgradWarning(_Located, UserWarning):
    """An input that can be used and is likely a mistake. `str()` gives `place: problem; remedy`."""


class SpecWarning(SymgradWarning):
    """The spec says something that is hardly ever meant."""


class DataWarning(SymgradWarning):
    """Data is taken for something that it may not be, or loses something when it is read."""


class ModuleWarning(SymgradWarning):
    """A module about which less is known than about others."""


class InternalError(Exception):
    """A broken promise between two stages: a defect of symgrad, never the user's."""


_INSIDE = ("symgrad", "sklearn")  # scikit-learn calls estimators through wrappers of its own


def warn(found: SymgradWarning) -> None:
    """Give a warning, through `warnings`, at the line outside symgrad that led to it."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(found, stacklevel=level)


def how_to_install(extra: str) -> str:
    """A remedy: what brings the packages of an extra, where symgrad is installed as README.md says."""
    return f'run python -m pip install ".[{extra}]" in your copy of symgrad'


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word nearest to `word`, or the empty string where none is as near as `cutoff`, of 1.

    The same but for capitals comes first, then exchanged letters.
    """
    known = list(known)
    alike = [name for name in known if name.casefold() == word.casefold()]
    close = get_close_matches(word, known, n=3, cutoff=cutoff)
    same_letters = [name for name in close if sorted(name) == sorted(word)]
    return next(iter([*alike, *same_letters, *close]), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy naming the known word nearest to `word`, or the empty string."""
    found = nearest(word, known)
    return f"did you mean '{found}'?" if found else ""
