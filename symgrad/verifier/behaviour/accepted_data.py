"""Which data a module takes and which it refuses, and whether it leaves the caller's arrays alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, DataCall, Kinds, first_line, kept, refusal, same, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.behaviour_case import BehaviourCase, DataTensor

_ROUNDING = 1e-5
"""Other memory is multiplied in another order; in float32 that shows."""


class Bad(NamedTuple):
    """A value to be refused: what it is, with which errors, how their messages begin and what they hold."""

    what: str
    value: Any
    kinds: Kinds
    words: tuple[str, ...]
    parts: tuple[str, ...] = ()


def refused(bench: Bench) -> Iterator[str]:
    """Every function refuses data of a wrong kind, shape or value by its name, and changes nothing."""
    for one in bench.each():
        for call in one.calls():
            yield from _refused_by(one, call)


def _refused_by(bench: Bench, call: DataCall) -> Iterator[str]:
    for place, tensor in enumerate(bench.case.tensors[: call.count]):
        for bad in (*bad_forms(bench, tensor, call.count), *bad_entries(bench, tensor)):
            if bad.value is None and call.may_lack(tensor.name):
                continue
            yield from _tried(bench, call, place, bad)
    if bench.case.batch:
        yield from _without_rows(bench, call)


def _tried(bench: Bench, call: DataCall, place: int, bad: Bad) -> Iterator[str]:
    data, params, state = bench.data(), bench.params(), bench.state() if call.trains else None
    before = kept((params, state))
    data[place] = bad.value
    what = f"{call.name}: {bench.case.tensors[place].name} {bad.what}"
    wrong = told(bad.kinds, bad.words, bad.parts, call, data, params, state)
    if wrong:
        yield f"{what} {wrong}"
    elif not same((params, state or ()), (before[0], before[1] or ())):
        yield f"{what} is refused, but parameters or state are changed"


def bad_forms(bench: Bench, tensor: DataTensor, count: int) -> Iterator[Bad]:
    """Values of a wrong kind or shape."""
    array, own = bench.numbers(tensor), (f"{tensor.name}:",)
    yield Bad("as None", None, TypeError, own)
    yield Bad("as text", array.astype(str), TypeError, own)
    yield Bad("as complex numbers", array + 1j, TypeError, own)
    yield Bad("as objects", array.astype(object), TypeError, own)
    yield Bad("as dates", np.zeros(array.shape, "datetime64[s]"), TypeError, own)
    yield Bad("as a masked array", np.ma.masked_array(array, np.zeros(array.shape, bool)), TypeError, own)
    yield Bad("as rows of different lengths", [[1.0], [1.0, 2.0]], ValueError, own)
    yield Bad("with an axis too many", array[..., None], ValueError, own)
    if array.ndim:
        yield Bad("with an axis too few", array[0], ValueError, own)
    for axis, size in enumerate(tensor.axes):
        longer = np.concatenate([array, np.take(array, [0], axis)], axis)
        if isinstance(size, int):
            yield Bad(f"with {size + 1} along axis {axis}", longer, ValueError, own)
        elif size and (len(others := _sharing(bench.case, size, count)) > 1 or tensor.axes.count(size) > 1):
            yield Bad(f"with other rows along '{size}'", longer, ValueError, others)


def _sharing(case: BehaviourCase, axis: str, count: int) -> tuple[str, ...]:
    return tuple(f"{t.name}:" for t in case.tensors[:count] if axis in t.axes)


def bad_entries(bench: Bench, tensor: DataTensor) -> Iterator[Bad]:
    """One entry, the first or the last, that is no number, or no label."""
    array, own = bench.numbers(tensor), (f"{tensor.name}:",)
    expected: tuple[str, ...] = ("finite number", str(bench.dtype))
    if tensor.classes is not None:
        expected = (
            f"from 0 to {tensor.classes - 1}",
            *([f"{tensor.ignore} for none"] * (tensor.ignore is not None)),
        )
    for value in _bad_values(bench, tensor):
        for place in {0, array.size - 1}:
            changed = array.astype(np.result_type(array.dtype, np.asarray(value).dtype))
            changed.reshape(-1)[place] = value
            where = ", ".join(map(str, np.unravel_index(place, array.shape)))
            at = (f"[{where}]",) if array.ndim else ()
            yield Bad(f"with {value} at entry {place}", changed, ValueError, own, (*at, *expected))
    yield from _rounded(bench, tensor)


def _rounded(bench: Bench, tensor: DataTensor) -> Iterator[Bad]:
    """Whole numbers that the module's type would take others for, signed and unsigned, small and large."""
    if tensor.classes is not None:
        return
    shape, digits = bench.numbers(tensor).shape, np.finfo(bench.dtype).nmant + 1
    values = (2**digits + 1, -(2**digits) - 1, 2**60 + 2 ** (60 - digits), 2**64 - 1)
    for value in values:
        changed = np.zeros(shape, np.uint64 if value > 2**63 else np.int64)
        for place in {0, changed.size - 1}:
            numbers = changed.copy()
            numbers.reshape(-1)[place] = value
            where = ", ".join(map(str, np.unravel_index(place, shape)))
            parts = (*((f"[{where}]",) if shape else ()), str(value), "whole number", str(bench.dtype))
            own = (f"{tensor.name}:",)
            yield Bad(f"with the whole number {value} at entry {place}", numbers, ValueError, own, parts)


def _bad_values(bench: Bench, tensor: DataTensor) -> list[Any]:
    if tensor.classes is not None:
        labels = [n for n in (-1, -2, tensor.classes, tensor.classes + 1) if n != tensor.ignore]
        return [np.nan, 0.5, 1e300, *labels]
    too_large = np.nextafter(np.longdouble(np.finfo(bench.dtype).max), np.inf) * 2
    return [np.nan, np.inf, -np.inf, *([too_large] if np.isfinite(too_large) else [])]


