"""What a compiled function computes, told by its code and by what that names, in whichever file it stands."""

import dis
from collections.abc import Callable, Iterator
from functools import cache, partial
from hashlib import sha256
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher

_WRAPPERS = ("no_cpython_wrapper", "no_cfunc_wrapper")  # options that make no difference to compiled callers


def _meaning(dispatcher: Any) -> str:
    """The SHA-256 of all that decides what a compiled function does.

    Of what a library has the name is enough. Raises TypeError where something has no text that tells it.
    """
    function = dispatcher.py_func
    scope, own = function.__globals__, partial(_own_function, file=function.__code__.co_filename)
    found, waiting = {"": _content(dispatcher.targetoptions)}, {function.__name__: dispatcher}
    while waiting:
        name, value = waiting.popitem()
        found[name] = _own_content(value, own)
        waiting |= {n: scope[n] for n in _names(value, own) if n in scope and n not in found}
    return sha256(repr(sorted(found.items())).encode()).hexdigest()


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
        how = _content(options), _content(vars(value)["_compiler"].pipeline_class)
        return how, _code_content(function.__code__, function.__doc__), _content(_held(function))
    if function is not None:
        return _content([function.__code__, *_held(function)])
    is_of_library = callable(value) and not isinstance(value, (type, Dispatcher))
    return (value.__module__, value.__qualname__) if is_of_library else _content(value)


def _held(function: FunctionType) -> list[Any]:
    """What a function has beside its code: values of arguments left out, and those around it."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [function.__defaults__, function.__kwdefaults__, cells]


def _content(value: Any) -> Any:
    """A value in numbers and words."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic, types.Type)):
        return type(value).__name__, repr(value)
    if isinstance(value, (tuple, list)):
        return [*map(_content, value)]
    if isinstance(value, (set, frozenset)):
        return sorted(repr(_content(part)) for part in value)
    if isinstance(value, dict):
        return sorted(repr((_content(name), _content(part))) for name, part in value.items())
    if isinstance(value, CodeType):
        return _code_content(value)
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, type):
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
        parts = vars(value).values() if isinstance(value, type) else [value]
        for function in filter(None, map(own, parts)):
            yield from _global_names(function.__code__)


def _all_names(code: CodeType) -> Iterator[str]:
    """Those of attributes too, as long code takes long to be taken apart."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _all_names(part)


@cache
def _global_names(code: CodeType) -> tuple[str, ...]:
    inner = (_global_names(part) for part in code.co_consts if isinstance(part, CodeType))
    own = (i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return (*own, *(name for names in inner for name in names))
