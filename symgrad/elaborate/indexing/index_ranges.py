"""Which axis each index of an index notation runs over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.axes import Axis
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.indexing.affine import affine_terms
from symgrad.spec.language.indexing.digits import digits_of, takes_digits
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node
from symgrad.spec.language.trees import walk
from symgrad.spec.model import EquationSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Tensor
    from symgrad.spec.language.declared_ranges import Range


def declared_axes(ranges: Iterable[Range], axis_of: Callable[[str, Node], Axis]) -> dict[str, Axis]:
    """The axes of the indices that are given ranges; `axis_of` an index and the formula of its size.

    Raises:
        SpecError: a range is no size, or an index has two.
    """
    axes: dict[str, Axis] = {}
    for name, size in ranges:
        axis = axis_of(name, size)
        if not axes.setdefault(name, axis).fits(axis):
            raise SpecError(
                f"index '{name}' is given the ranges {axes[name]} and {axis}",
                at=size.at,
                remedy="use two index names",
            )
    return axes


def index_axes(
    source: EquationSpec | Call, tensors: Mapping[str, Tensor], known: Mapping[str, Axis]
) -> dict[str, Axis]:
    """The axis of every index named in a formula; `known` are declared, or those of the formula around it.

    An index that stands alone runs over the axis it indexes, a known one over its first entries; one that
    occurs only in affine forms, `X[2*i + u]`, runs as far as that axis allows for every value of the others.

    Raises:
        ShapeError: an index runs over two different axes, or over none.
    """
    formula = source.formula if isinstance(source, EquationSpec) else source
    uses = list(_uses(formula, tensors))
    axes = dict(known)
    owners: dict[str, str] = {}
    for tensor, node, axis in uses:
        if not isinstance(node, Name):
            continue
        seen = axes.setdefault(node.id, axis)
        owner = owners.setdefault(node.id, tensor)
        is_part = node.id in known and seen.size is not None and seen.size < (axis.size or 0)
        if not seen.is_alike(axis) and not is_part:
            there, remedy = f" in '{owner}'", "use two index names"
            if node.id in known:
                there, remedy = "", "give it a range no longer than the axis, of the same name if it has one"
            raise ShapeError(
                f"index '{node.id}' runs over {seen}{there} and over {axis} in '{tensor}'",
                at=node.at,
                remedy=remedy,
            )
    while found := _ranges([(node, axis) for _, node, axis in uses], axes):
        axes |= found
    _demand_all(source, axes)
    return axes


def _uses(formula: Node, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Node, Axis]]:
    for node in walk(formula):
        if isinstance(node, Index) and node.tensor in tensors:
            for index, axis in zip(node.indices, tensors[node.tensor].axes, strict=False):
                yield node.tensor, index, axis


def _ranges(uses: Sequence[tuple[Node, Axis]], axes: Mapping[str, Axis]) -> dict[str, Axis]:
    """The ranges of indices that stand in affine forms with known ones: as far as all of these allow."""
    found: dict[str, Axis] = {}
    for node, axis in uses:
        for name, size in _limit(node, axis, axes):
            narrower = min(size, found[name].size or size) if name in found else size
            found[name] = Axis(None, narrower)
    return found


def _limit(node: Node, axis: Axis, axes: Mapping[str, Axis]) -> Iterator[tuple[str, int]]:
    """The range of the one index of unknown range in an affine form or a quotient, if there is one."""
    if not isinstance(node, Binary) or axis.size is None:
        return
    if takes_digits(node):
        digits = digits_of(node, {n.id for n in walk(node) if isinstance(n, Name)} - axes.keys(), {})
        if digits is not None and digits.high is None:
            yield digits.index, axis.size * digits.low
        return
    terms = affine_terms(node)
    unknown = [name for name in terms if name and name not in axes]
    if len(unknown) != 1 or terms[unknown[0]] < 1:
        return
    reach = terms.get("", 0)
    for name, factor in terms.items():
        if name and name in axes:
            size = axes[name].size
            if size is None:
                return
            reach += max(factor * (size - 1), 0)
    size = (axis.size - 1 - reach) // terms[unknown[0]] + 1
    if size < 1:
        raise ShapeError(
            f"no value of '{unknown[0]}' keeps this index inside the axis {axis}",
            at=node.at,
            remedy="make the axis longer, or the others shorter",
        )
    yield unknown[0], size


def _demand_all(source: EquationSpec | Call, axes: Mapping[str, Axis]) -> None:
    if isinstance(source, EquationSpec):
        named = [(name, source.at) for name in source.indices or ()]
        form = f"{source.name}[{', '.join(f'{n}:10' if n not in axes else n for n in source.indices or ())}]"
    else:
        named = [(node.id, node.at) for node in source.arguments[1:] if isinstance(node, Name)]
        form = f"{source.function}(..., {', '.join(f'{n}=10' for n, _ in named if n not in axes)})"
    for name, at in named:
        if name not in axes:
            raise ShapeError(
                f"the range of index '{name}' is not known",
                at=at,
                remedy=f"let it index a tensor alone, X[..., {name}], or give its range: {form}",
            )
