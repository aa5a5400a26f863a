"""What passes between the two processes: plain values and arrays, so that reading a message runs no code."""

from __future__ import annotations

import io
import pickle
from collections import namedtuple
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = (type(None), bool, int, float, str, bytes)
_HEAD = 8
"""Bytes in front of a message that say how long it is."""


class GarbageError(Exception):
    """What arrived is no message: whoever wrote it has lost its mind, or its memory."""


def packed(value: Any) -> Any:
    """A value as a tree of plain values; of an object that cannot travel only the type's name."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        return ("array", value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return ("record", type(value).__name__, tuple(value._fields), tuple(map(packed, value)))
    if isinstance(value, tuple | list):
        return ("tuple", tuple(map(packed, value)))
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return ("dict", tuple((key, packed(part)) for key, part in value.items()))
    return ("other", type(value).__name__)


def unpacked(tree: Any, record: Callable[[str, tuple[str, ...], list[Any]], Any]) -> Any:
    """The value of a tree, with arrays that may be written; `record` makes a named tuple.

    Raises:
        GarbageError: this is no such tree.
    """
    if type(tree) in _PLAIN:
        return tree
    match tree:
        case ("array", str(dtype), tuple(shape), bytes(content)):
            return np.frombuffer(bytearray(content), dtype).reshape(shape)
        case ("record", str(name), tuple(fields), tuple(values)):
            return record(name, fields, [unpacked(value, record) for value in values])
        case ("tuple", tuple(values)):
            return tuple(unpacked(value, record) for value in values)
        case ("dict", tuple(pairs)):
            return {str(key): unpacked(value, record) for key, value in pairs}
        case ("other", str(name)):
            return type(name, (), {})()
    raise GarbageError("a tree of an unknown kind")


def named(name: str, fields: tuple[str, ...], values: list[Any]) -> Any:
    """A named tuple of a type made for its name and fields."""
    return _record_type(name, fields)(*values)


@lru_cache(maxsize=16)  # making a type takes longer than most calls
def _record_type(name: str, fields: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple(name, fields)


class _Plain(pickle.Unpickler):
    """Reads plain values alone."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise GarbageError(f"a message names {module_name}.{global_name}")


def write(stream: IO[bytes], message: Any) -> None:
    """Send one message of plain values."""
    content = pickle.dumps(message, protocol=5)
    stream.write(len(content).to_bytes(_HEAD, "little") + content)
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """The next message.

    Raises:
        EOFError: the other side has gone.
        GarbageError: what arrived is no message.
    """
    size = int.from_bytes(_bytes(stream, _HEAD), "little")
    content = _bytes(stream, size)
    try:
        return _Plain(io.BytesIO(content)).load()
    except GarbageError:
        raise
    except Exception as error:  # unpickling of garbage raises whatever it likes
        raise GarbageError(f"{type(error).__name__}: {error}") from error


def _bytes(stream: IO[bytes], count: int) -> bytes:
    try:
        content = stream.read(count)
    except (MemoryError, OverflowError) as error:
        raise GarbageError("a message of absurd length") from error
    if len(content) < count:
        raise EOFError
    return content
