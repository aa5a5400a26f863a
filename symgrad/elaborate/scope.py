"""What surrounds a formula while it is evaluated: its owner, its arguments and its indices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.expansion.calls import usage
from symgrad.spec.language.builtins import DERIVATIVE, LANGUAGE_FUNCTIONS
from symgrad.spec.language.syntax import Call, Index, Name, Node
from symgrad.spec.language.trees import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import sympy as sp

    from symgrad.elaborate.operands import Value

MAX_DEPTH = 120


@dataclass(frozen=True)
class Scope:
    """`owner` names temporaries; `bound` are values, `index` loop indices by name; `depth` counts levels.

    `around` are all loop indices, those around the call of a function too, the outermost first.
    """

    owner: str
    bound: Mapping[str, Value] = field(default_factory=dict)
    index: Mapping[str, sp.Symbol] = field(default_factory=dict)
    depth: int = 0
    around: tuple[sp.Symbol, ...] = ()

    def deeper(self, node: Node) -> Scope:
        """The scope one level down.

        Raises:
            SpecError: functions that call functions nest too deeply.
        """
        if self.depth >= MAX_DEPTH:
            raise SpecError(
                f"formulas nested more than {MAX_DEPTH} deep, with the functions they call written out",
                at=node.at,
                remedy="give a part of it an equation of its own",
            )
        return replace(self, depth=self.depth + 1)

    def with_indices(self, index: Mapping[str, sp.Symbol]) -> Scope:
        """The scope inside a reduction over indices."""
        return replace(self, index={**self.index, **index}, around=(*self.around, *index.values()))

    def inside_function(self, bound: Mapping[str, Value]) -> Scope:
        """The scope of a function's formula: it sees its arguments, not the indices around the call."""
        return replace(self, bound=bound, index={})


def indexes(call: Call, name: str) -> bool:
    """Whether `name` indexes something in what the call reduces."""
    places = [p for n in walk(call.arguments[0]) if isinstance(n, Index) for p in n.indices]
    return any(isinstance(n, Name) and n.id == name for place in places for n in walk(place))


def _usage(function: str) -> str:
    entry = library.functions.get(function)
    return usage(entry.signature) if entry is not None else f"{function}(...)"


def unknown_name(node: Name, known: Collection[str], functions: Collection[str]) -> SpecError:
    """The error for a name that has no value, with what was probably meant."""
    if node.id == DERIVATIVE:
        return SpecError("'d' is a function here", at=node.at, remedy="call it: d(u, x)")
    if node.id in functions or node.id in LANGUAGE_FUNCTIONS or node.id in library.functions:
        remedy = f"call it: {_usage(node.id)}"
        return SpecError(f"'{node.id}' is a function", at=node.at, remedy=remedy)
    if node.id.lower() in ("inf", "infinity", "nan"):
        problem = f"'{node.id}' is no number to compute with"
        remedy = (
            "inf stands in a choice, where(j <= i, S[n,i,j], -inf), in pad(..., value=-inf), or as a start"
        )
        return SpecError(problem, at=node.at, remedy=remedy)
    there = f"there are {', '.join(list(known)[:8])}{', ...' if len(known) > 8 else ''}"
    remedy = did_you_mean(node.id, known) or f"define it above its use{'; ' + there if known else ''}"
    return SpecError(f"unknown name '{node.id}'", at=node.at, remedy=remedy)
