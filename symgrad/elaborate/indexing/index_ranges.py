"""Which axis each index of an index notation runs over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.axes import Axis
from symgrad.elaborate.scope import unknown_name
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.indexing.affine import affine_terms
from symgrad.spec.language.indexing.digits import digits_of, takes_digits
from symgrad.spec.language.sizes.size_forms import is_never_negative, may_hold
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node
from symgrad.spec.language.trees import calls, names_in, walk
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import EquationSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Tensor
    from symgrad.spec.language.declared_ranges import Range
    from symgrad.spec.language.sizes.size_forms import Whole
    from symgrad.spec.model import EachStep


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
    source: EquationSpec | Call, tensors: Mapping[str, Tensor], known: Mapping[str, Axis], rows: str
) -> dict[str, Axis]:
    """The axis of every index named in a formula; `known` are declared, or those of the formula around it,
    and `rows` is the axis of rows.

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
        is_part = node.id in known and axis.name != rows and _is_longer(axis, seen)
        if not seen.is_alike(axis) and not is_part:
            there, remedy = f" in '{owner}'", "use two index names"
            if node.id in known:
                there, remedy = "", "give it a range no longer than the axis, of the same name if it has one"
            raise ShapeError(
                f"index '{node.id}' runs over {seen}{there} and over {axis} in '{tensor}'",
                at=node.at,
                remedy=remedy,
            )
    sizes = {str(a.name): a.whole for t in tensors.values() for a in t.axes if a.is_free and a.form is None}
    within = [(node, axis) for _, node, axis in uses if axis.name is None or axis.name != rows]
    while found := _ranges(within, axes, sizes):
        axes |= found
    _demand_all(source, axes, tensors, rows)
    return axes


def demand_indices(equation: EquationSpec, each: EachStep) -> None:
    """Demand that a left side that takes axes whole has all indices of its formula: not `p[n, :J]: x[n, j]`.

    Raises:
        SpecError: naming the left side that has them.
    """
    bound = {each.index, *(name for call in calls(equation.formula) for name in _named_by(call))}
    entries = [node for node in walk(equation.formula) if isinstance(node, Index)]
    loose = [p for node in entries for p in node.indices if isinstance(p, Name) and p.id not in bound]
    whole = [size for number, size in enumerate(each.sizes) if number != each.along]
    names = list(dict.fromkeys(place.id for place in loose))
    if names and len(names) == len(whole):
        ranged = [n if size is None else f"{n}:{unparse(size)}" for n, size in zip(names, whole, strict=True)]
        left = ", ".join((*ranged[: each.along], each.index, *ranged[each.along :]))
        problem = f"'{equation.name}' has no index '{names[0]}': it takes that axis whole"
        raise SpecError(problem, at=loose[0].at, remedy=f"write {equation.name}[{left}] on the left")


def _named_by(call: Call) -> Iterator[str]:
    """What may be an index of a reduction: `sum(x[n, j], j)`, `sum(x[n, j], j=3)`."""
    yield from (node.id for node in call.arguments if isinstance(node, Name))
    yield from (name for name, _ in call.keywords)


def _is_longer(axis: Axis, seen: Axis) -> bool:
    """Whether an axis is longer than another, or may be by the data."""
    return not seen.fits(axis) and may_hold(axis.whole - seen.whole)


def _uses(formula: Node, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Node, Axis]]:
    for node in walk(formula):
        if isinstance(node, Index) and node.tensor in tensors:
            for index, axis in zip(node.indices, tensors[node.tensor].axes, strict=False):
                yield node.tensor, index, axis


def _ranges(
    uses: Sequence[tuple[Node, Axis]], axes: Mapping[str, Axis], sizes: Mapping[str, Whole]
) -> dict[str, Axis]:
    """The ranges of indices that stand in affine forms with known ones: as far as all of these allow."""
    found: dict[str, Axis] = {}
    for node, axis in uses:
        for name, size in _limit(node, axis, axes, sizes):
            narrower = _narrower(size, found[name].whole, node) if name in found else size
            found[name] = Axis.of(narrower)
    return found


def _narrower(size: Whole, other: Whole, node: Node) -> Whole:
    """The smaller of two sizes.

    Raises:
        ShapeError: only the data decides which it is.
    """
    for one, longer in ((size, other), (other, size)):
        if is_never_negative(longer - one):
            return one
    problem = (
        f"an index of this has {size} and {other} entries to run over; only the data says which are fewer"
    )
    raise ShapeError(problem, at=node.at, remedy="give it its range: Y[n, i:T] or sum(..., i=T)")


