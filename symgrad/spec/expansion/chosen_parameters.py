"""Parameters that the train block chooses, by their names or by patterns such as `b*`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.errors import Position
    from symgrad.spec.model import Spec


def chosen(pattern: str, names: Sequence[str], at: Position) -> tuple[str, ...]:
    """The parameters that a name or pattern stands for, in their order.

    Raises:
        SpecError: there is none.
    """
    found = tuple(name for name in names if fnmatchcase(name, pattern))
    if not found:
        problem = f"no parameter is called '{pattern}'"
        remedy = did_you_mean(pattern, names) or f"there are {', '.join(names) or 'none'}"
        raise SpecError(problem, at=at, remedy=remedy)
    return found


def frozen_parameters(spec: Spec, names: Sequence[str]) -> tuple[str, ...]:
    """Those that no step of training changes, in their order.

    Raises:
        SpecError: a name that is none of a parameter, or nothing left to train.
    """
    at = spec.place_of("train", "freeze")
    frozen = {name for pattern in spec.train.freeze for name in chosen(pattern, names, at)}
    if frozen and len(frozen) == len(names):
        raise SpecError("every parameter is frozen", at=at, remedy="leave one that training changes")
    return tuple(name for name in names if name in frozen)
