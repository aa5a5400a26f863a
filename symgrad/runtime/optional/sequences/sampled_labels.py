"""Sequences written on by a network that says which label comes next."""

from itertools import islice
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _as_numbers, _generator, _whole
from symgrad.runtime.optional.sequences.chances_by_windows import _chances_in_turn
from symgrad.runtime.smallest_model import CLASSES, INPUTS, Params


def _sampled(
    params: Params, start: Any, length: Any, temperature: Any, top_k: Any, seed: Any, stop: Any
) -> list[int]:
    found = _sequence("start", start)
    length = _whole("length", length, 0)
    most = None if top_k is None else _whole("top_k", top_k, 1)
    last = None if stop is None else _label("stop", stop)
    if not _is_temperature(temperature):
        raise ValueError(f"temperature: expected a number from 0, got {temperature!r}")
    rng = _generator(seed)
    for chances in islice(_chances_in_turn(params, found), length):
        found.append(_drawn(chances, float(temperature), most, rng))
        if found[-1] == last:
            break
    return found


def _sequence(name: str, value: Any) -> list[int]:
    """Labels in a row, as a caller gave them."""
    given = _given_labels(name, value)
    if given.ndim != 1 or not given.size or not _are_labels(given):
        wanted = f"whole numbers from 0 to {CLASSES[INPUTS[0]] - 1} in a row"
        raise ValueError(f"{name}: expected {wanted}, got {value!r}")
    return [int(label) for label in given]


def _label(name: str, value: Any) -> int:
    """One label, as a caller gave it: a number, or a byte."""
    given = _given_labels(name, value)
    if given.size != 1 or not _are_labels(given):
        raise ValueError(f"{name}: expected a whole number from 0 to {CLASSES[INPUTS[0]] - 1}, got {value!r}")
    return int(given.item())


def _given_labels(name: str, value: Any) -> np.ndarray:
    is_text = isinstance(value, (bytes, bytearray))
    return np.frombuffer(value, np.uint8) if is_text else _as_numbers(name, value)


def _are_labels(given: np.ndarray) -> bool:
    return bool(((given >= 0) & (given < CLASSES[INPUTS[0]]) & (given == np.floor(given))).all())


def _is_temperature(value: Any) -> bool:
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return bool(is_number and 0 <= value <= float(np.finfo(np.float64).max))


def _drawn(chances: np.ndarray, temperature: float, most: int | None, rng: np.random.Generator) -> int:
    """A label, of the `most` likeliest ones; the first of equal ones where the temperature is 0."""
    order = np.argsort(-chances, kind="stable")[:most]
    if temperature == 0:
        return int(order[0])
    with np.errstate(divide="ignore", over="ignore"):
        scores = np.log(chances[order] / chances[order[0]]) / temperature
    powers = np.exp(scores)
    return int(rng.choice(order, p=powers / powers.sum()))
