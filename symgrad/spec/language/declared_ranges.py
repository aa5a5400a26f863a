"""Ranges that a spec gives its indices: `p[n, j:J]` on the left, `max(x[n, 2*j + k], k=2)` in a reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from symgrad.errors import SpecError
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.trees import calls, names_in
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.language.sizes.size_forms import Whole
    from symgrad.spec.language.sizes.whole_numbers import Measured

MOST = 10**6
"""Values that an index with a range of its own may take."""
MOST_ENTRIES = 10**9
"""Entries along an axis."""

Range = tuple[str, Node]
"""An index, and the formula of its size."""


def ranges_of(call: Call) -> tuple[Range, ...]:
    """`k=2` of a reduction: the indices it gives ranges to, those that stand in what it reduces."""
    if call.function not in REDUCTIONS or not call.arguments:
        return ()
    inside = names_in(call.arguments[0])
    return tuple((k, size) for k, size in call.keywords if k not in ("axis", "keepdims") and k in inside)


def bound_names(call: Call) -> tuple[str, ...]:
    """The names that a reduction runs over: `max(x[n, c, 2*j + k], c, k=2)` over c and k."""
    positional = tuple(node.id for node in call.arguments[1:] if isinstance(node, Name))
    return (*positional, *(name for name, _ in ranges_of(call)))


def ranges_in(formula: Node) -> Iterator[Range]:
    """The ranges that the reductions of a formula give.

    Raises:
        SpecError: an index has a range in one reduction and none in another, where it would have it too.
    """
    ranges = [found for call in calls(formula) for found in ranges_of(call)]
    given = {name for name, _ in ranges}
    for call in calls(formula):
        for node in call.arguments[1:] if call.function in REDUCTIONS else ():
            if isinstance(node, Name) and node.id in given:
                problem = f"index '{node.id}' is given a range in one reduction and none in this one"
                raise SpecError(problem, at=node.at, remedy="use two index names, or give it here too")
    yield from ranges


@overload
def range_size(name: str, size: Node, sizes: Mapping[str, int]) -> int: ...
@overload
def range_size(
    name: str, size: Node, sizes: Mapping[str, Whole], measured: Measured | None = None
) -> Whole: ...
def range_size(name: str, size: Node, sizes: Mapping[str, Whole], measured: Measured | None = None) -> Whole:
    """How many values an index takes: a whole number, a size by name, or a formula of such, `T - 1`.

    `measured` gives what a call of `size` stands for.

    Raises:
        SpecError: an unknown name, another formula, or a range of no or of too many values.
    """
    found = whole_number(size, f"the range of index '{name}'", sizes, measured)
    if isinstance(found, int) and not 1 <= found <= MOST:
        problem = f"the range of index '{name}' has {found:,} values"
        raise SpecError(problem, at=size.at, remedy=f"expected from 1 to {MOST:,}")
    return found


def axis_size(formula: Node, what: str, sizes: Mapping[str, int]) -> int:
    """The size of an axis that a formula of whole numbers gives; `what` says what it is of.

    Raises:
        SpecError: another formula, or none or too many entries.
    """
    found = whole_number(formula, what, sizes)
    if not 1 <= found <= MOST_ENTRIES:
        problem = f"{what} has {found:,} entries"
        raise SpecError(problem, at=formula.at, remedy=f"expected from 1 to {MOST_ENTRIES:,}")
    return found
