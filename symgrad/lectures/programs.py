"""Checks of the lectures' demands on graphs, stored values and subgradients."""

from __future__ import annotations

import numpy as np

from symgrad import api
from symgrad.compiler.planning.residuals import memory_use
from symgrad.lectures.demand import DemandSpecs, demand, demand_equal
from symgrad.lectures.manual_derivatives import claims_hold


def graph_with_numbers(case: DemandSpecs) -> str:
    """The slide's numbers for (x+y)z, and a node that is used three times."""
    module = case.build(case.spec())
    params, numbers = module.init_params(0), (-2.0, 5.0, -4.0)
    demand_equal("f", module.loss(params, *numbers), -12, 0)
    gradients = module.input_gradients(params, *numbers)
    demand_equal("∂f/∂x, ∂f/∂y, ∂f/∂z", [gradients.x, gradients.y, gradients.z], [-4, -4, 3], 0)
    picture = str(api.graph(case.spec(), at=dict(zip("xyz", numbers, strict=True))))
    table = [line.split() for line in picture.splitlines()]
    for row in (
        ["q", "+", "of", "x,", "y", "(distributor)", "3", "-4"],
        ["f", "×", "of", "q,", "z", "(switcher)", "-12", "1"],
    ):
        demand(row in table, f"the graph lacks {' '.join(row)}")
    gates = "the graph has + as distributor and × as switcher"
    return f"f = −12, ∂f/∂x = −4, ∂f/∂y = −4, ∂f/∂z = 3; {gates}; {claims_hold(case)}"


def stored_values(case: DemandSpecs) -> str:
    """Of a tanh and a ReLU layer with softmax, what the slides' formulas need, in bytes of float32."""
    spec = case.spec()
    derivation = api.derive(spec)
    use = memory_use(derivation.stages.plan, spec.dtype)
    needed = {
        "A1_slope": 4 * 30,  # tanh′ = 1 − A1², formed with A1 so that no digit of it is lost, so Z1 goes
        "A1": 4 * 30,  # dW2 = A1ᵀ·dZ2
        "A2": 4 * 10,  # dW3 = A2ᵀ·dZ3, and relu′(Z2) is 1 where A2 > 0, so Z2 goes
        "exp_Z3": 4 * 5,  # softmax is exp_Z3/sum_Z3, so Z3 goes
        "sum_Z3": 4 * 1,
    }
    kept = {residual.name: str(residual.amount) for residual in use.residuals}
    demand(kept == {name: f"{size}·batch" for name, size in needed.items()}, f"kept: {kept}")
    listed = ", ".join(f"{name} {amount}" for name, amount in kept.items())
    return f"kept for the backward pass, in bytes: {listed}, not Z1, Z2 nor Z3; workspace {use.workspace}"


def subgradients(case: DemandSpecs) -> str:
    """At a kink every spelling has the slope 0; elsewhere the derivative."""
    module = case.build(case.spec())
    slopes = module.input_gradients(module.init_params(0), np.array([-1.0, 0.0, 2.0])).x
    rectified, hinges = 111_111, 111_000_000  # a digit for each spelling: left of 0 and right of it
    demand_equal("slopes at −1, 0, 2", slopes, [-hinges, 0, rectified], 0)
    hinge = case.build(case.spec("17_hinge"))
    at_margin = hinge.unflatten(np.array([0.0, 0.0, 0.0, 0.0, 1.0]))
    _, gradients = hinge.loss_and_grad(at_margin, np.ones((2, 4)), np.ones((2, 1)))
    demand_equal("the hinge's slopes at its margin", hinge.flatten(gradients), np.zeros(5), 0)
    return "relu′(0) = 0 in 6 spellings; the hinge at its margin likewise, in 3 and as the library's loss"