def _without_rows(bench: Bench, call: DataCall) -> Iterator[str]:
    axis, tensors = bench.case.batch, bench.case.tensors[: call.count]
    empty = [a[:0] if t.axes[:1] == (axis,) else a for a, t in zip(bench.data(), tensors, strict=False)]
    wrong = refusal(ValueError, _sharing(bench.case, axis, call.count), call, empty)
    if wrong:
        yield f"{call.name}: data without rows {wrong}"


def taken(bench: Bench) -> Iterator[str]:
    """Numbers in any form that holds them give what plain arrays give; the given arrays stay as they are."""
    for one in bench.each():
        for call in one.calls():
            yield from _taken_by(one, call)


def _taken_by(bench: Bench, call: DataCall) -> Iterator[str]:
    plain, tolerance = kept(call(bench.data())), _ROUNDING
    for place, tensor in enumerate(bench.case.tensors[: call.count]):
        for what, value in good_forms(tensor, bench.numbers(tensor)):
            data = bench.data()
            data[place] = value
            try:
                answer = call(data)
            except Exception as error:  # noqa: BLE001  # whatever it raises is its fault
                yield f"{call.name}: {tensor.name} {what} is refused: {first_line(error)}"
                continue
            if not same(answer, plain, tolerance):
                yield f"{call.name}: {tensor.name} {what} gives another answer than a plain array"
    yield from _held_whole(bench, call)
    yield from _left_out(bench, call, plain)
    yield from _left_alone(bench, call)


def _held_whole(bench: Bench, call: DataCall) -> Iterator[str]:
    """Large whole numbers that the module's type holds: taken as the same numbers of its type are."""
    digits = np.finfo(bench.dtype).nmant + 1
    for place, tensor in enumerate(bench.case.tensors[: call.count]):
        for value in (2**digits, 2**digits + 2, -(2**62)) if tensor.classes is None else ():
            whole = np.zeros(bench.numbers(tensor).shape, np.int64)
            whole.reshape(-1)[-1] = value
            as_whole, as_numbers = bench.data(), bench.data()
            as_whole[place], as_numbers[place] = whole, whole.astype(bench.dtype)
            if not same(_outcome(call, as_whole), _outcome(call, as_numbers), _ROUNDING):
                yield f"{call.name}: {tensor.name} with the whole number {value} is not taken for {value:.1f}"


def _outcome(call: DataCall, data: list[Any]) -> Any:
    """The answer, or the first line of what it raises, in bytes."""
    try:
        return kept(call(data))
    except Exception as error:  # noqa: BLE001  # large numbers may be too large for the network
        return np.frombuffer(first_line(error).encode(), np.uint8)


def _left_out(bench: Bench, call: DataCall, plain: Any) -> Iterator[str]:
    """What nothing predicted depends on, one by one and all at once; of the others none."""
    spare = [t.name for t in bench.case.inputs if call.may_lack(t.name)]
    for names in dict.fromkeys([*((name,) for name in spare), tuple(spare)] if spare else ()):
        pairs = zip(bench.case.tensors, bench.data(), strict=True)
        data = [None if t.name in names else array for t, array in pairs]
        try:
            answer = call(data)
        except Exception as error:  # noqa: BLE001  # whatever it raises is its fault
            yield f"{call.name} without {', '.join(names)} is refused: {first_line(error)}"
            continue
        if not same(answer, plain, _ROUNDING):
            yield f"{call.name} without {', '.join(names)} gives another answer"
        for place, tensor in enumerate(bench.case.inputs):
            if tensor.name not in spare:
                less = [None if n == place else array for n, array in enumerate(data)]
                if wrong := refusal(TypeError, f"{tensor.name}:", call, less):
                    yield f"{call.name} without {tensor.name} {wrong}"


def good_forms(tensor: DataTensor, array: Array) -> Iterator[tuple[str, Any]]:
    """The same numbers otherwise."""
    yield "as a list", array.tolist()
    if array.ndim > 1:
        yield "in the order of columns", np.asfortranarray(array)
    if array.ndim:
        yield "as every second row", np.repeat(array, 2, axis=0)[::2]
    yield "read-only", _read_only(array)
    yield "in the other order of bytes", array.astype(array.dtype.newbyteorder())
    if tensor.classes is not None:
        yield "as whole floats", array.astype(np.float64)
        yield "as short integers", array.astype(np.int16)
    elif (array == np.round(array)).all():
        yield "as whole numbers", array.astype(np.int32)


def _read_only(array: Array) -> Array:
    array = array.copy()
    array.setflags(write=False)
    return array


def _left_alone(bench: Bench, call: DataCall) -> Iterator[str]:
    data, params = bench.data(), bench.params()
    call(data, params)
    for tensor, array in zip(bench.case.tensors, data, strict=True):
        if not same(array, bench.numbers(tensor)):
            yield f"{call.name} changes {tensor.name}"
    if (not call.trains or call.name == "fit") and not same(params, bench.params()):
        yield f"{call.name} changes the parameters it is given"


def ignored(bench: Bench) -> Iterator[str]:
    """The label that means none is taken."""
    for place, tensor in enumerate(bench.case.tensors):
        if tensor.ignore is None:
            continue
        data = bench.data()
        data[place] = data[place].copy()
        data[place].reshape(-1)[0] = tensor.ignore
        for call in bench.calls():
            if place < call.count:
                try:
                    call(data)
                except Exception as error:  # noqa: BLE001  # whatever it raises is its fault
                    yield f"{call.name}: the label {tensor.ignore} for none is refused: {first_line(error)}"
