"""Whether a module's loss and gradient belong together, by nothing but these two: orders of remainders.

Along a line x + h·d the remainder f(x + hd) − f(x) − h·g(x)·d of a right gradient g shrinks as h², and that
of the trapezoidal rule, f(x + hd) − f(x) − h·(g(x) + g(x + hd))·d/2, as h³ (Taylor). A wrong gradient leaves
in both what shrinks as h, and this is all that is left where steps are small: a part in a million shows, and
no tolerance has to be chosen. A remainder that is lost in rounding says nothing.

Where an order is too low, the steps are looked at more closely before it counts: smaller ones are made, as
long as remainders stand above rounding, which is measured (`reference`); and those that lead over a kink,
where the spec takes another branch than at the point, are left out. Where it is too low still, the middle of
three orders counts, of steps between these too: a right remainder that changes its sign is next to nothing
close by, and a step there spoils its own order alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from symgrad.spec.reads import stops_gradients
from symgrad.verifier.gradients.gradient_blocks import NOISE
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.report import Check
from symgrad.verifier.trials.subject import FaultError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.sampling.samples import Sample
    from symgrad.verifier.trials.trial import Trial, TrialPoint

STEPS = tuple(2.0**-3 * 8.0**-k for k in range(7))
"""Relative to the size of what moves: from an eighth down to half a millionth."""

_SMALLER = tuple(STEPS[-1] * 8.0**-k for k in range(1, 7))
_BETWEEN = (0.5, 0.25)
"""Parts of these steps, which lie between them."""

TOLERANCE = 0.5
"""How much of the way from its order down to that of a wrong derivative a remainder may miss."""

STOPPED = "with stop_gradient the gradient is not the slope of the loss"
"""Why nothing is tried by differences of the module's own loss then."""

ROUNDING = "nothing but rounding"

_ABOVE = 4.0
"""How far above rounding a remainder must stand for its first digits to be its own."""

_LINES = 3
AFFORDABLE = 3e7
"""Scalar operations of one evaluation, above which one line at one point must do."""

Remainders = tuple[float, float]


@dataclass(frozen=True)
class Order:
    """The order of a remainder, and that of what is left where a derivative is wrong."""

    order: int
    wrong: int


@dataclass(frozen=True)
class Decay:
    """How a remainder shrinks: its order at the smallest steps, and the decades of steps that hold it."""

    order: float
    decades: float


@dataclass(frozen=True)
class LinePlace:
    """Loss and gradients somewhere on a line, and how far the tensors have moved."""

    loss: float
    gradients: Mapping[str, Array]
    moved: Mapping[str, Array]

    def along(self, moved: Mapping[str, Array]) -> float:
        """The change of the loss that the gradients here foretell."""
        return float(sum(np.sum(self.gradients[name] * by) for name, by in moved.items()))


