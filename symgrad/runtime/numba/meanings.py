"""What a compiled function computes, told by its code and by what that names, in whichever file it stands."""

import dis
import sys
from abc import ABCMeta
from collections.abc import Callable, Iterator
from functools import cache, partial
from hashlib import sha256
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.typing.templates import builtin_registry

_WRAPPERS = ("no_cpython_wrapper", "no_cfunc_wrapper")  # options that make no difference to compiled callers

_LIBRARIES = {"numba", "llvmlite", "numpy", "scipy", *sys.stdlib_module_names}  # what a module may import

_TOLD_BY_REPR = (bool, int, float, complex, str, bytes, np.generic, types.Type)


def _meaning(dispatcher: Any) -> str:
    """The SHA-256 of all that decides what a compiled function does.

    Of what the libraries have that a module imports, the name is enough. Raises TypeError where something has
    no text that tells it: what other files define, or what stands for one function while it runs another.
    """
    function = dispatcher.py_func
    known = len(builtin_registry.globals), len(builtin_registry.attributes)
    if function.__code__.co_filename in _files_of_overloads(*known):
        raise TypeError("nothing names the code that an overload brings along")
    options = {"": _content(dispatcher.targetoptions)}
    return _digest_of(options | _all_named(dispatcher, function.__globals__, function.__code__.co_filename))


def _digest_of(found: dict[str, Any]) -> str:
    return sha256(repr(sorted(found.items())).encode()).hexdigest()


def _all_named(value: Any, scope: dict[str, Any], file: str) -> dict[str, Any]:
    """What stands behind a value and all names of a file that it reaches."""
    own, found, waiting = partial(_own_function, file=file), {}, {"the first": value}
    while waiting:
        name, value = waiting.popitem()
        found[name] = _own_content(value, own)
        waiting |= {n: scope[n] for n in _names(value, own) if n in scope and n not in found}
    return found


@cache
def _way(compiler: type) -> str:
    """How a class compiles, with all of its file that it names."""
    methods = [f for f in vars(compiler).values() if isinstance(f, FunctionType)]
    if not methods:
        return repr(_content(compiler))
    return _digest_of(_all_named(compiler, methods[0].__globals__, methods[0].__code__.co_filename))


@cache
def _files_of_overloads(*_: int) -> set[str]:
    """The files that tell Numba how to compile functions, methods or attributes of others: of so many."""
    found = [template for _, kind in builtin_registry.globals for template in getattr(kind, "templates", ())]
    functions = (getattr(t, "_overload_func", None) for t in (*found, *builtin_registry.attributes))
    return {function.__code__.co_filename for function in functions if function is not None}


def _own_function(value: Any, file: str) -> FunctionType | None:
    """A function of this file: the value itself, or what types an intrinsic; None where it is neither."""
    function = value if isinstance(value, FunctionType) else getattr(value, "__wrapped__", None)
    is_own = isinstance(function, FunctionType) and function.__code__.co_filename == file
    return function if is_own else None


def _own_content(value: Any, own: Callable) -> Any:
    """What stands behind a name."""
    function = own(value)
    if isinstance(value, Dispatcher) and function is not None:
        options = {name: o for name, o in value.targetoptions.items() if name not in _WRAPPERS}
        how = _content(options), _way(vars(value)["_compiler"].pipeline_class)
        return how, _code_content(function.__code__, function.__doc__), _content(_held(function))
    if function is not None:
        return _content([function.__code__, *_held(function)])
    is_of_library = callable(value) and not isinstance(value, (type, Dispatcher)) and _is_of_library(value)
    return (value.__module__, value.__qualname__) if is_of_library else _content(value)


def _held(function: FunctionType) -> list[Any]:
    """What a function has beside its code: values of arguments left out, and those around it."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [function.__defaults__, function.__kwdefaults__, cells]


def _is_of_library(value: Any) -> bool:
    """Whether a module or a function is of those whose versions compiled code depends on, or of Python."""
    name = str(value.__name__ if isinstance(value, ModuleType) else value.__module__).partition(".")[0]
    return name in _LIBRARIES


def _content(value: Any) -> Any:
    """A value in numbers and words."""
    if value is None or value is ... or isinstance(value, _TOLD_BY_REPR):
        return type(value).__name__, repr(value)
    if type(value) in (tuple, list):
        return [*map(_content, value)]
    if isinstance(value, slice):
        return "slice", _content([value.start, value.stop, value.step])
    if isinstance(value, (set, frozenset)):
        return sorted(repr(_content(part)) for part in value)
    if isinstance(value, dict):
        return sorted(repr((_content(name), _content(part))) for name, part in value.items())
    if isinstance(value, CodeType):
        return _code_content(value)
    if isinstance(value, ModuleType) and _is_of_library(value):
        return value.__name__
    if isinstance(value, BuiltinFunctionType) and _is_of_library(value):
        return value.__module__, value.__qualname__
    if type(value) in (type, ABCMeta) or (isinstance(value, type) and _is_of_library(value)):
        codes = {n: f.__code__ for n, f in vars(value).items() if isinstance(f, FunctionType)}
        return "" if codes else value.__module__, value.__qualname__, _content(codes)
    raise TypeError(f"there is no text that tells this {type(value).__name__} from others")


def _code_content(code: CodeType, docstring: str | None = None) -> Any:
    """What code computes, wherever it lies; a docstring that it does not read is no part of that."""
    constants = [_content(constant) for constant in code.co_consts]
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
    if docstring is not None and not any(op in dis.hasconst and not place for op, place in pairs):
        constants[0] = "docstring"
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return code.co_code, code.co_exceptiontable, names, counts, constants


def _names(value: Any, own: Callable) -> Iterator[str]:
    """The names of this file that a value uses, and perhaps others."""
    if isinstance(value, Dispatcher):
        yield from _all_names(value.py_func.__code__)
    else:
        is_class = isinstance(value, type)
        for function in filter(None, map(own, vars(value).values() if is_class else [value])):
            yield from _global_names(function.__code__)
        yield from (base.__name__ for base in value.__bases__) if is_class else ()


def _all_names(code: CodeType) -> Iterator[str]:
    """Those of attributes too, as long code takes long to be taken apart."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _all_names(part)


@cache
def _global_names(code: CodeType) -> tuple[str, ...]:
    inner = (_global_names(part) for part in code.co_consts if isinstance(part, CodeType))
    reads = {(i.opname, i.argval) for i in dis.get_instructions(code)} - {
        ("LOAD_NAME", "__name__")
    }  # of a class
    own = (name for how, name in sorted(reads, key=repr) if how in ("LOAD_GLOBAL", "LOAD_NAME"))
    return (*own, *(name for names in inner for name in names))
