"""The moving average of the parameters, as a state of the optimiser and an equation below all others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Name, Number
from symgrad.spec.language.trees import placed, substitute
from symgrad.spec.model import AFTER_STEP, Averaging
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from symgrad.spec.model import OptimizerSpec, Spec


def with_average(optimizer: OptimizerSpec, spec: Spec) -> OptimizerSpec:
    """The optimiser with an average of what its steps leave, where the train block asks for one.

    It is that of Adam's paper, section 7.2 (Kingma & Ba 2015; of equal weights, Polyak & Juditsky 1992),
    divided by 1 − decayᵗ, what the weights of t steps add up to, at every step: so it lies among the
    parameters that were, also where decay changes on the way, and is theirs after the first step. Written as
    a step towards theta it comes to rest there in any number type; single precision knows 0.9999 to 3e-8.
    """
    if spec.train.average is None:
        return optimizer
    at = spec.place_of("train", "average")
    parts = (*optimizer.hyper, *optimizer.state, *optimizer.update)
    taken = {"theta", "g", "t", AFTER_STEP, *(name for name, _ in parts)}
    names = Averaging(unused("average", taken), unused("average_decay", taken))
    formula = f"{names.state} + (1 - {names.decay}) / (1 - {names.decay}**t) * (theta - {names.state})"
    decay = Number(Fraction(repr(spec.train.average)), at)
    mean = substitute(placed(parse_formula(formula, at), at), {"theta": Name(AFTER_STEP, at)})
    return replace(
        optimizer,
        hyper=(*optimizer.hyper, (names.decay, decay)),
        state=(*optimizer.state, (names.state, Number(Fraction(0), at))),
        update=(*optimizer.update, (names.state, mean)),
        average=names,
    )