@dataclass(frozen=True)
class Line:
    """A straight line through a point, along a direction in some parameters, or in some inputs."""

    trial: Trial
    point: TrialPoint
    directions: Mapping[str, Array]

    kinds: ClassVar[tuple[Order, Order]] = (Order(2, 1), Order(3, 1))

    @property
    def blamed(self) -> str:
        """What an order that is too low says."""
        return "the gradient is not that of the module's own loss"

    def shortfall(self, of_kinds: tuple[float, ...]) -> float:
        """What counts of the shortfalls of both kinds."""
        return max(of_kinds)

    def at(self, step: float) -> LinePlace:
        """What the module computes so many steps on; rounded, but moved by exactly what is said."""
        here = self.point.sample.arrays
        there = self._sample(step)
        moved = {name: there.arrays[name] - here[name] for name in self.directions}
        loss, gradients = self._answer(there)
        return LinePlace(loss, {name: gradients[name] for name in moved}, moved)

    def _sample(self, step: float) -> Sample:
        sample = self.point.sample
        shift = {name: step * direction for name, direction in self.directions.items()}
        parameters, inputs = (
            {name: array + shift[name] if name in shift else array for name, array in arrays.items()}
            for arrays in (sample.parameters, sample.inputs)
        )
        return replace(sample, parameters=parameters, inputs=inputs)

    def _answer(self, sample: Sample) -> tuple[float, Mapping[str, Array]]:
        twin = self.trial.twin
        if self.directions.keys() <= sample.parameters.keys():
            return twin.loss_and_grad(twin.vector(sample.parameters), sample.data)
        shapes = {name: direction.shape for name, direction in self.directions.items()}
        slopes = twin.input_gradients(sample, shapes)
        if self.trial.model.evaluation is None:
            return twin.loss(sample), slopes
        return twin.loss_and_grad(twin.vector(sample.parameters), sample.data)[0], slopes

    @cached_property
    def start(self) -> LinePlace:
        """The point itself."""
        return self.at(0.0)

    def remainders(self, steps: Sequence[float]) -> list[tuple[LinePlace, Remainders]]:
        """What is left of each step, with the gradient of the point, and with those of both ends."""
        return [(there, self.remainder(there)) for there in map(self.at, steps)]

    def remainder(self, there: LinePlace) -> Remainders:
        change, foretold = there.loss - self.start.loss, self.start.along(there.moved)
        return change - foretold, change - (foretold + there.along(there.moved)) / 2

    def has_moved(self, there: LinePlace) -> bool:
        """Whether that which the remainders are of has changed by more than rounding."""
        return abs(there.loss - self.start.loss) > _ABOVE * self.rounding(there)[0]

    def rounding(self, there: LinePlace) -> Remainders:
        """What double precision loses of each remainder, were losses and slopes well conditioned."""
        lost = NOISE * (self.losses(there) + absolute(self.start.gradients, there.moved))
        return lost, lost

    def measured_rounding(self, there: LinePlace) -> Remainders:
        """What it loses by measurement."""
        double = self.point.reference.double
        more = float(double.loss or 0.0) + absolute(double.gradients, there.moved)
        return self.rounding(there)[0] + more, self.rounding(there)[1] + more

    def losses(self, there: LinePlace) -> float:
        """The size of the losses that a change is the difference of."""
        return abs(self.start.loss) + abs(there.loss) + self.trial.floor(self.point)

    def takes_other_branches(self, steps: Sequence[float]) -> list[bool]:
        """Whether the spec takes another branch there than at the point."""
        model = self.trial.model
        here, *there = (
            interpret(model, self._sample(step).arrays, DOUBLE).branches for step in (0.0, *steps)
        )
        return [branches != here for branches in there]


def absolute(slopes: Mapping[str, Any], moved: Mapping[str, Array]) -> float:
    """The size of the terms that a change along a direction is the sum of."""
    return float(sum(np.sum(np.abs(slopes[name] * by)) for name, by in moved.items()))


def decay_of(steps: Sequence[float], remainders: Sequence[float], floors: Sequence[float]) -> Decay | None:
    """How remainders shrink as far as they stand above rounding; None where less than two of them do."""
    found = sorted(
        (step, abs(remainder))
        for step, remainder, floor in zip(steps, remainders, floors, strict=True)
        if _ABOVE * floor < abs(remainder) < math.inf
    )
    if len(found) < 2:
        return None
    orders = [math.log(r2 / r1) / math.log(h2 / h1) for (h1, r1), (h2, r2) in pairwise(found)]
    held = next((n for n, order in enumerate(orders) if abs(order - orders[0]) > 0.25), len(orders))
    (first, least), (last, greatest) = found[0], found[held]
    return Decay(math.log(greatest / least) / math.log(last / first), math.log10(last / first))


@dataclass(frozen=True)
class OrderVerdict:
    """How both remainders of a line shrink, and whether what they are of moves along it at all.

    Where each step but one leads over a kink, the line `is_kinked` and says nothing.
    """

    line: Line
    decays: tuple[Decay | None, ...]
    moves: bool
    is_kinked: bool = False

    @property
    def shortfalls(self) -> tuple[float, ...]:
        """Of both: 0 where the order is not too low, 1 where it is that of a wrong derivative."""
        found = zip(self.decays, self.line.kinds, strict=True)
        return tuple(
            0.0 if d is None else min(max(k.order - d.order, 0.0) / (k.order - k.wrong), 1.0)
            for d, k in found
        )

    @property
    def shortfall(self) -> float:
        return self.line.shortfall(self.shortfalls)

    @property
    def message(self) -> str:
        kind = max(n for n, found in enumerate(self.shortfalls) if found == self.shortfall)
        decay, names = self.decays[kind], ", ".join(self.line.directions)
        order = 0.0 if decay is None else decay.order
        return (
            f"{names}: what is left of a small step shrinks with order {order:.2f}, "
            f"not {self.line.kinds[kind].order}, {self.line.point.name}: {self.line.blamed}"
        )


