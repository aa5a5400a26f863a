"""What `--over PATH=VALUES` says: lists, whole numbers, and ranges with or without a number of points."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec.language.names import shorten
from symgrad.spec.reading.yaml_text import from_yaml
from symgrad.sweeping.varied.dotted_entries import full_path, hyper_key
from symgrad.sweeping.varied.sweep_axes import ListedValues, SweepAxis, ValueRange, points_between, shown

if TYPE_CHECKING:
    from symgrad.sweeping.varied.dotted_entries import Scalar

MOST_VALUES = 100_000
"""So many values one axis may list."""
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)")
_WHOLE = re.compile(r"[+-]?\d+")
_EXAMPLES = "expected 1e-4..1e-1:log:20, 0..4, or a list as adam,sgd"


def axes_of(over: Mapping[str, Any]) -> tuple[SweepAxis, ...]:
    """The axes of a sweep: of each path a text as on the command line, a sequence of values, or one value.

    Raises:
        SpecError: for what is no path of a spec and no values; a place that is named twice.
    """
    if not isinstance(over, Mapping) or not all(isinstance(path, str) for path in over):
        raise SpecError(
            f"over is {shorten(repr(over))}", remedy='expected values by paths: {"seed": range(5)}'
        )
    if not over:
        raise SpecError(
            "nothing is varied", at="over", remedy="say what, as optimizer.learning_rate=1e-4..1e-1:log:20"
        )
    places: dict[str, str] = {}
    for path in over:
        key = hyper_key(path)
        if key in places:
            problem = f"this is '{places[key]}' again"
            raise SpecError(problem, at=path, remedy="give all values of a place at once")
        places[key] = path
    return tuple(_axis(path, values) for path, values in over.items())


def over_of(texts: Iterable[str]) -> dict[str, str]:
    """`PATH=VALUES`, each path once.

    Raises:
        SpecError: for what is not of this form.
    """
    found: dict[str, str] = {}
    for text in texts:
        path, sign, values = (part.strip() for part in text.partition("="))
        if not (path and sign and values):
            raise SpecError(f"'{shorten(text)}' is not PATH=VALUES", at="over", remedy=_EXAMPLES)
        if path in found:
            raise SpecError("this path is given again", at=path, remedy="give all values of a place at once")
        found[path] = values
    return found


def _axis(path: str, values: Any) -> SweepAxis:
    full_path(path)
    if isinstance(values, str):
        return _axis_of_text(path, values)
    if isinstance(values, Mapping | set | frozenset):
        raise SpecError(f"{shorten(repr(values))} has no order", at=path, remedy="expected a list")
    many = values if isinstance(values, Iterable) else [values]
    return _listed(path, [_plain(path, value) for value in _bounded(path, many)])


def _bounded(path: str, values: Iterable[Any]) -> Iterable[Any]:
    """Raises SpecError for too many."""
    for number, value in enumerate(values):
        if number == MOST_VALUES:
            raise SpecError(f"more than {MOST_VALUES:,} values", at=path, remedy="give fewer, or a range")
        yield value


def _plain(path: str, value: Any) -> Scalar:
    """A value as a spec has it, of NumPy too."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f"{value} is no value", at=path, remedy="expected finite numbers")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return [_plain(path, inner) for inner in value]
    raise SpecError(f"a value of type {type(value).__name__}", at=path, remedy="expected numbers or words")


def _axis_of_text(path: str, text: str) -> SweepAxis:
    items = list(_bounded(path, _items(path, text)))
    found: list[Scalar] = []
    for item in items:
        said = _RANGE.fullmatch(item)
        if said is None:
            found.append(_value(path, item))
            continue
        axis = _range(path, item, *said.groups())
        if isinstance(axis, ValueRange):
            if len(items) > 1:
                remedy = f"give it points, as {item}:10"
                raise SpecError(f"'{item}' in a list has no end of values", at=path, remedy=remedy)
            return axis
        found += axis.values
    return _listed(path, found)


def _items(path: str, text: str) -> list[str]:
    """The parts of a list: at commas that stand in no brackets and quotes."""
    items, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            items.append("")
            continue
        items[-1] += character
    found = [item.strip() for item in items]
    if not all(found):
        raise SpecError(f"an empty value in '{shorten(text)}'", at=path, remedy=_EXAMPLES)
    return found


def _value(path: str, item: str) -> Scalar:
    """A value as YAML reads it."""
    if ".." in item and re.match(r"[+-]?[\d.]", item):
        raise SpecError(f"'{shorten(item)}' is no range", at=path, remedy=_EXAMPLES)
    try:
        found = from_yaml(f"v: {item}", path).data["v"]
    except SpecError as error:
        raise SpecError(
            f"'{shorten(item)}' is no value: {error.problem}", at=path, remedy=_EXAMPLES
        ) from None
    if isinstance(found, dict):
        raise SpecError(f"'{shorten(item)}' is a mapping", at=path, remedy="name an entry of it by its path")
    return found


def _range(path: str, text: str, least: str, most: str, rest: str) -> SweepAxis:
    whole = bool(_WHOLE.fullmatch(least) and _WHOLE.fullmatch(most))
    low, high = float(least), float(most)
    log, number = _options(path, text, rest)
    if not math.isfinite(high - low) or (whole and max(abs(low), abs(high)) > 2**53):
        raise SpecError(f"'{text}' has an end that is too large", at=path, remedy="float64 ends at 1.8e308")
    if low > high or (low == high and not whole):
        problem = "ends where it begins" if low == high else "begins above its end"
        raise SpecError(f"'{text}' {problem}", at=path, remedy="expected the smaller number first")
    if log and low <= 0:
        raise SpecError(f"'{text}' has no logarithms", at=path, remedy="expected numbers above 0")
    if number is not None:
        return ListedValues(path, points_between(low, high, number, log=log, whole=whole))
    if whole and not log:
        if high - low >= MOST_VALUES:
            raise SpecError(f"more than {MOST_VALUES:,} values", at=path, remedy=f"give points, as {text}:10")
        return ListedValues(path, tuple(range(int(low), int(high) + 1)))
    return ValueRange(path, low, high, log, whole)


def _options(path: str, text: str, rest: str) -> tuple[bool, int | None]:
    """What is said behind a range: whether it is of logarithms, and its number of points."""
    scale, number = None, None
    for word in rest.split(":")[1:]:
        if word in ("log", "linear") and scale is None:
            scale = word
        elif word.isdecimal() and number is None:
            number = int(word)
        else:
            remedy = did_you_mean(word, ("log", "linear")) or "expected LEAST..MOST:log:20"
            problem = f"'{shorten(word)}' in '{shorten(text)}' is neither log, linear nor a number of points"
            raise SpecError(problem, at=path, remedy=remedy)
    if number is not None and not 2 <= number <= MOST_VALUES:
        raise SpecError(
            f"{number} points in '{shorten(text)}'", at=path, remedy=f"expected from 2 to {MOST_VALUES:,}"
        )
    return scale == "log", number


def _listed(path: str, values: Sequence[Scalar]) -> ListedValues:
    """Raises SpecError where nothing is listed, or something twice."""
    if not values:
        raise SpecError("no values", at=path, remedy=_EXAMPLES)
    seen = set()
    for value in values:
        key = (isinstance(value, bool), repr(value) if isinstance(value, list) else value)
        if key in seen:
            raise SpecError(f"{shown(value)} stands twice", at=path, remedy="give each value once")
        seen.add(key)
    if len(values) > MOST_VALUES:
        raise SpecError(f"more than {MOST_VALUES:,} values", at=path, remedy="give fewer, or a range")
    return ListedValues(path, tuple(values))
