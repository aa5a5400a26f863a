"""The steps of an optimiser of the user's own, tried on single numbers: they move theta, and downhill."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.intervals import interval
from symgrad.spec.language.syntax import Call, Node, Number
from symgrad.spec.language.trees import names_in
from symgrad.spec.library.hyper import LONG, SHORT, USUAL_STEPS
from symgrad.spec.model import AFTER_STEP
from symgrad.spec.numbers import number
from symgrad.spec.ranges import check_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model, OptimizerSpec

STEPS = 3
POINTS = (0.7, -0.7)
GRADIENTS = (1.0, -1.0, 1e-3, -1e-3)
_RATE = (("learning_rate", "(0, inf)"),)


@dataclass(frozen=True)
class Path:
    """Where theta goes, step by step, under one gradient all the time."""

    gradient: float
    thetas: tuple[float, ...]

    @property
    def defined(self) -> bool:
        return all(map(math.isfinite, self.thetas))

    @property
    def moved(self) -> float:
        return self.thetas[-1] - self.thetas[0]


def check_steps(model: Model) -> None:
    """Refuse steps that leave theta alone, forget it, or are no number.

    Raises:
        SpecError: for such an optimiser.
    """
    optimizer = model.optimizer
    if isinstance(model.spec.train.optimizer, Call):
        return
    theta = dict(optimizer.update)["theta"]
    check_ranges(Call("the optimiser", (), (), theta.at), _RATE, dict(optimizer.hyper))
    _check_reads(optimizer, theta)
    for gradient in GRADIENTS:
        paths = [path_of(optimizer, point, gradient) for point in POINTS]
        if not any(path.defined for path in paths):
            when = min(_first_undefined(path) for path in paths)
            problem = f"the new theta is no finite number at step {when}, with a gradient of {gradient:g}"
            raise SpecError(problem, at=theta.at, remedy="a gradient has either sign, and t counts from 1")
    if not any(path.moved for path in _paths(optimizer)):
        if small := _too_small(optimizer):
            name, value = small
            problem = f"no step moves theta: {name} is {_start(optimizer)[name]!r}, which is lost beside it"
            raise SpecError(problem, at=value.at, remedy="write a larger one")
        raise SpecError("no step moves theta", at=theta.at, remedy="write theta - eta * g, for example")


def doubtful_steps(model: Model) -> Iterator[SpecWarning]:
    """Steps uphill, without a value where a gradient is 0, from a gradient elsewhere; numbers never read."""
    optimizer = model.optimizer
    if isinstance(model.spec.train.optimizer, Call):
        return
    theta = dict(optimizer.update)["theta"]
    if all(path.moved * path.gradient > 0 for path in _paths(optimizer)):
        remedy = "write theta - eta * g, or the loss with the other sign"
        yield SpecWarning("every step goes up the gradient, not down", at=theta.at, remedy=remedy)
    if not all(path_of(optimizer, point, 0.0).defined for point in POINTS):
        remedy = "add a small number to what is divided by, as in sqrt(r) + 1e-8"
        yield SpecWarning("a step has no value where the gradient is 0", at=theta.at, remedy=remedy)
    yield from _gradient_elsewhere(optimizer)
    yield from _unusual_steps(optimizer, theta)
    for name, value in optimizer.hyper:
        if not any(name in names_in(formula) for formula in _formulas(optimizer)):
            yield SpecWarning(f"no step reads '{name}'", at=value.at, remedy="leave it out, or use it")


def path_of(optimizer: OptimizerSpec, theta: float, gradient: float) -> Path:
    """Three steps from `theta`."""
    thetas, names = [theta], _start(optimizer)
    for step in range(1, STEPS + 1):
        names |= {"theta": theta, "g": gradient, "t": float(step)}
        for target, formula in optimizer.update:
            value = number(formula, names)
            value = math.nan if value is None else value
            if target == "theta":
                theta = names[AFTER_STEP] = value
            else:
                names[target] = value
        thetas.append(theta)
    return Path(gradient, tuple(thetas))


def _paths(optimizer: OptimizerSpec) -> list[Path]:
    found = [path_of(optimizer, point, gradient) for point in POINTS for gradient in GRADIENTS]
    return [path for path in found if path.defined]


def _too_small(optimizer: OptimizerSpec) -> tuple[str, Node] | None:
    """The first hyper-parameter with which steps would move theta, were it 1."""
    for name, value in optimizer.hyper:
        hyper = tuple((n, Number(Fraction(1), v.at) if n == name else v) for n, v in optimizer.hyper)
        if any(path.moved for path in _paths(replace(optimizer, hyper=hyper))):
            return name, value
    return None


def _start(optimizer: OptimizerSpec) -> dict[str, float]:
    """The hyper-parameters and the first values of the states."""
    names: dict[str, float] = {}
    for name, value in (*optimizer.hyper, *optimizer.state):
        found = number(value, names)
        names[name] = math.nan if found is None else found
    return names


def _first_undefined(path: Path) -> int:
    return next((step for step, theta in enumerate(path.thetas) if not math.isfinite(theta)), STEPS)


def _check_reads(optimizer: OptimizerSpec, theta: Node) -> None:
    """Refuse a new theta that is made of neither theta nor anything that is kept from step to step."""
    kept = {"theta", *(name for name, _ in optimizer.state)}
    quantities = {name: names_in(formula) for name, formula in optimizer.update if name not in kept}
    reads = names_in(theta)
    for _ in quantities:
        reads |= {other for name in reads & set(quantities) for other in quantities[name]}
    if not reads & kept:
        problem = "the new theta has nothing to do with the old one"
        raise SpecError(problem, at=theta.at, remedy="write theta - eta * g, for example")


def _gradient_elsewhere(optimizer: OptimizerSpec) -> Iterator[SpecWarning]:
    """A gradient taken at a point ahead, where nothing has moved yet."""
    ahead = optimizer.look_ahead
    if ahead is None:
        return
    found = number(ahead, {**_start(optimizer), "theta": POINTS[0], "t": 1.0})
    if found is not None and found != POINTS[0]:
        problem = f"the first gradient is taken {abs(found - POINTS[0]):g} away from theta"
        yield SpecWarning(problem, at=ahead.at, remedy="write theta + delta * v, with v: 0 at the start")


def _unusual_steps(optimizer: OptimizerSpec, theta: Node) -> Iterator[SpecWarning]:
    """First steps by a gradient of 1 that are far too long or too short, whatever theta is."""
    allowed = interval(USUAL_STEPS)
    moves = [abs(path.thetas[1] - path.thetas[0]) for path in _paths(optimizer) if abs(path.gradient) == 1]
    if min(moves, default=0.0) > allowed.most or 0 < max(moves, default=0.0) < allowed.least:
        problem = f"a gradient of 1 moves theta by {moves[0]:.3g}"
        reason = LONG if moves[0] > allowed.most else SHORT
        remedy = f"with other hyper-parameters it would move by a number {allowed}"
        yield SpecWarning(f"{problem}: {reason}", at=theta.at, remedy=remedy)


def _formulas(optimizer: OptimizerSpec) -> list[Node]:
    ahead = [] if optimizer.look_ahead is None else [optimizer.look_ahead]
    return [*(f for _, f in optimizer.update), *(f for _, f in optimizer.state), *ahead]
