"""Every way to the gradient of a loss, ready to be run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symgrad.comparison.arithmetics import complex_numbers
from symgrad.comparison.automatic import installed, jax_gradient, pytorch_gradient
from symgrad.comparison.claims import claimed_derivatives, with_manual
from symgrad.comparison.numerical import DIFFERENCES, Difference
from symgrad.spec.reads import stops_gradients
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.comparison.problem import Problem
    from symgrad.verifier.interpretation.array_library import Array

Kind = Literal["manual", "symbolic", "numerical", "automatic"]

EXACT = 1e-10
"""What float64 may lose to rounding, relative to the largest entry or the loss."""

_COMPLEX = "complex step"
_TINY = 1e-100
"""An imaginary step so small that nothing is cut off and nothing cancels."""


@dataclass(frozen=True)
class Way:
    """A way to the gradient. `run` gives the loss and the gradient, 0 where the way says nothing.

    It consists of `evaluations` calls of `once`, and claims `accuracy`. `difference` is set for a way that a
    kink of the loss can lead astray. `covers` are the tensors it has a gradient for, none meaning all.
    `refusal` says why a way without `run` cannot be gone, `note` what is to be known of one with it.
    """

    kind: Kind
    name: str
    run: Callable[[], tuple[float, Array]] | None
    once: Callable[[], Any] | None = None
    evaluations: int = 1
    accuracy: float = EXACT
    difference: Difference | None = None
    covers: tuple[str, ...] = ()
    refusal: str = ""
    note: str = ""


def ways(problem: Problem) -> Iterator[Way]:
    """All ways, in the order in which lecture 001 lists them."""
    yield _manual(problem)
    yield Way("symbolic", "emitted module", partial(symbolic_gradient, problem))
    yield from _numerical(problem)
    for name, package, gradient, note in (
        ("PyTorch", "torch", pytorch_gradient, "eager, on one thread"),
        ("JAX", "jax", jax_gradient, "compiled"),
    ):
        library = installed(package)
        run = gradient(problem, library) if library is not None else None
        yield Way("automatic", name, run, refusal="" if run else "not installed", note=note)


def _numerical(problem: Problem) -> Iterator[Way]:
    """Differences of the loss, where the gradient is its slope."""
    if stops_gradients(problem.model):
        refusal = "what the gradient takes for constant, by stop_gradient or in a solver, they see move"
        names = (*(difference.name for difference in DIFFERENCES), _COMPLEX)
        yield from (Way("numerical", name, None, refusal=refusal) for name in names)
        return
    arguments = problem.arguments(problem.vector)
    for difference in DIFFERENCES:
        yield Way(
            "numerical",
            difference.name,
            partial(_difference, problem, difference),
            partial(problem.module.loss, *arguments),
            1 + problem.vector.size * difference.evaluations,
            difference.accuracy,
            difference,
        )
    yield _complex_step(problem)


def _manual(problem: Problem) -> Way:
    name = "given formulas"
    by = {claim.of: claim.name for claim in claimed_derivatives(problem.model)}
    model = with_manual(problem.model)
    if not problem.model.manual:
        remedy = f"to check your own, add manual: {{d{problem.names[0]}: ...}}"
        return Way("manual", name, None, refusal=f"the spec has none; {remedy}")
    covers = tuple(name for name in problem.names if name in by)
    if not covers:
        return Way("manual", name, None, refusal=f"there is no formula d{problem.names[0]}")
    missing = ", ".join(f"d{name}" for name in problem.names if name not in by)

    def run() -> tuple[float, Array]:
        values = interpret(model, problem.sample.arrays, DOUBLE)
        unknown = problem.blocks(np.zeros(problem.vector.size))
        blocks = [values.tensors[by[n]] if n in by else unknown[n] for n in problem.names]
        return _number(values.loss), np.concatenate([np.ravel(block) for block in blocks])

    return Way("manual", name, run, covers=covers, note=f"there is no {missing}" if missing else "")


def symbolic_gradient(problem: Problem) -> tuple[float, Array]:
    """The loss and its gradient by the emitted module."""
    arguments = problem.arguments(problem.vector)
    if problem.is_by_parameters:
        loss, gradients = problem.module.loss_and_grad(*arguments)
        blocks = list(gradients)
    else:
        loss = problem.module.loss(*arguments)
        gradients = problem.module.input_gradients(*arguments)
        blocks = [getattr(gradients, name) for name in problem.names]
    return float(loss), np.concatenate([np.ravel(block) for block in blocks])


def _difference(problem: Problem, difference: Difference) -> tuple[float, Array]:
    vector = problem.vector
    arguments = problem.arguments(vector)
    return difference.gradient(lambda: float(problem.module.loss(*arguments)), vector)


def _complex_step(problem: Problem) -> Way:
    name = _COMPLEX
    if problem.evaluate().branches:
        return Way("numerical", name, None, refusal="not analytic: where, max, min, abs or sign on the way")
    arithmetic, arrays = complex_numbers(), problem.sample.arrays

    def slope(shift: dict[str, Array]) -> Any:
        return interpret(problem.model, arrays, arithmetic, shift).loss

    def run() -> tuple[float, Array]:
        here = _number(problem.evaluate().loss)
        vector = np.zeros(problem.vector.size, dtype=np.complex128)
        shifts, slopes = problem.blocks(vector), np.empty(vector.size)
        for place in range(vector.size):
            vector[place] = 1j * _TINY
            slopes[place] = slope(shifts).imag / _TINY
            vector[place] = 0
        return here, slopes

    return Way("numerical", name, run, partial(slope, {}), 1 + problem.vector.size)


def _number(loss: Array | None) -> float:
    return float(np.asarray(loss))
