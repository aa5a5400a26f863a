"""What becomes of a model's states in a step of training: an equation for the next value of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.model import EquationSpec, NextValue
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import StateSpec


def next_values(
    states: Iterable[StateSpec], taken: set[str], plain: Callable[[Node], Node]
) -> tuple[tuple[NextValue, ...], tuple[EquationSpec, ...]]:
    """Which equation gives which state's next value, and these equations, none of them of a `taken` name."""
    found, equations = [], []
    for state in states:
        name = unused(f"{state.name}_next", taken)
        taken = taken | {name}
        found.append(NextValue(state.name, name, state.instead))
        equations.append(EquationSpec(name, None, plain(state.next), state.next.at))
    return tuple(found), tuple(equations)
