"""What calls give that are not followed: to Python, NumPy, memory, BLAS, and to what only checks."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from symgrad.verifier.static.extents import UNKNOWN, EntryKind, FollowedFunction, SizedArray, Value
from symgrad.verifier.static.size_polynomials import Size, is_never_negative, new_symbol, product, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.verifier.static.obligations import Obligations

    Model: TypeAlias = Callable[..., Value]

_ONE = whole(1)
_LONG = 16
"""Numbers of a range that are looked at one by one."""


@dataclass(frozen=True)
class FollowedModule:
    """A text's constants, the arrays and the state that callers give it, as they are after the checks.

    `called` follows a function of the text by its name.
    """

    facts: Mapping[str, Value]
    inputs: Mapping[str, SizedArray]
    state: tuple[SizedArray, ...]
    obligations: Obligations
    called: Callable[[str, Sequence[Value]], Value]


def inputs_of(facts: Mapping[str, Value]) -> dict[str, SizedArray]:
    """The arrays that callers give, after the checks."""
    least = facts["LEAST_SIZES"]
    free = {axis: new_symbol(axis, [least.get(axis, _ONE)]) for axis in facts["FREE_AXES"]}
    found = {}
    for name, axes in facts["AXES"].items():
        shape = tuple(free[axis] if isinstance(axis, str) else axis for axis in axes)
        found[name] = SizedArray(shape or (_ONE,), _labels(facts, name))
    return found


def _labels(facts: Mapping[str, Value], name: str) -> tuple[Size, Size] | None:
    count = facts["CLASSES"].get(name)
    return None if count is None else (whole(0), count - _ONE)


def state_of(tree: ast.Module, facts: Mapping[str, Value]) -> tuple[SizedArray, ...]:
    """The optimiser's state after its check: the step, and a vector for each other field."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "State":
            names = [
                n.target.id
                for n in node.body
                if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            ]
            size = facts.get("TRAINED_SIZE", facts["SIZE"])
            counter = whole(2) if "KEY" in facts else _ONE
            return tuple(SizedArray((counter if name == "step" else size,)) for name in names)
    return ()


def _given(module: FollowedModule, names: Value, *_: Value) -> Value:
    axes, arrays = module.facts["AXES"], module.inputs
    if not isinstance(names, tuple):
        return UNKNOWN
    sizes = {
        axis: size
        for name in names
        for axis, size in zip(axes[name], arrays[name].shape, strict=False)
        if isinstance(axis, str)
    }
    free = [sizes.get(axis, _ONE) for axis in module.facts["FREE_AXES"]]
    return tuple(arrays[name] for name in names), module.called("_sizes", free)


def _most_rows(*_: Value) -> Value:
    return new_symbol("the most rows of a share", [_ONE])


def _own_rows(_: FollowedModule, __: Value, batch: Value) -> Value:
    """Some of the rows of a batch, one at least where they are looked at."""
    if not isinstance(batch, SizedArray):
        return UNKNOWN
    return batch.of_shape((new_symbol("the rows of a share", [_ONE]),))


def _point(_: FollowedModule, __: Value, theta: Value, *___: Value) -> Value:
    """A vector as long as that of the parameters, or this."""
    return theta


def _parameters(module: FollowedModule, *_: Value) -> Value:
    return SizedArray((module.facts["SIZE"],))


def _kept(_: FollowedModule, __: Value, size: Value) -> Value:
    return SizedArray((size,)) if isinstance(size, Size) else UNKNOWN


def _whole(_: FollowedModule, name: Value, __: Value, least: Value, *___: Value) -> Value:
    return new_symbol(str(name), [least])


def _checked_order(_: FollowedModule, __: Value, rows: Value) -> Value:
    entries = (whole(0), rows - _ONE) if isinstance(rows, Size) else None
    return SizedArray((new_symbol("the rows in order", [_ONE]),), entries)


def _view(module: FollowedModule, vector: Value, start: Value, shape: Value) -> Value:
    if not (isinstance(vector, SizedArray) and isinstance(shape, tuple)):
        module.obligations.leave()
        return UNKNOWN
    module.obligations.part_of(vector, start, shape)
    return vector.of_shape(shape) if all(isinstance(size, Size) for size in shape) else UNKNOWN


def _copy(
    module: FollowedModule, source: Value, start: Value, target: Value, place: Value, count: Value
) -> Value:
    for array, first in ((source, start), (target, place)):
        _prefetch(module, array, first, count)
    return UNKNOWN


def _prefetch(module: FollowedModule, array: Value, start: Value, count: Value) -> Value:
    if isinstance(array, SizedArray):
        module.obligations.part_of(array, start, [count])
    else:
        module.obligations.leave()
    return UNKNOWN


def _gemm(module: FollowedModule, _: Value, a: Value, b: Value, __: Value, c: Value) -> Value:
    if not all(isinstance(array, SizedArray) for array in (a, b, c)):
        module.obligations.leave()
        return UNKNOWN
    module.obligations.equal(a.shape[-1:], b.shape[:1], "what a product sums over")
    module.obligations.equal((*a.shape[:-1], *b.shape[1:]), c.shape, "the shape of a product")
    return UNKNOWN


def _in_parts(module: FollowedModule, pass_: Value, turns: Value, _: Value, given: Value) -> Value:
    """Some turns of a pass, one or more of all."""
    if isinstance(pass_, FollowedFunction) and isinstance(turns, Size) and isinstance(given, tuple):
        start = new_symbol("the first turn of a part", [whole(0)], [turns - _ONE])
        stop = new_symbol("the turn behind a part", [start + _ONE], [turns])
        return module.called(pass_.node.name, (*given, start, stop))
    module.obligations.leave()
    return UNKNOWN


