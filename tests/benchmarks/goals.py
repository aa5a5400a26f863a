"""The goals that symgrad's speed is held to, each with what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.problems import FURTHER_PROBLEMS, RESIDUAL_PROBLEMS
from benchmarks.results import Results, Steps, peers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.alone import Footprint

OURS = ("symgrad", "symgrad OpenBLAS", "symgrad step")
TINY = ("2-4-4-2 b1", "2-4-4-2 b32")
SMALL, MIDDLE = "64-32-32-10 b32", "784-128-128-10 b64"
LARGE = ("784-1000-1000-2 b100", "784-1000-1000-10 b512")
MANY = "64-32-32-1000 b32"
NETWORKS = {
    "conv1d 100x4 b32": 1.5,
    "LeNet 8x8 b64": 1.5,
    "LeNet 28x28 b64": 1,
    "two convolutions 16x16x32 b32": 1,
    "ResNet block 32x32x16 b32": 1,
    "ResNet block 32x32x32 b32": 1,
    "attention T16 d32 b32": 1,
    "attention T128 d256 b8": 1,
    "attention T128 d256 b8 heads first": 1,
    "GPT 2 blocks d64 T32 b16": 1.3,
    "GPT 4 blocks d64 T32 b16": 1.3,
    "GPT 2 blocks d128 T64 b8": 1.3,
    "GPT 2 blocks d128 T128 b8": 1.3,
    "Bengio 64 tokens b64": 1.5,
    "Bengio 10000 tokens b32": 1.5,
}
"""How many times as fast as the best peer each is to be."""


@dataclass(frozen=True)
class Goal:
    """What is demanded, what was measured, and whether that is enough; none where something is missing."""

    demand: str
    measured: str
    met: bool | None


def goals(results: Results) -> list[Goal]:
    """All goals, in the order of the tables; those of steps by their medians on one core."""
    steps = results.on_one_core()
    of_steps = list(_goals_of_steps(steps)) if steps else []
    return [*of_steps, *_goals_of_starts(results), *_goals_of_memory(results)]


def _goals_of_steps(steps: Steps) -> Iterator[Goal]:
    for problem in TINY:
        yield _faster(steps, problem, "JAX scan", 2)
        yield _faster(steps, problem, "PyTorch", 200)
    yield _faster(steps, SMALL, "JAX scan", 2)
    yield _faster(steps, SMALL, "PyTorch", 20)
    yield _faster_than_best(steps, MIDDLE, 1.2)
    for problem in LARGE:
        yield _faster_than_best(steps, problem, 1)
        yield _at_most(f"{problem}: at most 1.15 × the floor", steps, problem, steps.floor(problem), 1.15)
    for relu in (SMALL, MIDDLE, LARGE[0], MANY):
        text = f"{relu} tanh: at most 1.2 × the same with ReLU"
        yield _at_most(text, steps, f"{relu} tanh", steps.median(relu, "symgrad"), 1.2)
    without = steps.median(f"{MANY} relu at the end", "symgrad")
    yield _at_most(f"{MANY}: at most 1.2 × the same with ReLU for softmax", steps, MANY, without, 1.2)
    for problem, demanded in NETWORKS.items():
        yield _faster_than_best(steps, problem, demanded)
    for derived in (*RESIDUAL_PROBLEMS, *FURTHER_PROBLEMS):
        yield _faster(steps, derived.name, "PyTorch", 3)
        yield _faster(steps, derived.name, "JAX step", 1.5)


def _faster(steps: Steps, problem: str, peer: str, demanded: float) -> Goal:
    mine, other = steps.median(problem, "symgrad"), steps.median(problem, peer)
    demand = f"{problem}: at least {demanded:g} × as fast as {peer}"
    return _ratio(demand, other, mine, lambda ratio: ratio >= demanded)


def _faster_than_best(steps: Steps, problem: str, demanded: float) -> Goal:
    others = {name: steps.median(problem, name) for name in peers_of(steps) if name not in OURS}
    times = {name: time for name, time in others.items() if time is not None}
    best = min(times, key=lambda name: times[name], default="")
    speed = "faster than" if demanded == 1 else f"at least {demanded:g} × as fast as"
    demand = f"{problem}: {speed} the best peer{f', {best}' if best else ''}"
    enough = (lambda ratio: ratio > 1) if demanded == 1 else (lambda ratio: ratio >= demanded)
    return _ratio(demand, times.get(best), steps.median(problem, "symgrad"), enough)


def _at_most(demand: str, steps: Steps, problem: str, other: float | None, allowed: float) -> Goal:
    return _ratio(demand, steps.median(problem, "symgrad"), other, lambda ratio: ratio <= allowed)


def _ratio(demand: str, above: float | None, below: float | None, enough: Callable[[float], bool]) -> Goal:
    if above is None or below is None:
        return Goal(demand, "not measured", None)
    ratio = above / below
    return Goal(demand, f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×", enough(ratio))


def _goals_of_starts(results: Results) -> Iterator[Goal]:
    if not results.starts:
        return
    mine, jax = results.start("symgrad step"), results.start("JAX step")
    cold = mine.cold if mine else None
    yield _seconds("digits, cold spec to first step: under 4 s", cold, 4)
    demand = "digits, cold: at most 6 × JAX's trace, compilation and first step"
    yield _ratio(demand, cold, jax.cold if jax else None, lambda ratio: ratio <= 6)
    yield _seconds("digits, warm, after imports: under 1 s", mine.warm if mine else None, 1)


def _seconds(demand: str, found: float | None, allowed: float) -> Goal:
    if found is None:
        return Goal(demand, "not measured", None)
    return Goal(demand, f"{found:.2f} s", found < allowed)


def _goals_of_memory(results: Results) -> Iterator[Goal]:
    deepest = [
        p for p in results.growths if (p.peer, p.problem) == ("symgrad", "100 layers") and not p.missing
    ]
    if results.growths:
        yield _seconds("100 equal layers: cold under 8 s", deepest[0].cold if deepest else None, 8)
    problems = dict.fromkeys(found.problem for found in results.footprints)
    for problem in problems:
        there = [f for f in results.footprints if f.problem == problem and not f.missing]
        mine = next((f for f in there if f.peer == "symgrad"), None)
        others = [f for f in there if f.peer not in OURS]
        yield _least("peak memory, first run", problem, mine, others, lambda found: found.cold)
        yield _least("peak memory, later run", problem, mine, others, lambda found: found.warm)


def _least(
    what: str, problem: str, mine: Footprint | None, others: list[Footprint], size: Callable[[Footprint], int]
) -> Goal:
    demand = f"{problem}: {what} below every peer's"
    if mine is None or not others:
        return Goal(demand, "not measured", None)
    below = [f"{f.peer} {size(f) / 1e6:.0f}" for f in sorted(others, key=size) if size(f) <= size(mine)]
    text = f"{size(mine) / 1e6:.0f} MB{'; less: ' if below else ''}{', '.join(below)}"
    return Goal(demand, text, not below)
