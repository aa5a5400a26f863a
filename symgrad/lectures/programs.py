"""Checks of the lectures' demands on graphs, stored values and subgradients."""

from __future__ import annotations

import numpy as np

from symgrad import api
from symgrad.compiler.kept import memory_use
from symgrad.lectures.case import Case, demand, demand_equal
from symgrad.lectures.derivatives import claims_hold
from symgrad.pipeline import plan_of


def graph_with_numbers(case: Case) -> str:
    """The slide's numbers for (x+y)z, and a node that is used three times."""
    module = case.build(case.spec())
    params, numbers = module.init_params(0), (-2.0, 5.0, -4.0)
    demand_equal("f", module.loss(params, *numbers), -12, 0)
    gradients = module.input_gradients(params, *numbers)
    demand_equal("∂f/∂x, ∂f/∂y, ∂f/∂z", [gradients.x, gradients.y, gradients.z], [-4, -4, 3], 0)
    return f"f = −12, ∂f/∂x = −4, ∂f/∂y = −4, ∂f/∂z = 3; {claims_hold(case)}"


def stored_values(case: Case) -> str:
    """Of a tanh and a ReLU layer with softmax: no value is kept that a derivative does not use."""
    spec = case.spec()
    use = memory_use(plan_of(api.derive(spec).program), spec.dtype)
    names = [kept.name for kept in use.kept]
    demand("A1" in names and "Z1" not in names, "tanh′ = 1 − a² needs A1 and not Z1")
    demand({"A2", "Z2"} <= set(names), "dW3 needs A2, relu′ needs Z2")
    kept = ", ".join(f"{kept.name} {kept.amount}" for kept in use.kept)
    return f"kept for the backward pass, in bytes: {kept}; workspace {use.workspace}"


def subgradients(case: Case) -> str:
    """At a kink every spelling has the same slope; elsewhere the derivative."""
    module = case.build(case.spec())
    x = np.array([-1.0, 0.0, 2.0])
    slopes = module.input_gradients(module.init_params(0), x).x
    demand_equal("slopes at −1, 0, 2", slopes, [-10000.0, 0.0, 1111.0], 0)
    return "relu′(0) = 0 as relu, max, where and (x+|x|)/2; the hinge at its margin likewise"