def _limit(
    node: Node, axis: Axis, axes: Mapping[str, Axis], sizes: Mapping[str, Whole]
) -> Iterator[tuple[str, Whole]]:
    """The range of the one index of unknown range in an affine form or a quotient, if there is one."""
    if not isinstance(node, Binary):
        return
    if takes_digits(node):
        digits = digits_of(node, {n.id for n in walk(node) if isinstance(n, Name)} - axes.keys(), {})
        if digits is not None and digits.high is None:
            yield digits.index, axis.whole * digits.low
        return
    terms = affine_terms(node)
    unknown = [name for name in terms if name and name not in axes and name not in sizes]
    if len(unknown) != 1 or terms[unknown[0]] < 1:
        return
    reach: Whole = terms.get("", 0)
    for name, factor in terms.items():
        if name in axes:
            reach = reach + max(factor, 0) * (axes[name].whole - 1)
        elif name in sizes:
            reach = reach + factor * sizes[name]
    size = (axis.whole - 1 - reach) // terms[unknown[0]] + 1
    if not may_hold(size - 1):
        raise ShapeError(
            f"no value of '{unknown[0]}' keeps this index inside the axis {axis}",
            at=node.at,
            remedy="make the axis longer, or the others shorter",
        )
    yield unknown[0], size


def _size_to_say(name: str, tensors: Mapping[str, Tensor], rows: str) -> str:
    """What the range of an index may be: the named axis that has its letter, the rows for n, or a number."""
    named = [axis.name for t in tensors.values() for axis in t.axes if axis.name and axis.form is None]
    of_letter = next((n for n in named if n and n.lower() == name.lower()), "")
    return of_letter or (name == "n" and rows) or "10"


def _remedy(source: EquationSpec | Call, name: str) -> str:
    """How an index of the formula gets its range; that of a whole tensor stands without indices."""
    if isinstance(source, EquationSpec) and _is_of_whole_tensors(source):
        return f"write the name alone, {source.shown}, where the formula gives a whole tensor"
    if isinstance(source, EquationSpec) and source.each is not None:
        return f"let it index a tensor that has steps, x[:, {name}]"
    return f"let it index a tensor alone, X[..., {name}]"


def _is_of_whole_tensors(equation: EquationSpec) -> bool:
    has_entries = any(isinstance(node, Index) for node in walk(equation.formula))
    return not has_entries and bool(names_in(equation.formula) - {*equation.index_names})


def _demand_all(
    source: EquationSpec | Call, axes: Mapping[str, Axis], tensors: Mapping[str, Tensor], rows: str
) -> None:
    if isinstance(source, EquationSpec):
        _demand_tensors(source, axes, tensors)
        named = [(name, source.at) for name in source.index_names]
        sizes = {name: _size_to_say(name, tensors, rows) for name in source.index_names}
        _, counter = source.solving or ("", "")
        written = [name for name in source.index_names if name != counter]
        left = [name if name in axes else f"{name}:{sizes[name]}" for name in written]
        if source.each is not None:
            whole = [":" if size is None else f":{unparse(size)}" for size in source.each.sizes]
            left = [*whole[: source.each.along], *left, *whole[source.each.along + 1 :]]
        form = f"{source.shown}[{', '.join(left)}]"
    else:
        named = [(node.id, node.at) for node in source.arguments[1:] if isinstance(node, Name)]
        form = f"{source.function}(..., {', '.join(f'{n}=10' for n, _ in named if n not in axes)})"
    for name, at in named:
        if name not in axes:
            raise ShapeError(
                f"the range of index '{name}' is not known",
                at=at,
                remedy=f"{_remedy(source, name)}, or give its range: {form}",
            )


def _demand_tensors(equation: EquationSpec, axes: Mapping[str, Axis], tensors: Mapping[str, Tensor]) -> None:
    """Say first that a tensor is not there, where that is why an index has no range."""
    for node in walk(equation.formula):
        if isinstance(node, Index) and node.tensor not in tensors and not axes.keys() >= names_in(node):
            written = [name for name, tensor in tensors.items() if tensor.kind != "carried"]
            raise unknown_name(Name(node.tensor, node.at), written, ())
