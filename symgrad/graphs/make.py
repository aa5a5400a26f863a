"""From a spec to its computation graph, with the numbers on it where they are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.compiler.loading.cache import cached_module
from symgrad.errors import SpecError
from symgrad.graphs.build import build
from symgrad.graphs.flow import flow
from symgrad.graphs.point import Given, point
from symgrad.graphs.trace import Detail, has_derivatives, trace
from symgrad.judgement.gate import checked_text
from symgrad.spec.expand import expand
from symgrad.spec.language.syntax import Binary, Node, Number
from symgrad.spec.language.trees import transform

if TYPE_CHECKING:
    from symgrad.graphs.graph import Graph
    from symgrad.graphs.interpret import Numbers
    from symgrad.spec.model import Model, Spec

DETAILS = ("gates", "blocks")


def graph_of(spec: Spec, detail: Detail | None, at: Given | None, seed: int | None) -> Graph:
    """The graph of a spec; with `at` or a seed, values and gradients at that point.

    Raises:
        SpecError: the spec does not describe a network, or one too large for a picture.
        DataError: `at` does not fit the spec.
    """
    model = _without_added_zeros(expand(spec))
    chosen = detail or _suitable(model)
    if chosen not in DETAILS:
        raise SpecError(f"no graph has the detail '{chosen}'", remedy=f"expected {' or '.join(DETAILS)}")
    if has_derivatives(model) and (chosen == "gates" or at is not None or seed is not None):
        what = "as gates" if chosen == "gates" else "with numbers"
        which, place = "formulas with derivatives have", spec.at
        for solved in spec.solved[:1]:
            which, place = f"'{solved.name}', which is solved for, has", solved.at
        remedy = "draw blocks without numbers: leave --at and --seed out, and gates"
        raise SpecError(f"{which} no picture {what}", at=place, remedy=remedy)
    traced = trace(model, chosen)
    if at is None and seed is None:
        return build(model, chosen, traced, None)
    given = {} if at is None else at
    arrays, sizes = point(model, given, seed, lambda: _first_values(model, seed or 0))
    return build(model, chosen, traced, flow(model, traced, arrays, sizes))


def _without_added_zeros(model: Model) -> Model:
    """A layer without a bias adds the number 0, which nobody wants to see."""

    def change(node: Node) -> Node:
        match node:
            case Binary("+", left, Number(0)):
                return left
        return node

    equations = tuple(replace(e, formula=transform(e.formula, change)) for e in model.equations)
    return replace(model, equations=equations)


def _suitable(model: Model) -> Detail:
    """Gates for a program of single numbers, blocks for a network and where there are derivatives."""
    if has_derivatives(model):
        return "blocks"
    data = [tensor.axes for tensor in (*model.spec.inputs, *model.spec.targets)]
    return "blocks" if any((*data, *(p.axes for p in model.parameters))) else "gates"


def _first_values(model: Model, seed: int) -> dict[str, Numbers]:
    """The parameters that training starts from, as the spec's own module makes them."""
    params = cached_module(model.spec, checked_text).init_params(seed)
    return {
        p.name: np.array(values, dtype=np.float64) for p, values in zip(model.parameters, params, strict=True)
    }
