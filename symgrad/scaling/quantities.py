"""Rates and times as people write them: 10Gb, 1.2GB/s, 20us."""

from __future__ import annotations

import re

from symgrad.errors import DataError
from symgrad.spec.language.names import shorten

_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_RATE = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([kMGT]?)(b|bit|B)(?:/s|ps|it/s)?\s*", re.ASCII)
_TIME = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(s|ms|us|\u00b5s|\u03bcs|ns)\s*", re.ASCII)
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9}
"""A micro sign is one letter of Unicode, the Greek mu another."""
_RATES, _TIMES = (0.1, 1e18), (1e-15, 1e6)
"""The least and the most, in bytes a second and in seconds, that leaves finite numbers to compute with."""


def bytes_per_second(text: str, where: str) -> float:
    """A rate: `b` is bits, `B` bytes, a second is understood.

    Raises:
        DataError: this is no rate, or none that a network has.
    """
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    rate = 0.0
    if found is not None:
        rate = _number(found.group(1)) * _PREFIXES[found.group(2)] / (1 if found.group(3) == "B" else 8)
    if not _RATES[0] <= rate <= _RATES[1]:
        problem = f"{shorten(repr(text))} is no rate"
        raise DataError(problem, at=where, remedy="write 10Gb or 1.2GB (bits or bytes a second)")
    return rate


def seconds(text: str, where: str) -> float:
    """A time with its unit.

    Raises:
        DataError: this is no time, or none that a message takes.
    """
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    time = 0.0 if found is None else _number(found.group(1)) * _UNITS[found.group(2)]
    if not _TIMES[0] <= time <= _TIMES[1]:
        raise DataError(f"{shorten(repr(text))} is no time", at=where, remedy="write 20us or 0.1ms")
    return time


def _number(text: str) -> float:
    """The number, 0 for what is none."""
    try:
        return float(text)
    except ValueError:
        return 0.0
