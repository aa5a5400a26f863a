"""Whether second derivatives belong to a module's own loss and gradient: orders of remainders.

Along x + m the loss f, its gradient g and its Hessian H leave f(x + m) − f(x) − g(x)·m − m·H(x)m/2, and
slopes leave (g(x + m) − g(x))·m − m·H(x)m: both shrink as h³ with the length h of m (Taylor). A wrong H
leaves h² in both. The first has few steps above the rounding of a loss, so the second decides: with the order
of gradients that `order` holds it says all that the first does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from symgrad.spec.reads import stops_gradients
from symgrad.verifier.gradients.gradient_blocks import NOISE
from symgrad.verifier.report import Check
from symgrad.verifier.trials.order import (
    AFFORDABLE,
    ROUNDING,
    STOPPED,
    TOLERANCE,
    Line,
    Order,
    absolute,
    direction_in,
    longest_held,
    verdict_on,
)
from symgrad.verifier.trials.subject import FaultError, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import FurtherDerivative
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.order import LinePlace, Remainders
    from symgrad.verifier.trials.trial import Trial, TrialPoint

_KINKED = "every step leads over a kink, where a second derivative says nothing of the other side"
_STRAIGHT = "the slope does not change along any line"


@dataclass(frozen=True)
class CurvedLine(Line):
    """A line in parameters, along which a module's second derivatives are `asked` too."""

    asked: FurtherDerivative

    kinds: ClassVar[tuple[Order, Order]] = (Order(3, 2), Order(3, 2))

    @property
    def blamed(self) -> str:
        return f"{self.asked} is not of the second derivatives of the module's own loss"

    def shortfall(self, of_kinds: tuple[float, ...]) -> float:
        return of_kinds[1]

    def remainder(self, there: LinePlace) -> Remainders:
        curved, before = self._curved(there.moved), self.start.along(there.moved)
        return (
            there.loss - self.start.loss - before - curved / 2,
            there.along(there.moved) - before - curved,
        )

    def has_moved(self, there: LinePlace) -> bool:
        slopes = there.along(there.moved) - self.start.along(there.moved)
        return abs(slopes) > self.rounding(there)[1]

    def rounding(self, there: LinePlace) -> Remainders:
        moved, before = there.moved, absolute(self.start.gradients, there.moved)
        slopes = before + absolute(there.gradients, moved) + absolute(self._product(moved), moved)
        return NOISE * (self.losses(there) + slopes), NOISE * slopes

    def measured_rounding(self, there: LinePlace) -> Remainders:
        double, (first, second) = self.point.reference.double, self.rounding(there)
        slopes = absolute(double.gradients, there.moved)
        return first + float(double.loss or 0.0) + slopes, second + 2 * slopes

    def _curved(self, moved: Mapping[str, Array]) -> float:
        """mᵀHm."""
        product = self._product(moved)
        return float(sum(np.sum(product[name] * by) for name, by in moved.items()))

    def _product(self, moved: Mapping[str, Array]) -> Mapping[str, Array]:
        """Hm, by the module."""
        if self.asked.kind == "hessian":
            (name,) = self.asked.of
            return {name: np.tensordot(self._matrix, moved[name], moved[name].ndim)}
        twin, sample = self.trial.twin, self.point.sample
        whole = {n: moved.get(n, np.zeros_like(a)) for n, a in sample.parameters.items()}
        vector = twin.params(twin.vector(whole))
        return twin.blocks(self._answer_to(vector), self.asked.kind)

    @cached_property
    def _matrix(self) -> Array:
        shape = self.point.sample.parameters[self.asked.of[0]].shape
        return numbers(self._answer_to(), (*shape, *shape), self.asked.kind)

    def _answer_to(self, *vector: object) -> object:
        twin, sample = self.trial.twin, self.point.sample
        params = twin.params(twin.vector(sample.parameters))
        return twin.call(self.asked.function, params, *vector, *twin.data(sample))


def curvature_order_checks(trial: Trial) -> Iterator[Check]:
    """A row for each function of second derivatives: the orders along random lines in parameters."""
    for asked in trial.model.spec.derive:
        if asked.kind in ("hvp", "hessian"):
            yield _check(trial, asked)


def _check(trial: Trial, asked: FurtherDerivative) -> Check:
    name, what = f"order of {asked}", "remainder of a step, by the module's own second derivatives"
    if stops_gradients(trial.model):
        return Check(name, what, 0.0, TOLERANCE, "no evidence", STOPPED)
    try:
        verdicts = [verdict_on(line) for line in _lines(trial, asked)]
    except FaultError as fault:
        return Check(name, what, math.inf, TOLERANCE, "fail", str(fault))
    worst = max(verdicts, key=lambda verdict: verdict.shortfall)
    if not worst.shortfall <= TOLERANCE:
        return Check(name, what, worst.shortfall, TOLERANCE, "fail", worst.message)
    telling = [verdict for verdict in verdicts if verdict.moves and not verdict.is_kinked]
    if not telling:
        reason = _KINKED if any(verdict.is_kinked for verdict in verdicts) else _STRAIGHT
        return Check(name, what, 0.0, TOLERANCE, "no evidence", reason)
    loss, slope = (longest_held(telling, kind) or ROUNDING for kind in range(2))
    return Check(name, f"{what}: {loss}, of its slope {slope}", worst.shortfall, TOLERANCE, "pass")


def _lines(trial: Trial, asked: FurtherDerivative) -> Iterator[CurvedLine]:
    """A line in all parameters that it is of, at every point that is looked at closely."""
    points: list[TrialPoint] = [point for point in trial.points if point.thorough]
    affordable = points[0].exact.work <= AFFORDABLE
    for number, point in enumerate(points if affordable else points[:1]):
        held = trial.model.states
        names = asked.of or [name for name in point.sample.parameters if name not in held]
        rng = np.random.default_rng((trial.seed, number, 5))
        along = direction_in({name: point.sample.parameters[name] for name in names}, rng)
        yield CurvedLine(trial, point, along, asked)
