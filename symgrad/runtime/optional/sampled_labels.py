"""Sequences written on by a network that says which label comes next."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _as_numbers, _generator, _whole
from symgrad.runtime.smallest_model import AXES, CLASSES, INPUTS, Params, predict


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
    _check_looks_back(params, len(found))
    for _ in range(length):
        found.append(_drawn(_chances_of_next(params, found), float(temperature), most, rng))
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


def _predicted_of(params: Params, labels: Sequence[int]) -> np.ndarray:
    """What the network says of one window of labels: for each place in it, or of what comes behind all."""
    found: np.ndarray = np.asarray(predict(params, np.array([labels], np.int64)), np.float64)[0]
    if not np.isfinite(found).all():
        raise ValueError("params: what the network predicts with them is not finite")
    if found.min() < 0 or np.abs(found.sum(-1) - 1).max() > 1e-3:
        raise ValueError("sample: what this network predicts are no chances that add up to 1")
    return found


def _check_looks_back(params: Params, given: int) -> None:
    """What is behind a place, where nothing is yet, must not matter to what is predicted there.

    It is changed behind the first 1, 2, 4, 8, ... labels and behind all but the last.
    """
    name = INPUTS[0]
    window, classes = int(AXES[name][1]), CLASSES[name]
    found = _predicted_of(params, [0] * window)
    if found.ndim == 1:
        if given < window:
            at_least = f"at least {window} labels, behind which the network says what comes"
            raise ValueError(f"start: expected {at_least}, got {given}")
        return
    for seen in {window - 1, *(2**n for n in range(window.bit_length()) if 2**n < window)}:
        other = _predicted_of(params, [0] * seen + [classes - 1] * (window - seen))
        if not np.allclose(found[:seen], other[:seen], rtol=1e-4, atol=1e-6):
            remedy = "it could with causal=true in its attention"
            raise ValueError(f"sample: this network looks at what comes behind a place; {remedy}")


def _chances_of_next(params: Params, labels: Sequence[int]) -> np.ndarray:
    """The chances of each label behind these, of which the network sees the last ones."""
    window = int(AXES[INPUTS[0]][1])
    seen = labels[-window:]
    found = _predicted_of(params, [*seen, *[0] * (window - len(seen))])
    return found if found.ndim == 1 else np.asarray(found[len(seen) - 1])


def _drawn(chances: np.ndarray, temperature: float, most: int | None, rng: np.random.Generator) -> int:
    """A label, of the `most` likeliest ones; the first of equal ones where the temperature is 0."""
    order = np.argsort(-chances, kind="stable")[:most]
    if temperature == 0:
        return int(order[0])
    with np.errstate(divide="ignore", over="ignore"):
        scores = np.log(chances[order] / chances[order[0]]) / temperature
    powers = np.exp(scores)
    return int(rng.choice(order, p=powers / powers.sum()))