def _least(module: FollowedModule, *numbers: Value) -> Value:
    if not all(isinstance(number, Size) for number in numbers):
        return UNKNOWN
    is_positive = all(is_never_negative(number - _ONE, module.obligations.known) for number in numbers)
    return new_symbol("the least", [_ONE] if is_positive else [], numbers, numbers)


def _greatest(_: FollowedModule, *numbers: Value) -> Value:
    is_known = all(isinstance(number, Size) for number in numbers)
    return new_symbol("the greatest", numbers, choices=numbers) if is_known else UNKNOWN


def _itself(_: FollowedModule, value: Value, *__: Value) -> Value:
    return value


def _length(_: FollowedModule, value: Value) -> Value:
    match value:
        case SizedArray():
            return value.shape[0]
        case tuple():
            return whole(len(value))
    return UNKNOWN


def _pairs(_: FollowedModule, *values: Value) -> Value:
    return tuple(zip(*values, strict=False)) if all(isinstance(v, tuple) for v in values) else UNKNOWN


def _new(_: FollowedModule, shape: Value, *others: Value) -> Value:
    kind = next((other for other in others if isinstance(other, EntryKind)), EntryKind())
    sizes = shape if isinstance(shape, tuple) else (shape,)
    return SizedArray(sizes, kind.entries) if all(isinstance(size, Size) for size in sizes) else UNKNOWN


def _counted(_: FollowedModule, count: Value) -> Value:
    return SizedArray((count,), (whole(0), count - _ONE)) if isinstance(count, Size) else UNKNOWN


def _moved(_: FollowedModule, array: Value, source: Value, target: Value) -> Value:
    match array, source, target:
        case SizedArray(), Size(number=int(here)), Size(number=int(there)):
            order = list(range(len(array.shape)))
            order.insert(there % len(order), order.pop(here))
            return array.of_shape(tuple(array.shape[axis] for axis in order))
    return UNKNOWN


def _reshaped(module: FollowedModule, array: Value, *shape: Value) -> Value:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    if not (isinstance(array, SizedArray) and all(isinstance(size, Size) for size in sizes)):
        return UNKNOWN
    if [size.number for size in sizes] == [-1]:
        return array.of_shape((array.size,))
    if any(size.number == -1 for size in sizes):
        return UNKNOWN
    module.obligations.equal((array.size,), (product(sizes),), "the numbers of an array in another shape")
    return array.of_shape(sizes)


def _transposed(_: FollowedModule, array: Value, *axes: Value) -> Value:
    order = [axis.number if isinstance(axis, Size) else None for axis in axes]
    if not isinstance(array, SizedArray) or None in order:
        return UNKNOWN
    return array.of_shape(tuple(array.shape[axis] for axis in order if axis is not None))


def _numbers(_: FollowedModule, *ends: Value) -> Value:
    """The numbers of a short range, where its ends are known."""
    found = [end.number for end in ends if isinstance(end, Size) and end.number is not None]
    known = range(*found) if len(found) == len(ends) else range(_LONG + 1)
    return tuple(map(whole, known)) if len(known) <= _LONG else UNKNOWN


def _setting(module: FollowedModule, setting: Value) -> Value:
    """Times, and a vector of all hyper-parameters."""
    if not isinstance(setting, tuple):
        return UNKNOWN
    return *(new_symbol("a time", [whole(0)]) for _ in setting[1:]), _hyper_vector(module)


def _hyper_vector(module: FollowedModule, *_: Value) -> Value:
    return SizedArray((whole(len(module.facts["HYPER"])),))


def _dict(_: FollowedModule, pairs: Value) -> Value:
    return dict(pairs) if isinstance(pairs, tuple) else UNKNOWN


def _items(_: FollowedModule, known: Value) -> Value:
    return tuple(known.items()) if isinstance(known, dict) else UNKNOWN


def _values(_: FollowedModule, known: Value) -> Value:
    return tuple(known.values()) if isinstance(known, dict) else UNKNOWN


def _key(*_: Value) -> Value:
    """What numbers are drawn by."""
    return tuple(new_symbol(name, [whole(0)]) for name in ("a seed", "a step", "rows before"))


def _unknown(*_: Value) -> Value:
    return UNKNOWN


MODULE: Mapping[str, Model] = {
    "_given": _given,
    "_most_rows": _most_rows,
    "_point": _point,
    "_own_rows": _own_rows,
    "flatten": _parameters,
    "_writable_vector": _parameters,
    "_as_vector": _parameters,
    "unflatten": _unknown,
    "_kept": _kept,
    "_memory_of": _kept,
    "_whole": _whole,
    "_checked_order": _checked_order,
    "_setting": _setting,
    "_hyper_vector": _hyper_vector,
    "dict": _dict,
    "range": _numbers,
    "view": _view,
    "_array": _view,
    "copy": _copy,
    "prefetch": _prefetch,
    "draw": _unknown,
    "_key": _key,
    "_drawn_by": _key,
    "in_parts": _in_parts,
    "gemm": _gemm,
    "masked_gemm": _gemm,
    "min": _least,
    "max": _greatest,
    "len": _length,
    "tuple": _itself,
    "list": _itself,
    "int": _itself,
    "zip": _pairs,
}
"""By the names that a module calls."""

NUMPY: Mapping[str, Model] = {
    "empty": _new,
    "zeros": _new,
    "full": _new,
    "arange": _counted,
    "moveaxis": _moved,
    "ascontiguousarray": _itself,
    "atleast_1d": _itself,
}

METHODS: Mapping[str, Model] = {
    "reshape": _reshaped,
    "copy": _itself,
    "transpose": _transposed,
    "items": _items,
    "values": _values,
}
