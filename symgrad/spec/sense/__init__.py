"""What a spec says, against what can be meant: what is never meant is refused, a likely slip is doubted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.expansion.parameter_groups import of_group
from symgrad.spec.sense.argument_ranges import check_arguments, unusual_arguments, unusual_hyper
from symgrad.spec.sense.chance import check_draws, draws_of_inference
from symgrad.spec.sense.mismatches import check_widths, mismatches
from symgrad.spec.sense.misnamed import (
    manual_of_nothing,
    predictions_of_their_target,
    starts_of_targets,
    unlike_the_library,
)
from symgrad.spec.sense.mode_choices import check_modes
from symgrad.spec.sense.model_states import check_states, idle_states
from symgrad.spec.sense.optimizer_steps import check_steps, doubtful_steps
from symgrad.spec.sense.precision import blurred_numbers, check_numbers
from symgrad.spec.sense.rates import check_rates, doubtful_rates
from symgrad.spec.sense.starts import alike, check_start
from symgrad.spec.sense.train_blocks import check_training, doubtful_training
from symgrad.spec.sense.train_names import misnamed_in_training
from symgrad.spec.sense.unbounded import unbounded_loss
from symgrad.spec.sense.unused import check_outputs, unused

if TYPE_CHECKING:
    from symgrad.errors import SpecWarning
    from symgrad.spec.model import Model

_REFUSALS = (
    check_arguments,
    check_widths,
    check_numbers,
    check_start,
    check_outputs,
    check_states,
    check_modes,
    check_draws,
    check_training,
    check_steps,
    check_rates,
)
_OF_OPTIMIZER = (check_numbers, check_steps, check_rates)
"""Those that look at the numbers of the optimiser, which some parameters have of their own."""
_DOUBTS = (
    unusual_arguments,
    unusual_hyper,
    blurred_numbers,
    mismatches,
    predictions_of_their_target,
    starts_of_targets,
    unbounded_loss,
    alike,
    unused,
    idle_states,
    draws_of_inference,
    unlike_the_library,
    manual_of_nothing,
    doubtful_steps,
    doubtful_rates,
    doubtful_training,
    misnamed_in_training,
)
_DOUBTS_OF_OPTIMIZER = (unusual_hyper, blurred_numbers, doubtful_steps, doubtful_rates)


def refuse_nonsense(model: Model) -> None:
    """Accept a model that can be meant.

    Raises:
        SpecError: a number out of its range, or a formula that does not do what it stands for.
    """
    for check in _REFUSALS:
        check(model)
    for group in model.groups:
        for check in _OF_OPTIMIZER:
            check(of_group(model, group))


def doubts(model: Model) -> tuple[SpecWarning, ...]:
    """What is likely a mistake, in the order of the checks; what groups of parameters share is said once."""
    found = [doubt for check in _DOUBTS for doubt in check(model)]
    for group in model.groups:
        found += [doubt for check in _DOUBTS_OF_OPTIMIZER for doubt in check(of_group(model, group))]
    return tuple({str(doubt): doubt for doubt in found}.values())
