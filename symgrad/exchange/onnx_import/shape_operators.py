"""Operators that lay arrays out otherwise: axes named anew, entries chosen, lengths as numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    PRODUCT,
    SUM,
    AlongAxis,
    AppliedFormula,
    FixedNumber,
    ReadValue,
    TensorEntry,
    Tree,
    WholeFormula,
    moved,
)
from symgrad.exchange.onnx_import.spec_builder import base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.onnx_graph import Dim, OnnxNode
    from symgrad.exchange.onnx_import.spec_builder import SpecBuilder

_END = 2**31 - 1
_MOST_CHOSEN = 10_000
"""Entries of a matrix of 0 and 1 that chooses columns: what is larger cannot be read."""


def axes_in(build: SpecBuilder, node: OnnxNode, number: int) -> tuple[int, ...]:
    """The axes that a node is told, in an attribute or as an input; nothing where it is told none."""
    given = build.array(node, number)
    return tuple(map(int, node.attributes.get("axes", ()) if given is None else given.ravel()))


def known_result(node: OnnxNode, given: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """What an operator makes of lengths of axes, some of which are names; None where that is not known."""
    first = given[0]
    try:
        match node.operator:
            case "Identity" | "Cast":
                return first
            case "Gather":
                return np.asarray(np.take(first, given[1].astype(int), axis=node.attributes.get("axis", 0)))
            case "Concat":
                return np.concatenate(given)
            case "Squeeze":
                return first.reshape(())
            case "Unsqueeze":
                return first.reshape(1)
            case "Slice" if len(given) > 2:
                return first[int(given[1].item()) : min(int(given[2].item()), _END)]
    except (IndexError, TypeError, ValueError):
        return None
    return None


def _reshaped(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value = build.input(node, 0)
    wanted = build.array(node, 1)
    lengths = list(node.attributes.get("shape", ())) if wanted is None else wanted.ravel().tolist()
    sizes = [value.shape[k] if size == 0 and k < len(value.shape) else size for k, size in enumerate(lengths)]
    return _laid_out(build, node, value, _completed(value.shape, sizes))


def _completed(shape: Sequence[Dim], sizes: list[Dim]) -> tuple[Dim, ...]:
    """The shape meant, where -1 stands for what is left."""
    if -1 not in sizes:
        return tuple(sizes)
    rest = list(shape)
    for size in sizes:
        if size in rest and size != -1:
            rest.remove(size)
    whole = [size for size in rest if isinstance(size, int)]
    names = [size for size in rest if isinstance(size, str)]
    left: Dim = names[0] if len(names) == 1 and math.prod(whole) == 1 else -1
    if not names:
        known = math.prod(size for size in shape if isinstance(size, int))
        left = known // max(math.prod(s for s in sizes if isinstance(s, int) and s != -1), 1)
    return tuple(left if size == -1 else size for size in sizes)


def _flattened(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value, axis = build.input(node, 0), node.attributes.get("axis", 1)
    parts = value.shape[:axis], value.shape[axis:]
    lengths = [_one_length(part) for part in parts]
    return _laid_out(build, node, value, tuple(-1 if length is None else length for length in lengths))


def _one_length(part: Sequence[Dim]) -> Dim | None:
    names = [size for size in part if isinstance(size, str)]
    whole = math.prod(size for size in part if isinstance(size, int))
    return whole if not names else names[0] if len(names) == 1 and whole == 1 else None


def _laid_out(build: SpecBuilder, node: OnnxNode, value: ReadValue, shape: tuple[Dim, ...]) -> ReadValue:
    """The value in another shape: all axes but the first as one, or other axes of length 1."""
    rest = value.shape[1:]
    if len(rest) > 1 and shape == (value.shape[0], _one_length(rest)):
        name, value = build.whole(value, build.called(node, 0))
        return ReadValue(shape, WholeFormula(f"flatten({name})", ATOM, (0, 1), shape))
    kept = [axis for axis, size in enumerate(value.shape) if size != 1]
    there = [axis for axis, size in enumerate(shape) if size != 1]
    if [value.shape[axis] for axis in kept] != [shape[axis] for axis in there]:
        node.refuse(
            f"makes {_brackets(shape)} of {_brackets(value.shape)}",
            "only axes of length 1 may come and go, and all axes of a row be one",
        )
    to: dict[int, Tree] = dict.fromkeys(range(len(value.shape)), FixedNumber(0))
    return ReadValue(shape, moved(value.tree, to | dict(zip(kept, map(AlongAxis, there), strict=True))))


def _brackets(shape: Sequence[Dim]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _unsqueezed(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value, axes = build.input(node, 0), axes_in(build, node, 1)
    rank = len(value.shape) + len(axes)
    new = {axis % rank for axis in axes}
    rest = iter(value.shape)
    return _laid_out(build, node, value, tuple(1 if axis in new else next(rest) for axis in range(rank)))


def _squeezed(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value, axes = build.input(node, 0), axes_in(build, node, 1)
    rank = len(value.shape)
    gone = {axis % rank for axis in axes} or {axis for axis, size in enumerate(value.shape) if size == 1}
    return _laid_out(
        build, node, value, tuple(size for axis, size in enumerate(value.shape) if axis not in gone)
    )


def _transposed(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value = build.input(node, 0)
    order = node.attributes.get("perm", list(range(len(value.shape)))[::-1])
    if sorted(order) != list(range(len(value.shape))):
        node.refuse(f"orders {len(value.shape)} axes as {order}")
    to: Mapping[int, Tree] = {axis: AlongAxis(place) for place, axis in enumerate(order)}
    return ReadValue(tuple(value.shape[axis] for axis in order), moved(value.tree, to))


def _expanded(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """Along axes that are longer now, the same entry."""
    value, lengths = build.input(node, 0), build.array(node, 1)
    shape = () if lengths is None else tuple(lengths.ravel().tolist())
    wide = build.applied(node, "{}{}", [value, ReadValue(shape, FixedNumber(0))]).shape
    to: dict[int, Tree] = {k: AlongAxis(k + len(wide) - len(value.shape)) for k in range(len(value.shape))}
    return ReadValue(wide, moved(value.tree, to))


def _range(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    start, length, step = (build.array(node, number) for number in range(3))
    if start is None or length is None or step is None or start.item() != 0 or step.item() != 1:
        node.refuse("counts otherwise than 0, 1, 2, ...")
    return ReadValue((length.item(),), AlongAxis(0))


def _gathered(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """Entries along an axis: at one place, at some, or at those that labels say."""
    value, name = build.input(node, 0), node.inputs[1]
    axis = node.attributes.get("axis", 0) % max(len(value.shape), 1)
    if name not in build.known:
        return _looked_up(build, node, value, axis, build.values[name])
    places, size = build.known[name], value.shape[axis]
    if places.ndim > 1 or not isinstance(size, int) or not (np.abs(places) <= size).all():
        node.refuse("looks up more than one row of places", "expected a place, or a list of them")
    if places.ndim == 1:
        return chosen(build, node, value, axis, [int(place) % size for place in places])
    to: dict[int, Tree] = {k: AlongAxis(k - (k > axis)) for k in range(len(value.shape))}
    value = _with_entries(build, node, value)
    tree = moved(value.tree, to | {axis: FixedNumber(int(places) % size)})
    return ReadValue((*value.shape[:axis], *value.shape[axis + 1 :]), tree)


def _looked_up(
    build: SpecBuilder, node: OnnxNode, table: ReadValue, axis: int, labels: ReadValue
) -> ReadValue:
    table, labels = _with_entries(build, node, table), build.stored(labels, "labels")
    count = len(labels.shape)
    _declare_labels(build, node, labels.tree, table.shape[axis])
    to: dict[int, Tree] = {k: AlongAxis(k if k < axis else k + count - 1) for k in range(len(table.shape))}
    places = moved(labels.tree, {k: AlongAxis(axis + k) for k in range(count)})
    shape = (*table.shape[:axis], *labels.shape, *table.shape[axis + 1 :])
    return ReadValue(shape, moved(table.tree, to | {axis: places}))


def _with_entries(build: SpecBuilder, node: OnnxNode, value: ReadValue) -> ReadValue:
    """The value as a tensor, whose entries can be chosen."""
    return build.stored(value, build.called(node, 0))


def _declare_labels(build: SpecBuilder, node: OnnxNode, tree: Tree, size: Dim) -> None:
    """Note that an input of whole numbers says which entries of an axis are meant."""
    if not isinstance(tree, TensorEntry) or not isinstance(size, int):
        return
    declared = {tensor: name for name, tensor in build.inputs.items()}
    name = declared.get(tree.tensor)
    kinds = {tensor.name: tensor.kind for tensor in build.graph.inputs}
    if name is None or kinds[name] not in "iu":
        node.refuse("looks up by numbers that are computed", "expected an input of whole numbers")
    build.classes[name] = max(size, build.classes.get(name, 0))


def _gathered_nd(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """Entries whose indices the node before it put side by side."""
    table, places = build.input(node, 0), build.tuples.get(node.inputs[1])
    if places is None or len(places) != len(table.shape) or node.attributes.get("batch_dims"):
        node.refuse("looks up by places that are computed")
    table = _with_entries(build, node, table)
    for place, size in zip(places, table.shape, strict=True):
        _declare_labels(build, node, place.tree, size)
    rank = max(len(place.shape) for place in places) - 1
    shape = tuple(next((p.shape[axis] for p in places if p.shape[axis] != 1), 1) for axis in range(rank))
    return ReadValue(shape, moved(table.tree, {k: place.tree for k, place in enumerate(places)}))


def _sliced(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value = build.input(node, 0)
    told = [build.array(node, number) for number in range(1, 5)]
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        [int(n) for n in (node.attributes.get(name, ()) if given is None else given.ravel())]
        for name, given in zip(names, told, strict=True)
    )
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = (axes[k] if axes else k) % len(value.shape)
        size, step = value.shape[axis], steps[k] if steps else 1
        if isinstance(size, str):
            if (start, step) != (0, 1) or end < _END:
                node.refuse(f"takes some of the rows along '{size}'")
            continue
        places = list(range(size))[start:end:step]
        value = value if places == list(range(size)) else chosen(build, node, value, axis, places)
    return value


def _split(build: SpecBuilder, node: OnnxNode) -> list[ReadValue]:
    value, axis = build.input(node, 0), node.attributes.get("axis", 0)
    axis %= len(value.shape)
    size, given = value.shape[axis], build.array(node, 1)
    if isinstance(size, str):
        node.refuse(f"splits the rows along '{size}'")
    count = len(node.outputs)
    equal = [min(-(-size // count), size - k * -(-size // count)) for k in range(count)]
    lengths = [int(n) for n in (node.attributes.get("split", equal) if given is None else given.ravel())]
    starts = np.cumsum([0, *lengths]).tolist()
    value = _with_entries(build, node, value)
    return [
        chosen(build, node, value, axis, list(range(start, start + length)))
        for start, length in zip(starts, lengths, strict=False)
    ]


def chosen(build: SpecBuilder, node: OnnxNode, value: ReadValue, axis: int, places: list[int]) -> ReadValue:
    """Some entries along an axis: at equal distances by their indices, else by a matrix of 0 and 1."""
    size = value.shape[axis]
    if not isinstance(size, int) or not places or max(places) >= size:
        node.refuse(f"chooses places along an axis of length {size}")
    start, step = places[0], places[1] - places[0] if len(places) > 1 else 1
    if step < 1 or places != list(range(start, start + step * len(places), step)):
        return _placed(build, node, value, axis, np.eye(size)[:, places])
    value = _with_entries(build, node, value)
    shape = (*value.shape[:axis], len(places), *value.shape[axis + 1 :])
    if len(places) == 1:
        return ReadValue(shape, moved(value.tree, {axis: FixedNumber(start)}))
    index: Tree = AlongAxis(axis)
    if step > 1:
        index = AppliedFormula("{} * {}", PRODUCT, (PRODUCT, PRODUCT), (FixedNumber(step), index))
    if start:
        index = AppliedFormula("{} + {}", SUM, (SUM, SUM), (index, FixedNumber(start)))
    return build.indexed(ReadValue(shape, moved(value.tree, {axis: index})), base_name(node.outputs[0], node))


def _placed(
    build: SpecBuilder, node: OnnxNode, value: ReadValue, axis: int, matrix: NDArray[Any]
) -> ReadValue:
    if matrix.size > _MOST_CHOSEN:
        node.refuse(f"chooses {matrix.shape[1]} of {matrix.shape[0]} entries, more than a spec can show")
    wanted = base_name(node.outputs[0], node)
    rank = len(value.shape)
    name = next((n for n, c in build.constants.items() if np.array_equal(c, matrix)), "")
    if name:
        choice = ReadValue(matrix.shape, TensorEntry(name, (AlongAxis(0), AlongAxis(1)), matrix.shape))
    else:
        choice = build.given(build.constants, f"{wanted}_columns", matrix)
    text, value = build.whole(value, f"{wanted}_in") if axis == rank - 1 else (None, value)
    if text is not None and isinstance(choice.tree, TensorEntry) and len(choice.tree.indices) == 2:
        shape = (*value.shape[:-1], matrix.shape[1])
        return ReadValue(shape, WholeFormula(f"{text} @ {choice.tree.tensor}", 2, tuple(range(rank)), shape))
    letters = [f"a{k}" for k in range(rank)]
    result = ["new" if k == axis else letter for k, letter in enumerate(letters)]
    return build.product([value, choice], [letters, [letters[axis], "new"]], result)


def _joined(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """Arrays side by side: each brought to its columns, and added up. Indices are kept for GatherND."""
    takers = [other.operator for other in build.graph.nodes if node.outputs[0] in other.inputs]
    values = [build.input(node, number) for number in range(len(node.inputs))]
    if takers == ["GatherND"]:
        build.tuples[node.outputs[0]] = values
        return ReadValue((), FixedNumber(0))
    if len(values) == 1:
        return values[0]
    rank = len(values[0].shape)
    axis = node.attributes.get("axis", 0) % max(rank, 1)
    sizes = [value.shape[axis] for value in values]
    if not all(isinstance(size, int) for size in sizes):
        node.refuse("puts rows below each other", "expected columns side by side")
    names = []
    for number, value in enumerate(values):
        name, _ = build.whole(value, build.called(node, number))
        names.append(name)
    shape = (*values[0].shape[:axis], sum(map(int, sizes)), *values[0].shape[axis + 1 :])
    formula = f"concat({', '.join(names)}{'' if axis == rank - 1 else f', axis={axis}'})"
    return ReadValue(shape, WholeFormula(formula, ATOM, tuple(range(rank)), shape))


Layout: TypeAlias = "Callable[[SpecBuilder, OnnxNode], ReadValue | list[ReadValue]]"
SHAPES: dict[str, Layout] = {
    "Reshape": _reshaped,
    "Flatten": _flattened,
    "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
    "Expand": _expanded,
    "Range": _range,
    "Gather": _gathered,
    "GatherND": _gathered_nd,
    "Slice": _sliced,
    "Split": _split,
    "Concat": _joined,
}
