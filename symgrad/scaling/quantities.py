"""Rates and times as people write them: 10Gb, 1.2GB/s, 20us."""

from __future__ import annotations

import math
import re

from symgrad.errors import DataError

_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_RATE = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([kMGT]?)(b|bit|B)(?:/s|ps|it/s)?\s*", re.ASCII)
_TIME = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(s|ms|us|µs|ns)\s*", re.ASCII)
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def bytes_per_second(text: str, where: str) -> float:
    """A rate: `b` is bits, `B` bytes, a second is understood.

    Raises:
        DataError: this is no rate, or not above 0.
    """
    found = _RATE.fullmatch(text)
    number = _number(found.group(1)) if found else None
    if found is None or number is None:
        raise DataError(
            f"{text!r} is no rate", at=where, remedy="write 10Gb or 1.2GB (bits or bytes a second)"
        )
    return number * _PREFIXES[found.group(2)] / (1 if found.group(3) == "B" else 8)


def seconds(text: str, where: str) -> float:
    """A time with its unit.

    Raises:
        DataError: this is no time, or not above 0.
    """
    found = _TIME.fullmatch(text)
    number = _number(found.group(1)) if found else None
    if found is None or number is None:
        raise DataError(f"{text!r} is no time", at=where, remedy="write 20us or 0.1ms")
    return number * _UNITS[found.group(2)]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
