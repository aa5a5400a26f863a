"""Where numbers are drawn: what needs a loss that is the same in every call, and what inference draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.reads import (
    draws,
    draws_in,
    evaluation_reads,
    loss_reads,
    reached,
    read_by,
    read_inside,
    sources,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Model

_WITHOUT = "write training(a, b), where b is what inference computes without them"


def check_draws(model: Model) -> None:
    """Refuse what asks for one loss, or one derivative of it, where each step draws others.

    Raises:
        SpecError: naming the first of them.
    """
    spec = model.spec
    for claimed in spec.manual:
        if draws_in(claimed.formula, model.functions):
            problem = f"the manual formula '{claimed.name}' draws numbers of its own"
            raise SpecError(problem, at=claimed.at, remedy="name the equation that draws them")
    if not draws(model):
        return
    if spec.train.finish is not None:
        problem = (
            f"{spec.train.finish.name} needs a loss that is the same in every call, and this one is drawn"
        )
        raise SpecError(problem, at=spec.train.finish.at, remedy="leave finish out, or what draws numbers")
    if spec.derive:
        problem = f"'{spec.derive[0]}' is not derived where numbers are drawn"
        raise SpecError(problem, at=spec.derive[0].at, remedy="leave it out of derive")


def draws_of_inference(model: Model) -> Iterator[SpecWarning]:
    """Numbers that inference draws: the same ones in every call, which is hardly meant.

    An output that no loss reads is meant to be drawn: a sample of a model that was learnt.
    """
    inside, graph = read_inside(model.functions), sources(model)
    results = {*model.outputs}.union(*(_read(node, inside) for node in (model.prediction, model.evaluation)))
    names = reached(results, graph) & (loss_reads(model) | evaluation_reads(model))
    drawing = [e for e in model.equations if e.name in names and draws_in(e.formula, model.functions)]
    for equation in drawing[:1]:
        yield SpecWarning(
            f"'{equation.name}' draws numbers in inference too, the same in every call",
            at=equation.at,
            remedy=_WITHOUT,
        )
    loss = model.loss if model.evaluation is None else model.evaluation
    if loss is not None and not drawing and draws_in(loss, model.functions):
        problem = "the loss draws numbers in inference too, where held-out rows are measured"
        yield SpecWarning(problem, at=loss.at, remedy=_WITHOUT)


def _read(formula: Node | None, inside: dict[str, set[str]]) -> set[str]:
    return set() if formula is None else read_by(formula, inside)
