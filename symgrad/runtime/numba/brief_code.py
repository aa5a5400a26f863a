"""Numba's way from Python to LLVM, shortened: LLVM takes time for every word, and Numba for every look."""

import operator
from functools import cache, reduce
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.compiler import DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.extending import _Intrinsic


def _part(context: Any, builder: Any, kind: Any, array: Any, name: str) -> Any:
    """What the value of an array holds by this name: `data`, `shape` or `strides`."""
    return builder.extract_value(array, context.data_model_manager[kind].get_field_position(name))


def _with_parts(context: Any, builder: Any, kind: Any, array: Any, parts: dict[str, Any]) -> Any:
    """The value of an array with other parts, by their names."""
    place_of = context.data_model_manager[kind].get_field_position
    return reduce(lambda found, name: builder.insert_value(found, parts[name], place_of(name)), parts, array)


def _array_at(context: Any, builder: Any, kind: Any, data: Any, sizes: Any) -> Any:
    """The value of an array of these sizes, its entries side by side, in memory that it does not own."""
    whole = context.get_value_type(types.intp)
    size_of_entry = whole(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    steps = [reduce(builder.mul, sizes[k + 1 :], size_of_entry) for k in range(len(sizes))]
    parts = {
        "data": data,
        "shape": cgutils.pack_array(builder, sizes, whole),
        "strides": cgutils.pack_array(builder, steps, whole),
        "itemsize": size_of_entry,
        "nitems": reduce(builder.mul, sizes, whole(1)),
    }
    return _with_parts(context, builder, kind, context.get_constant_null(kind), parts)


class _Brief(Lower):
    """Numba's translation into LLVM, which writes some 50 instructions for an entry of an array and 90 for a
    loop over a range, where ten are enough. What checks bounds is left as it is."""

    def lower_getitem(self, result: Any, expression: Any, array: Any, index: Any, signature: Any) -> Any:
        place = self._place(array, index)
        if place is None:
            return super().lower_getitem(result, expression, array, index, signature)
        number = self.typeof(array.name).dtype
        found = self.context.unpack_value(self.builder, number, place)
        return self.context.cast(self.builder, found, number, result)

    def lower_setitem(self, array: Any, index: Any, value: Any, signature: Any) -> Any:
        place = self._place(array, index)
        if place is None:
            return super().lower_setitem(array, index, value, signature)
        number = self.typeof(array.name).dtype
        found = self.context.cast(self.builder, self.loadvar(value.name), self.typeof(value.name), number)
        return self.context.pack_value(self.builder, number, found, place)

    def lower_expr(self, result: Any, expression: Any) -> Any:
        what = expression.attr if expression.op == "getattr" else expression.op
        if what in ("getiter", "iternext", "shape", "T"):
            kind, value = self.typeof(expression.value.name), self.loadvar(expression.value.name)
            if what == "getiter" and isinstance(kind, types.RangeType):
                return self._started(value)
            if what == "iternext" and isinstance(kind, types.RangeIteratorType):
                return self._stepped(value)
            if what == "shape" and isinstance(kind, types.Array):
                return _part(self.context, self.builder, kind, value, "shape")
            if what == "T" and isinstance(kind, types.Array):
                return self._transposed(result, kind, value)
        return super().lower_expr(result, expression)

    def _place(self, array: Any, index: Any) -> Any:
        """The address of an entry; None where that is no single one, or is to be checked."""
        kind, given = self.typeof(array.name), self.typeof(index.name)
        kinds = given.types if isinstance(given, types.BaseTuple) else (given,)
        is_entry = isinstance(kind, types.Array) and kind.aligned and len(kinds) == kind.ndim
        is_entry &= all(isinstance(number, types.Integer) for number in kinds)
        if not is_entry or self.context.enable_boundscheck:
            return None
        found = self.loadvar(index.name)
        numbers = cgutils.unpack_tuple(self.builder, found) if given not in kinds else [found]
        return self._address(kind, self.loadvar(array.name), kinds, numbers)

    def _address(self, kind: Any, array: Any, kinds: Any, numbers: Any) -> Any:
        """That of the entry with these indices, integers of these kinds."""
        builder, context = self.builder, self.context
        sizes = cgutils.unpack_tuple(builder, _part(context, builder, kind, array, "shape"))
        places = [*map(self._from_start, kinds, numbers, sizes)]
        data = _part(context, builder, kind, array, "data")
        if kind.layout == "C":
            place = places[0]
            for size, number in zip(sizes[1:], places[1:], strict=True):
                place = builder.add(builder.mul(place, size), number)
            return builder.gep(data, [place])
        steps = cgutils.unpack_tuple(builder, _part(context, builder, kind, array, "strides"))
        return cgutils.pointer_add(builder, data, reduce(builder.add, map(builder.mul, places, steps)))

    def _from_start(self, kind: Any, number: Any, size: Any) -> Any:
        """An index, which counts from the end where it is negative."""
        found = self.context.cast(self.builder, number, kind, types.intp)
        if not kind.signed:
            return found
        is_negative = self.builder.icmp_signed("<", found, found.type(0))
        return self.builder.select(is_negative, self.builder.add(found, size), found)

    def _transposed(self, result: Any, kind: Any, array: Any) -> Any:
        """An array with its axes in the other order."""
        context, builder, whole = self.context, self.builder, self.context.get_value_type(types.intp)
        parts = {}
        for name in ("shape", "strides"):
            numbers = cgutils.unpack_tuple(builder, _part(context, builder, kind, array, name))
            parts[name] = cgutils.pack_array(builder, numbers[::-1], whole)
        return _with_parts(context, builder, result, array, parts)

    def _started(self, numbers: Any) -> Any:
        """An iterator as Numba has it: the place of the next number, the end, the step, the place of how many
        are left."""
        builder = self.builder
        start, stop, step = cgutils.unpack_tuple(builder, numbers)
        is_upwards = builder.icmp_signed(">", step, step.type(0))
        less = builder.select(is_upwards, step.type(1), step.type(-1))
        left = builder.sdiv(builder.add(builder.sub(stop, start), builder.sub(step, less)), step)
        at, count = (cgutils.alloca_once(builder, start.type) for _ in range(2))
        builder.store(start, at)
        builder.store(left, count)
        return cgutils.make_anonymous_struct(builder, [at, stop, step, count])

    def _stepped(self, iterator: Any) -> Any:
        """The next number, and whether there is one."""
        builder = self.builder
        at, step, count = (builder.extract_value(iterator, place) for place in (0, 2, 3))
        number, left = builder.load(at), builder.load(count)
        builder.store(builder.add(number, step, flags=("nsw",)), at)
        builder.store(builder.sub(left, left.type(1), flags=("nsw",)), count)
        is_there = builder.icmp_signed(">", left, left.type(0))
        return cgutils.make_anonymous_struct(builder, [number, is_there])


@cache
def _translation() -> Any:
    """The pass of Numba that translates into LLVM, so."""

    class Translation(NativeLowering):
        _name = "brief_lowering"
        lowering_class = _Brief

    return register_pass(mutates_CFG=True, analysis_only=False)(Translation)


# They look for closures, sums of whole arrays, loops to be unrolled and overloads to be put in as text:
# emitted functions have none.
_NEEDLESS = (
    "inline_closure_likes",
    "nopython_rewrites",
    "find_literally",
    "literal_unroll",
    "inline_overloads",
)


def _brief_passes(state: Any) -> Any:
    """Numba's passes but those that are needless here."""
    found = PassManager("symgrad")
    for each, what in DefaultPassBuilder.define_nopython_pipeline(state).passes:
        if each._name not in _NEEDLESS:
            found.add_pass(_translation() if each is NativeLowering else each, what)
    found.finalize()
    return found


_OPERATORS = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.iadd),
    *(operator.getitem, operator.setitem, operator.lt, operator.le, operator.gt, operator.ge, operator.eq),
)
_OPERANDS = (types.Number, types.Array, types.UniTuple)


class _Remembering:
    """Numba's knowledge of types, with a memory of what operators and intrinsics were found to be: Numba
    tries all that it knows, at each place where one stands."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, kinds: Any, named: Any) -> Any:
        plain = tuple(map(types.unliteral, kinds))
        is_operator = isinstance(function, types.Function) and function.typing_key in _OPERATORS
        if is_operator and all(isinstance(kind, _OPERANDS) for kind in plain):
            return _resolved(self._context, function, plain)
        if isinstance(function, types.Function) and isinstance(function.typing_key, _Intrinsic) and not named:
            return _resolved(self._context, function, tuple(kinds))
        return self._context.resolve_function_type(function, kinds, named)

    def resolve_getitem(self, array: Any, index: Any) -> Any:
        return self.resolve_function_type(self.resolve_value_type(operator.getitem), (array, index), {})

    def resolve_setitem(self, array: Any, index: Any, value: Any) -> Any:
        return self.resolve_function_type(
            self.resolve_value_type(operator.setitem), (array, index, value), {}
        )


@cache
def _resolved(context: Any, function: Any, kinds: tuple[Any, ...]) -> Any:
    """What an operator or an intrinsic is for operands of these kinds."""
    return context.resolve_function_type(function, kinds, {})
