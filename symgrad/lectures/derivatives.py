"""Checks of the lectures' demands on derivatives: the specs' `manual` blocks say what the slides say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad import api
from symgrad.comparison import check_manual, compare
from symgrad.lectures.case import Case, demand

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


def claims_hold(case: Case) -> str:
    """Every formula that the specs claim for a derivative is what is derived, entry by entry."""
    names = [name for spec in case.specs for name in _claims(case.spec(spec))]
    return f"{', '.join(dict.fromkeys(names))} as on the slides"


def _claims(spec: Spec) -> list[str]:
    claims = check_manual(spec)
    demand(claims, f"{spec.name} claims nothing")
    for claim in claims:
        demand(claim.holds, str(claim))
    return [claim.name for claim in claims]


def dense_layer(case: Case) -> str:
    evidence = claims_hold(case)
    return evidence


def softmax(case: Case) -> str:
    """The claims; and the loss is log-sum-exp, although the spec writes quotients of exponentials."""
    evidence = claims_hold(case)
    page = str(api.derive(case.spec()))
    demand("logsumexp" in page, "the loss is not computed as log-sum-exp")
    return f"{evidence}; the loss is computed by log-sum-exp"


least_squares = sigmoid_perceptron = compositions = gradient_check = claims_hold
minibatch_backprop = forward_backward = blocks = homework1 = claims_hold
