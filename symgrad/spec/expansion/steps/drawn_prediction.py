"""The prediction by chance: a model of its own, whose inference draws what training draws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec.model import DrawnPrediction
from symgrad.spec.reads import draws_in, reached, read_by, read_inside, sources

if TYPE_CHECKING:
    from symgrad.spec.expansion.steps.two_modes import Chosen
    from symgrad.spec.model import Model


def drawn_prediction(model: Model, chosen: Chosen) -> DrawnPrediction | None:
    """That of a model, whose choices are made for it; None where nothing predicted is drawn."""
    alone = replace(
        model,
        spec=replace(model.spec, loss=None, gradients=(), manual=(), derive=()),
        functions=chosen.functions,
        equations=chosen.equations,
        carried=chosen.carried,
        prediction=chosen.prediction,
        loss=None,
        manual=(),
        frozen=(),
        groups=(),
        next_values=(),
        evaluation=None,
        in_training=(),
        demands=(),
        hiding=(),
        networks=(),
    )
    read = read_by(chosen.prediction, read_inside(chosen.functions)) if chosen.prediction else set()
    needed = reached({*model.outputs, *read}, sources(alone))
    alone = replace(
        alone,
        equations=tuple(e for e in chosen.equations if e.name in needed),
        carried=tuple(c for c in chosen.carried if c.name in needed),
    )
    formulas = (*(e.formula for e in alone.equations), *(c.start.formula for c in alone.carried))
    results = (alone.prediction,) if alone.prediction else ()
    if not any(draws_in(formula, chosen.functions) for formula in (*formulas, *results)):
        return None
    return DrawnPrediction(alone, model.spec.at)


def with_sizes(model: Model, shapes: dict[str, tuple[int, ...]]) -> Model:
    """The model with its parameters in these shapes."""
    return replace(model, parameters=tuple(replace(p, axes=shapes[p.name]) for p in model.parameters))
