"""Passes over arrays in parts, which threads take as they are free."""

from collections.abc import Callable
from typing import Any

from numba import config, types
from numba.extending import intrinsic

from symgrad.runtime.numba.sharing.tasks import _number_of_threads, _shared, _task
from symgrad.runtime.smallest_model import PART

# How many turns of its loop a part has follows from the pass alone, so that every number of threads gives
# the same bits: as many as have PART entries, as equal as can be, and in whole vectors of VECTOR numbers. One
# thread by itself makes all turns at once, to the same bits: where they are columns, it reads whole rows.
VECTOR = 16


def _one_after_another(pass_: Callable, turns: int, entries: int, given: tuple[Any, ...]) -> None:
    """A pass of so many turns, each over so many entries, part after part."""
    parts = -(-turns // max(PART // entries, 1))
    length = -(-turns // max(parts, 1))
    length += -length % VECTOR if length > VECTOR else 0
    for start in range(0, turns, max(length, 1)):
        pass_(*given, start, min(start + length, turns))


def _typed_in_parts(context: Any, pass_: Any, turns: Any, entries: Any, given: Any) -> tuple[Any, Callable]:
    """The same for compiled code, by threads: no two turns have to do with one another."""
    of_part = pass_.get_call_type(context, (*given.types, types.intp, types.intp), {})

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, turns, entries, given = arguments
        given = [builder.extract_value(given, place) for place in range(len(signature.args[3]))]
        if context.enable_boundscheck:  # the thread that calls says what is wrong
            context.get_function(pass_, of_part)(builder, [*given, turns.type(0), turns])
            return context.get_dummy_value()
        compiled = pass_.dispatcher.overloads[of_part.args]
        context.active_code_library.add_linking_library(compiled.library)
        length = _length(builder, turns, entries)
        values = [*given, turns, length]
        task = _of_part(context, builder, compiled.fndesc, of_part, values)
        _shared(builder, task, values, _rounded_up(builder, turns, length))
        return context.get_dummy_value()

    return types.void(pass_, types.intp, types.intp, given), generate


def _length(builder: Any, turns: Any, entries: Any) -> Any:
    """How many turns a part has."""
    most = _one_or_more(builder, builder.sdiv(turns.type(PART), entries))
    parts = _one_or_more(builder, _rounded_up(builder, turns, most))
    length = _one_or_more(builder, _rounded_up(builder, turns, parts))
    whole = builder.and_(builder.add(length, turns.type(VECTOR - 1)), turns.type(-VECTOR))
    length = builder.select(builder.icmp_signed(">", length, turns.type(VECTOR)), whole, length)
    is_alone = builder.icmp_signed("==", _number_of_threads(builder, turns.type), turns.type(1))
    return builder.select(is_alone, _one_or_more(builder, turns), length)


def _one_or_more(builder: Any, number: Any) -> Any:
    one = number.type(1)
    return builder.select(builder.icmp_signed(">", number, one), number, one)


def _rounded_up(builder: Any, number: Any, by: Any) -> Any:
    """A quotient of whole numbers, or the next one above it."""
    return builder.sdiv(builder.add(number, builder.sub(by, by.type(1))), by)


def _of_part(context: Any, builder: Any, function: Any, signature: Any, values: Any) -> Any:
    """The function that does one part of a pass."""
    name = f"symgrad_part_{function.mangled_name}"
    known = builder.module.globals.get(name)
    if known is not None:
        return known
    task, inside, (*given, turns, length), number = _task(builder, name, [value.type for value in values])
    start = inside.mul(number, length)
    end = inside.add(start, length)
    stop = inside.select(inside.icmp_signed("<", end, turns), end, turns)
    inside.assume(inside.icmp_signed(">=", start, start.type(0)))  # so that no index counts from the end
    called = context.declare_function(builder.module, function)
    kinds = signature.return_type, signature.args
    context.call_conv.call_function(inside, called, *kinds, [*given, start, stop], attrs=("alwaysinline",))
    inside.ret_void()
    return task


in_parts = _one_after_another if config.DISABLE_JIT else intrinsic(_typed_in_parts)
