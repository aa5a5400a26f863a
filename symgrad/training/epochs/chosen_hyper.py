"""Hyper-parameters that a training is given in place of those of its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from symgrad.arguments import finite
from symgrad.errors import SpecError, SymgradError, warn
from symgrad.spec.expand import expand
from symgrad.spec.expansion.hyper_parameters import hyper_name, with_hyper
from symgrad.spec.sense import doubts, refuse_nonsense

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec


def chosen_hyper(spec: Spec, given: Mapping[str, Any]) -> dict[str, float]:
    """The numbers by their names in the spec's module; `given` may call them `optimizer.learning_rate` too.

    They are held to all that a spec is held to.

    Raises:
        SpecError: there is no such number, it is given twice, or a spec could not have it.
        SymgradError: it is no number, or these are no numbers by name.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise SymgradError(f"hyper is {given!r}", remedy='expected numbers by name: {"learning_rate": 0.01}')
    if not given:
        return {}
    model = expand(spec)
    numbers = {hyper_name(model, key): finite(f"hyper: {key}", value) for key, value in given.items()}
    if len(numbers) < len(given):
        raise SpecError(
            "a hyper-parameter is given twice",
            at=spec.at,
            remedy=f"expected one of each: {', '.join(numbers)}",
        )
    refuse_nonsense(with_hyper(model, numbers))
    return numbers


def warn_of_hyper(spec: Spec, numbers: Mapping[str, float]) -> None:
    """Warn of what is doubtful in a spec with these numbers and is not with its own."""
    model = expand(spec)
    before = set(map(str, doubts(model)))
    for found in doubts(with_hyper(model, numbers)):
        if str(found) not in before:
            warn(found)


def first_state(module: ModuleType, params: Any, hyper: Mapping[str, float], seed: int | None = None) -> Any:
    """The optimiser's state before the first step; where numbers are drawn, by a seed, or the spec's own.

    Raises:
        SpecError: a number that makes another step of the optimiser than the module's.
    """
    try:
        state = module.init_state(params, hyper=dict(hyper)) if hyper else module.init_state(params)
    except ValueError as error:
        raise SpecError(str(error), at=module.SPEC_NAME) from None
    if seed is not None and len(state.step) > 1:
        state.step[1] = seed
    return state
