"""The least time a step can take on this machine: its products at BLAS speed, its bytes at memory speed.

What is counted is what no program can leave out: the multiplications and additions of all matrix products
but the gradient of the input, at the best rate any BLAS reached; every parameter and every entry of the
optimiser's state read once and written once; every row of the batch read once. Elementwise work, losses and
the copies of a shuffled batch count nothing, so the floor is out of reach, most of all for small sizes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.problems import CHANNELS, FEATURES, LENGTH, Problem, parameter_count

if TYPE_CHECKING:
    from benchmarks.processes import Place

NUMBER = 4  # bytes of a float32
LABEL = 8  # bytes of a label as it is given to all: int64


@dataclass(frozen=True)
class Rates:
    """What the machine reaches on some cores.

    `products` are the best float32 FLOP/s of each BLAS there is; `passes` maps the bytes of an array to the
    bytes per second at which a pass over it reads and writes.
    """

    products: dict[str, float]
    passes: dict[int, float]

    def best(self, other: Rates) -> Rates:
        """The better of two measurements, each for itself."""
        return Rates(
            {name: max(rate, other.products.get(name, 0.0)) for name, rate in self.products.items()},
            {size: max(rate, other.passes.get(size, 0.0)) for size, rate in self.passes.items()},
        )


@dataclass(frozen=True)
class Floor:
    """What a step of a problem costs at least."""

    problem: str
    flops: int
    bytes: int
    seconds: float


def floor_of(problem: Problem, rates: Rates) -> Floor:
    """The floor on a machine of these rates.

    The state moves at the rate of an array as large as itself, which stays in the cache it fits in; the rows
    of a batch at the rate of an array as large as all rows of the epoch.
    """
    flops, state, rows = product_flops(problem), state_bytes(problem), batch_bytes(problem)
    seconds = flops / max(rates.products.values())
    seconds += 2 * state / _rate_at(rates.passes, state) + rows / _rate_at(rates.passes, rows * problem.steps)
    return Floor(problem.name, flops, 2 * state + rows, seconds)


def product_flops(problem: Problem) -> int:
    """The multiplications and additions of a step's matrix products, without the gradient of the input."""
    if problem.kind == "attention":
        projections = 6 * LENGTH * CHANNELS * FEATURES  # Q, K, V, dWq, dWk, dWv
        scores = 6 * LENGTH * LENGTH * FEATURES  # S, O, dP, dV, dQ, dK
        return 2 * problem.batch * (projections + scores)
    weights = [shape for shape in problem.shapes if len(shape) > 1]
    sizes = [rows * columns for rows, columns in weights]
    return 2 * problem.batch * (3 * sum(sizes) - sizes[0])


def state_bytes(problem: Problem) -> int:
    """The parameters, and for Adam its two moments of each."""
    return NUMBER * parameter_count(problem) * (3 if problem.optimizer == "adam" else 1)


def batch_bytes(problem: Problem) -> int:
    """The inputs and targets of one batch."""
    if problem.kind == "attention":
        return problem.batch * LENGTH * (CHANNELS + FEATURES) * NUMBER
    return problem.batch * (problem.sizes[0] * NUMBER + (NUMBER if problem.kind == "binary" else LABEL))


def _rate_at(rates: dict[int, float], size: int) -> float:
    """The rate at the largest measured size that is not larger, which is never too low."""
    return rates[max((s for s in rates if s <= size), default=min(rates))]


def measured_rates(place: Place, seconds: float) -> Rates:
    """What this machine reaches now, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.probe", str(seconds)]
    run = subprocess.run(command, env=place.environment(), stdout=subprocess.PIPE, check=True)
    found = json.loads(run.stdout)
    return Rates(found["products"], {int(size): rate for size, rate in found["passes"]})
