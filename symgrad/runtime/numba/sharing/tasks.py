"""What threads are given to do: a function, the address of all that it needs, and how many parts it has."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils


def _symbol(builder: Any, name: str, result: Any, given: Sequence[Any]) -> Any:
    kind = ir.FunctionType(result, [value.type for value in given])
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _number(builder: Any, name: str, kind: Any) -> Any:
    """What this process says for a name. Compiled code is kept on disk, and others may say something else."""
    return builder.ptrtoint(_symbol(builder, name, ir.VoidType(), []), kind)


def _number_of_threads(builder: Any, kind: Any) -> Any:
    """How many threads may work."""
    return _number(builder, "symgrad_threads", kind)


def _of_module(builder: Any, name: str, kinds: Sequence[Any]) -> tuple[Any, Any]:
    """A function, the same in all modules that are compiled with it, and where its statements go."""
    function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function, ir.IRBuilder(function.append_basic_block())


def _task(builder: Any, name: str, kinds: Sequence[Any]) -> tuple[Any, Any, list[Any], Any]:
    """A function for parts of some work, where its statements go, the values given and the part's number."""
    whole = ir.IntType(64)
    function, inside = _of_module(builder, name, [cgutils.voidptr_t, whole])
    place = inside.bitcast(function.args[0], ir.PointerType(ir.LiteralStructType(kinds)))
    places = [cgutils.gep_inbounds(inside, place, 0, number) for number in range(len(kinds))]
    values = [inside.load(found, typ=kind) for found, kind in zip(places, kinds, strict=True)]
    return function, inside, values, function.args[1]


def _shared(builder: Any, task: Any, values: Sequence[Any], parts: Any) -> None:
    """Work of so many parts, done by this thread and those that are free."""
    given = cgutils.alloca_once(builder, ir.LiteralStructType([value.type for value in values]))
    for number, value in enumerate(values):
        builder.store(value, cgutils.gep_inbounds(builder, given, 0, number))
    arguments = [builder.bitcast(pointer, cgutils.voidptr_t) for pointer in (task, given)] + [parts]
    builder.call(_symbol(builder, "symgrad_share", ir.VoidType(), arguments), arguments)