def verdict_on(line: Line) -> OrderVerdict:
    """The orders along a line; where one is too low, by a closer look.

    Raises:
        FaultError: the module raised, or gives no finite loss and gradient at the point.
    """
    start = line.start
    if not math.isfinite(start.loss + sum(float(np.sum(g)) for g in start.gradients.values())):
        raise FaultError(f"no finite loss and gradient {line.point.name}")
    found = line.remainders(STEPS)
    floors = [line.rounding(there) for there, _ in found]
    moves = any(line.has_moved(there) for there, _ in found)
    verdict = OrderVerdict(line, _decays(STEPS, [r for _, r in found], floors), moves)
    if verdict.shortfall <= TOLERANCE:
        return verdict
    verdict = _looked_at_closely(verdict, 1.0)
    if verdict.shortfall <= TOLERANCE:
        return verdict
    looks = (verdict, *(_looked_at_closely(verdict, part) for part in _BETWEEN))
    return replace(verdict, decays=tuple(map(_middle, zip(*(look.decays for look in looks), strict=True))))


def _looked_at_closely(verdict: OrderVerdict, part: float) -> OrderVerdict:
    """The orders by a part of all steps, with smaller ones, as far as they lead over no kink."""
    line, steps = verdict.line, [part * step for step in (*STEPS, *_SMALLER)]
    kept = [step for step, other in zip(steps, line.takes_other_branches(steps), strict=True) if not other]
    found = line.remainders(kept)
    floors = [line.measured_rounding(there) for there, _ in found]
    decays = _decays(kept, [r for _, r in found], floors)
    return replace(verdict, decays=decays, is_kinked=len(kept) < 2)


def _middle(decays: Iterable[Decay | None]) -> Decay | None:
    """That with the order in the middle, the lower one of two."""
    told = {decay.order: decay for decay in decays if decay is not None}
    return told[median_low(told)] if told else None


def _decays(
    steps: Sequence[float], remainders: Sequence[Remainders], floors: Sequence[Remainders]
) -> tuple[Decay | None, ...]:
    return tuple(decay_of(steps, [r[n] for r in remainders], [f[n] for f in floors]) for n in range(2))


def order_checks(trial: Trial) -> Iterator[Check]:
    """One row: the orders along random lines in parameters, and in inputs that gradients are asked of."""
    name, what = "order", "remainder of a step, by the module's own loss and gradient"
    if stops_gradients(trial.model):
        yield Check(name, what, 0.0, TOLERANCE, "no evidence", STOPPED)
        return
    try:
        verdicts = [verdict_on(line) for line in _lines(trial)]
    except FaultError as fault:
        yield Check(name, what, math.inf, TOLERANCE, "fail", str(fault))
        return
    if not verdicts:
        return
    worst = max(verdicts, key=lambda verdict: verdict.shortfall)
    if not worst.shortfall <= TOLERANCE:
        yield Check(name, what, worst.shortfall, TOLERANCE, "fail", worst.message)
    elif not any(verdict.moves for verdict in verdicts):
        yield Check(name, what, 0.0, TOLERANCE, "no evidence", "the loss does not change along any line")
    else:
        shown = [held for n in range(2) if (held := longest_held(verdicts, n))]
        orders = ", with both ends' gradients ".join(shown) or ROUNDING
        yield Check(name, f"{what}: {orders}", worst.shortfall, TOLERANCE, "pass")


def longest_held(verdicts: Sequence[OrderVerdict], kind: int) -> str:
    """The order of a kind that was held longest, and how long; empty where all is rounding."""
    held = (v.decays[kind] for v in verdicts)
    best = max((d for d in held if d is not None), key=lambda d: d.decades, default=None)
    return f"order {best.order:.2f} over {best.decades:.1f} decades" if best else ""


def _lines(trial: Trial) -> Iterator[Line]:
    """Lines in some of the parameters at the first point, in all at others; in the inputs."""
    affordable = trial.points[0].exact.work <= AFFORDABLE
    for number, point in enumerate(p for p in trial.points if p.thorough):
        if number and not affordable:
            return
        rng = np.random.default_rng((trial.seed, number, 4))
        sample = point.sample
        if trial.trains:
            varied = [name for name in sample.parameters if name not in trial.model.states]
            count = min(_LINES, len(varied)) if affordable and number == 0 else 1
            for names in np.array_split(varied, count):
                yield Line(trial, point, direction_in({n: sample.parameters[n] for n in names}, rng))
        inputs = {name: sample.inputs[name] for name in trial.model.spec.gradients if name in sample.inputs}
        if inputs:
            yield Line(trial, point, direction_in(inputs, rng))


def direction_in(arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """A sign for every entry, times the power of 2 next to the block's size: a step on it is exact."""
    largest = max((_size(array) for array in arrays.values()), default=0.0) or 1.0
    scales = {name: 2.0 ** round(math.log2(_size(array) or largest)) for name, array in arrays.items()}
    return {str(n): scales[n] * rng.choice([-1.0, 1.0], size=a.shape) for n, a in arrays.items()}


def _size(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
