"""`step`: one step of time after the other predicts what the whole sequence does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, flat, kept, refusal, same
from symgrad.verifier.identity.outcome import in_time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.interpretation.array_library import Array

_TOLERANCE = 1e-9
"""What other orders of sums may do to what is predicted, relative to the largest."""
STEP = "step"


def goes_on(module: Any) -> bool:
    """Whether a module offers one step of time."""
    return hasattr(module, STEP)


def steps(bench: Bench) -> Iterator[str]:
    """Step after step is the whole; what is given stays as it is, and what is no step is refused by name."""
    if not goes_on(bench.module):
        return
    inputs = [bench.numbers(tensor) for tensor in bench.case.inputs]
    whole = flat(bench.module.predict(bench.params(), *inputs))
    seen: list[tuple[Any, tuple[Array, ...]]] = []

    def step(carry: Any, *given: Array) -> Any:
        seen.append((carry, given))
        before = kept((carry, given))
        answer = bench.module.step(bench.params(), carry, *given)
        again = bench.module.step(bench.params(), carry, *given)
        if not (same(answer, again) and (carry is None or same(carry, before[0])) and same(given, before[1])):
            wrong.append("step: it changes what it is given, or answers otherwise when asked again")
        return answer

    wrong: list[str] = []
    found = in_time_of(vars(bench.module), whole, inputs, step)
    yield from wrong[:1]
    if not same(found, whole, _TOLERANCE):
        yield "step: step after step predicts something else than the whole does"
    yield from _refuses(bench, *seen[-1])


def _refuses(bench: Bench, carry: Any, given: tuple[Array, ...]) -> Iterator[str]:
    def told(carry: Any, *given: Any) -> str:
        kinds = (ValueError, TypeError)
        names = (f"{bench.module.STEP_INPUTS[0]}:",) if given and given[0] is not first else ("carry",)
        return refusal(kinds, names, bench.module.step, bench.params(), carry, *given)

    first = given[0] if given else None
    bad: list[tuple[str, Any, tuple[Any, ...]]] = [
        ("one number", 0.0, given),
        ("too little", tuple(carry or ())[1:], given),
        ("another shape", tuple(array[..., None] for array in carry or ()), given),
        ("no numbers", tuple(np.full_like(array, np.nan) for array in carry or ()), given),
    ]
    if given:
        bad += [(f"{bench.module.STEP_INPUTS[0]} of another shape", carry, (given[0][None], *given[1:]))]
    for what, carried, arrays in bad if carry is not None else ():
        if wrong := told(carried, *arrays):
            yield f"step: {what} {wrong}"
