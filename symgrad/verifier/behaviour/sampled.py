"""`sample`: the labels that the module's own predictions draw, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.stepped import goes_on
from symgrad.verifier.behaviour.workbench import Bench, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.verifier.interpretation.array_library import Array

_LENGTH, _STARTS = 6, 4
_BAD: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("start", ([], [-1], [0.5], [np.nan], [[0]], "ab", None)),
    ("length", (-1, 1.5, None, True)),
    ("temperature", (-1, np.nan, np.inf, "1", None)),
    ("top_k", (0, -2, 1.5, True)),
    ("seed", (-1, "a")),
    ("stop", (-1, 0.5, "a")),
)
"""What is refused, by its name."""


def samples(bench: Bench) -> Iterator[str]:
    """What is drawn is what the network's predictions say; the same seed draws the same."""
    if not bench.case.writes_on:
        return
    tensor = bench.case.inputs[0]
    rows, classes = bench.numbers(tensor), tensor.classes or 0
    is_of_places = np.ndim(bench.module.predict(bench.params(), rows[:1])) == rows.ndim + 1
    if not (_are_chances(bench, rows) and (not is_of_places or _looks_back(bench, rows, classes))):
        if wrong := refusal(ValueError, ("sample:", "params:"), _sample, bench, list(rows[0])):
            yield f"sample: a network whose predictions say nothing of the next label {wrong}"
        return
    yield from _draws(bench, rows, is_of_places)
    yield from _refuses(bench, list(map(int, rows[0])), classes)
    short = list(map(int, rows[0][:-1]))
    if not is_of_places and short and (wrong := refusal(ValueError, "start:", _sample, bench, short)):
        yield f"sample: too few labels to begin with {wrong}"


def _draws(bench: Bench, rows: Array, is_of_places: bool) -> Iterator[str]:
    starts = [list(map(int, rows[0])), [*map(int, rows[0]), *map(int, rows[1])]]
    for start in [*starts, *([[int(label)] for label in np.unique(rows)[:_STARTS]] if is_of_places else [])]:
        for temperature, most, seed in (
            (1.0, None, 3),
            (0, None, 0),
            (0.5, 2, 4),
            (2.5, None, 5),
            (0.05, None, 6),
        ):
            due = _expected(bench, start, temperature, most, seed)
            told = {"temperature": temperature, "top_k": most, "seed": seed}
            given = np.array(start)
            if list(_sample(bench, given, **told)) != due or given.tolist() != start:
                yield f"sample: of {start} it draws others than the predictions say, with {told}"
            if list(_sample(bench, start, **told)) != due:
                yield f"sample: a list is another start than an array, or a seed draws others, with {told}"
            stop = due[len(start) + 1]
            until = len(start) + 1 + due[len(start) :].index(stop)
            if list(_sample(bench, start, **told, stop=stop)) != due[:until]:
                yield f"sample: it does not end behind the label {stop}, with {told}"
    if list(_sample(bench, bytes(starts[0]), seed=1)) != _expected(bench, starts[0], 1.0, None, 1):
        yield "sample: bytes are another start than their numbers"
    plain = bench.module.sample(bench.params(), starts[0], _LENGTH)
    if list(plain) != _expected(bench, starts[0], 1.0, None, 0):
        yield "sample: what is left out is not temperature 1, all labels and seed 0"


def _sample(bench: Bench, start: Any, length: Any = _LENGTH, **told: Any) -> Any:
    return bench.module.sample(bench.params(), start, length, **told)


def _expected(
    bench: Bench, start: Sequence[int], temperature: float, most: int | None, seed: int
) -> list[int]:
    """The same, label by label: the likeliest are in front, of equal ones the lowest."""
    rng, found = np.random.default_rng(seed), list(start)
    for _ in range(_LENGTH):
        chances = _chances_behind(bench, found)
        ranked = [label for _, label in sorted(zip(-chances, range(len(chances)), strict=True))][:most]
        if temperature == 0:
            found.append(ranked[0])
            continue
        weights = (chances[ranked] / chances[ranked[0]]) ** (1 / temperature)
        found.append(int(rng.choice(ranked, p=weights / weights.sum())))
    return found


def _chances_behind(bench: Bench, labels: Sequence[int]) -> Array:
    """What the network says of the label behind these: by the last ones in its window, or having read all."""
    if goes_on(bench.module) and bench.module.PREDICTED[0] in bench.module.STEPS:
        carry = None
        for label in labels:
            predicted, carry = bench.module.step(bench.params(), carry, [label])
        return np.asarray(predicted[0], np.float64)
    window = int(bench.case.inputs[0].axes[1])
    seen = labels[-window:]
    row = np.zeros((1, window), np.int64)
    row[0, : len(seen)] = seen
    chances = np.asarray(bench.module.predict(bench.params(), row), np.float64)[0]
    return chances if chances.ndim == 1 else np.asarray(chances[len(seen) - 1])


def _are_chances(bench: Bench, rows: Array) -> bool:
    found = np.asarray(bench.module.predict(bench.params(), rows), np.float64)
    return bool(np.isfinite(found).all() and found.min() >= 0 and np.allclose(found.sum(-1), 1, atol=1e-3))


def _looks_back(bench: Bench, rows: Array, classes: int) -> bool:
    """Whether what is predicted at places is the same whatever stands behind the first 1, 2, 4, ..."""
    window = rows.shape[1]
    cuts = sorted({window - 1, *(1 << n for n in range(window.bit_length()) if 1 << n < window)})
    tried = np.array([[0] * seen + [classes - 1] * (window - seen) for seen in (window, *cuts)], np.int64)
    first, *others = (np.asarray(bench.module.predict(bench.params(), row[None]))[0] for row in tried)
    return all(
        np.allclose(first[:seen], other[:seen], rtol=1e-4, atol=1e-6)
        for seen, other in zip(cuts, others, strict=True)
    )


def _refuses(bench: Bench, start: list[int], classes: int) -> Iterator[str]:
    good = {"start": start, "length": 2}
    for name, values in _BAD:
        for value in (*values, *([[classes]] if name == "start" else [classes] if name == "stop" else [])):
            told = {**good, name: value}
            wrong = refusal((ValueError, TypeError), f"{name}:", bench.module.sample, bench.params(), **told)
            if wrong:
                yield f"sample: {name}={value!r} {wrong}"
