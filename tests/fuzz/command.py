"""The long run: specs of every kind until the time is over; what failed is shrunk and shown as YAML."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import click
from ruamel.yaml import YAML

from fuzz.called_networks import called_networks_spec
from fuzz.chance import chance_spec
from fuzz.derivative_programs import derivative_spec
from fuzz.derived import derived_spec
from fuzz.extremes import extreme_spec
from fuzz.fixed_points import fixed_points_spec
from fuzz.free_axes import free_axes_spec
from fuzz.handed_over import handed_over_spec
from fuzz.judge import JUDGES, judge
from fuzz.kinks import kink_spec
from fuzz.layered import layered_spec
from fuzz.lengths import lengths_spec
from fuzz.magnitudes import magnitude_spec
from fuzz.networks import chain_spec, graph_spec
from fuzz.optimizers import optimizer_spec
from fuzz.recurrent import recurrent_spec
from fuzz.repeated import repeated_spec
from fuzz.resampled import resampled_spec
from fuzz.scalar_formulas import scalar_spec
from fuzz.sequences import sequence_spec
from fuzz.shared import coupled_shared_spec, shared_spec
from fuzz.shrink import shrunk
from fuzz.slope_networks import slope_networks_spec
from fuzz.some_rows import some_rows_spec
from fuzz.tensor_programs import indexed_spec, tensor_spec
from fuzz.two_modes import modes_spec
from fuzz.whole_steps import whole_steps_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fuzz.gradients import Outcome

KINDS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "scalars": scalar_spec,
    "tensors": tensor_spec,
    "indexed": indexed_spec,
    "chain": chain_spec,
    "graph": graph_spec,
    "sequence": sequence_spec,
    "layered": layered_spec,
    "repeated": repeated_spec,
    "free_axes": free_axes_spec,
    "optimizer": optimizer_spec,
    "extremes": extreme_spec,
    "kinks": kink_spec,
    "magnitudes": magnitude_spec,
    "derivatives": derivative_spec,
    "derived": derived_spec,
    "recurrent": recurrent_spec,
    "whole_steps": whole_steps_spec,
    "lengths": lengths_spec,
    "called_networks": called_networks_spec,
    "slope_networks": slope_networks_spec,
    "modes": modes_spec,
    "chance": chance_spec,
    "shared": shared_spec,
    "some_rows": some_rows_spec,
    "coupled": coupled_shared_spec,
    "fixed_points": fixed_points_spec,
    "resampled": resampled_spec,
    "handed_over": handed_over_spec,
}


COMPILED_EACH = 50
COMPILING = 200.0
"""Seconds that a spec may take where its module is compiled."""


@dataclass(frozen=True)
class Failure:
    """A spec that went wrong, and the numbers that draw it again."""

    spec: dict[str, Any]
    outcome: Outcome
    kind: str
    number: str


@dataclass
class Tally:
    """How many specs of each kind had which outcome, and those that failed."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    compiled: int = 0
    slowest: tuple[float, str] = (0.0, "")


def drawn(kind: str, seed: int, number: int) -> tuple[dict[str, Any], Random]:
    """The spec of this kind with this number, and the generator for its points."""
    random = Random(f"{kind} {seed} {number}")
    return KINDS[kind](random), random


def run(
    seconds: float,
    seed: int,
    kinds: Iterable[str] = tuple(KINDS),
    numbers: Iterable[int] = range(10**9),
    compiled_each: int = COMPILED_EACH,
) -> Tally:
    """Judge the specs of these kinds with these numbers in turn until the time is over.

    Every so many-th of a kind is compiled too.
    """
    tally, began = Tally(), time.perf_counter()
    for number in numbers:
        for kind in kinds:
            if time.perf_counter() - began > seconds:
                tally.seconds = time.perf_counter() - began
                return tally
            started = time.perf_counter()
            spec, random = drawn(kind, seed, number)
            outcome = judge(spec, random, by_rows=number % 2 == 1)
            if number % compiled_each == compiled_each - 1 and kind not in JUDGES and outcome.kind == "right":
                tally.compiled += 1
                outcome = judge(spec, random, by_rows=number % 4 == 0, limit=COMPILING, compiled=True)
            tally.counts[kind, "failed" if outcome.failed else outcome.kind] += 1
            name = f"{seed}:{kind}:{number}"
            tally.slowest = max(tally.slowest, (time.perf_counter() - started, name))
            if outcome.failed:
                tally.failures.append(Failure(spec, outcome, kind, name))
    tally.seconds = time.perf_counter() - began
    return tally


MOST_SHRUNK = 3
"""So many failures of one kind are shrunk; the rest are counted."""


def show(tally: Tally) -> None:
    """The counts by kind, the rate, and the failures with the shortest specs of each kind, shrunk."""
    total = sum(tally.counts.values())
    rate = f"{total / tally.seconds * 60:.0f} a minute"
    print(f"{total} specs in {tally.seconds:.0f} s, {rate}, {tally.compiled} of them compiled too")
    for kind in dict.fromkeys(k for k, _ in tally.counts):
        counts = ", ".join(f"{n} {outcome}" for (k, outcome), n in sorted(tally.counts.items()) if k == kind)
        print(f"  {kind}: {counts}")
    print(f"slowest {tally.slowest[1]}: {tally.slowest[0]:.1f} s")
    for kind, count in Counter(f.outcome.kind for f in tally.failures).most_common():
        print(f"\n# {count} times {kind}")
        same = [f for f in tally.failures if f.outcome.kind == kind]
        for failure in sorted(same, key=lambda f: len(str(f.spec)))[:MOST_SHRUNK]:
            print(f"# {failure.number}: {failure.outcome.detail}")
            by_rows = int(failure.number.rpartition(":")[2]) % 2 == 1
            YAML().dump(shrunk(failure.spec, kind, by_rows), sys.stdout)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--minutes", default=1.0, help="How long to draw.")
@click.option("--seed", type=int, help="Draws the same specs again; a fresh one without it.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(tuple(KINDS)),
    help="This kind alone; may be repeated.",
)
@click.option("--number", type=int, help="Only the spec with this number, of each kind.")
def main(minutes: float, seed: int | None, kinds: tuple[str, ...], number: int | None) -> None:
    """Random specs against an oracle that shares nothing with symgrad."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    print(f"seed {seed}")
    tally = run(minutes * 60, seed, kinds or tuple(KINDS), range(10**9) if number is None else (number,))
    show(tally)
    sys.exit(bool(tally.failures))
