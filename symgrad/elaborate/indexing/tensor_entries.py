"""Index notation: which entry of a tensor `X[n, 2*i + u]` is, and that it always lies inside the tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis, is_inside, show_axes, span
from symgrad.calculus.terms import Entry, leading
from symgrad.errors import ShapeError, SpecError, did_you_mean
from symgrad.spec.language.indexing.affine import affine_terms
from symgrad.spec.language.sizes.size_forms import free_size
from symgrad.spec.language.syntax import Binary, Index, Name, Negate, Node, Number
from symgrad.spec.language.trees import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Tensor
    from symgrad.elaborate.operands import EquationBuilder


def entry_of(node: Index, index: Mapping[str, sp.Symbol], builder: EquationBuilder) -> Entry:
    """The entry an indexed name stands for; `index` are the loop indices by name.

    Raises:
        SpecError: an index that is none, or is not known.
        ShapeError: too many or too few indices, or one that leaves its axis.
    """
    tensor, name = builder.tensors[node.tensor], _as_written(node.tensor, builder)
    if len(node.indices) != len(tensor.axes):
        raise ShapeError(
            f"'{name}' is {show_axes(tensor.axes)}, it has {_counted(tensor.axes, 'axis', 'axes')} "
            f"and got {_counted(node.indices, 'index', 'indices')}",
            at=node.at,
            remedy="give one index per axis" if tensor.axes else f"write {name}",
        )
    places = [
        index_place(p, name, axis, index, builder) for p, axis in zip(node.indices, tensor.axes, strict=True)
    ]
    return Entry(node.tensor, places)


def _as_written(tensor: str, builder: EquationBuilder) -> str:
    """What a formula calls a tensor: what is carried from step to step bears the name of its source there."""
    while (found := builder.tensors.get(tensor)) is not None and found.carried is not None:
        tensor = found.carried.source
    return tensor


def _counted(things: tuple[object, ...], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def index_place(
    node: Node, tensor: str, axis: Axis, index: Mapping[str, sp.Symbol], builder: EquationBuilder
) -> sp.Expr:
    """The place on an axis of a tensor that an index is.

    Raises:
        SpecError, ShapeError: as `entry_of` does.
    """
    match node:
        case Name(name) if name not in index:
            remedy = did_you_mean(name, index) or "an index is named on the left or in a reduction"
            raise SpecError(f"unknown index '{name}'", at=node.at, remedy=remedy)
        case Index():
            return _label(node, tensor, axis, index, builder)
        case Name() | Number() | Binary() | Negate():
            return _affine(node, tensor, axis, index, builder)
    raise SpecError(
        "an index is a name, a whole number, an affine form or an integer entry",
        at=node.at,
        remedy="write X[n, 2*i + u], for example",
    )


def _label(
    node: Index, tensor: str, axis: Axis, index: Mapping[str, sp.Symbol], builder: EquationBuilder
) -> Entry:
    labels = builder.tensors.get(node.tensor)
    if labels is None or labels.classes is None:
        problem = f"'{node.tensor}' holds no integer labels, it cannot be an index"
        raise SpecError(problem, at=node.at, remedy=_labels_instead(labels, axis))
    if labels.ignore is not None:
        raise SpecError(
            f"the label {labels.ignore} of '{node.tensor}' means none, so it is no place in '{tensor}'",
            at=node.at,
            remedy=f"write sum(onehot({node.tensor}) * {tensor}, axis=-1), which is 0 there",
        )
    if axis.size != labels.classes:
        raise ShapeError(
            f"the labels '{node.tensor}' are below {labels.classes}, but '{tensor}' has {axis} there",
            at=node.at,
            remedy=f"the axis they index must have the size {labels.classes}",
        )
    return entry_of(node, index, builder)


def _labels_instead(tensor: Tensor | None, axis: Axis) -> str:
    """How to take entries by numbers that stand in a tensor without labels."""
    size = axis.size or 10
    if tensor is not None and tensor.kind == "constant":
        row = f"[{', '.join('01'[place == 2] for place in range(min(size, 4)))}{', ...' if size > 4 else ''}]"
        return (
            f"write sum(C[i, k] * w[k], k), with a constant C that has a row such as {row} for each number, "
            f"here for 2, or give the numbers as an input with classes: {size}"
        )
    if tensor is not None and tensor.kind in ("input", "target"):
        axes = ", ".join(map(str, (a.name or a.size for a in tensor.axes)))
        return f"declare its number of classes: {tensor.name}: {{axes: [{axes}], classes: {size}}}"
    return f"expected an input with classes: {size}; what is computed or learnt is no index"


def _affine(
    node: Node, tensor: str, axis: Axis, index: Mapping[str, sp.Symbol], builder: EquationBuilder
) -> sp.Expr:
    """An affine form, if it stays on the axis whatever its indices are."""
    terms = affine_terms(node)
    names = {**builder.free_sizes, **index}
    extents = {symbol: free_size(name) for name, symbol in builder.free_sizes.items()}
    for name in terms:
        if name and name not in names:
            remedy = did_you_mean(name, index) or "an index is named on the left or in a reduction"
            raise SpecError(f"unknown index '{name}'", at=node.at, remedy=remedy)
    form = sp.Add(*(factor * (names[name] if name else 1) for name, factor in terms.items()))
    if form in builder.axis_of and builder.axis_of[form].fits(axis):
        return form
    if axis.name == builder.rows != "":
        problem = f"this index is no row of '{tensor}', where '{axis}' are taken in batches"
        raise ShapeError(problem, at=node.at, remedy="write one index alone")
    lowest, highest = span(form, builder.axis_of, extents)
    if not is_inside(form, axis, builder.axis_of, extents):
        reason = f"it runs from {lowest} to {highest}" if lowest != highest else f"it is {lowest}"
        raise _outside(node, tensor, axis, reason)
    return leading(form)


def _outside(node: Node, tensor: str, axis: Axis, reason: str) -> ShapeError:
    remedy = f"expected one from 0 to {axis.whole - 1}"
    if any(isinstance(part, Name) for part in walk(node)):
        remedy += "; Y[n, i:3] or sum(..., i=3) gives an index a shorter range"
    return ShapeError(f"this index leaves the axis {axis} of '{tensor}': {reason}", at=node.at, remedy=remedy)
