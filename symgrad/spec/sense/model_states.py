"""States of a model: what they cannot stand beside, and such as nothing reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.reads import read_by, read_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model


def check_states(model: Model) -> None:
    """Refuse states where no step of training computes their next values as the formulas say.

    Raises:
        SpecError: naming the first thing that is in the way.
    """
    if not model.next_values:
        return
    spec, name, instead = model.spec, model.states[0], model.next_values[0].instead
    without = f"out, or the state: write {instead}" if instead else f"out, or the state '{name}'"
    at = next(parameter.at for parameter in model.parameters if parameter.name == name)
    if len(model.parameters) == len(model.next_values):
        problem = f"the state '{name}' lives on from step to step of training, and nothing is trained"
        raise SpecError(problem, at=at, remedy=f"give the spec a parameter, or make '{name}' a constant")
    if spec.train.micro_batches is not None:
        problem = f"a step takes its batch in pieces, and the next value of '{name}' is that of a whole batch"
        raise SpecError(problem, at=spec.train.micro_batches.at, remedy=f"leave micro_batch_size {without}")
    if spec.train.finish is not None:
        problem = f"{spec.train.finish.name} makes no steps in which the state '{name}' could live on"
        raise SpecError(problem, at=spec.train.finish.at, remedy=f"leave finish {without}")
    if spec.derive:
        problem = f"'{spec.derive[0]}' is not derived for a model with state, here '{name}'"
        raise SpecError(problem, at=spec.derive[0].at, remedy=f"leave it {without}")


def idle_states(model: Model) -> Iterator[SpecWarning]:
    """States that only their own next values read."""
    inside, own = read_inside(model.functions), {found.equation: found.state for found in model.next_values}
    read: set[str] = set()
    for equation in model.equations:
        read |= read_by(equation.formula, inside) - {own.get(equation.name, "")}
    for formula in (model.loss, model.prediction, *(c.start.formula for c in model.carried)):
        read |= set() if formula is None else read_by(formula, inside)
    places = {parameter.name: parameter.at for parameter in model.parameters}
    for name in model.states:
        if name not in read:
            problem = f"nothing reads the state '{name}' but its own next value"
            yield SpecWarning(problem, at=places[name], remedy="leave it out, or use it")
