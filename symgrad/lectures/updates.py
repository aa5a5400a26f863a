"""Checks of the lectures' demands on update rules: a step of the module beside the slides' step in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from symgrad import api
from symgrad.lectures.demand import DemandSpecs, demand_equal, demand_lines, random_data
from symgrad.lectures.manual_derivatives import claims_hold

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Parameters: TypeAlias = Mapping[str, Array]


def update_order(case: DemandSpecs) -> str:
    """A step by hand with the old weights; in two deeper networks, gradients first and updates after them."""

    def by_hand(old: Parameters, x: Array, t: Array) -> Parameters:
        hidden = _sigmoid(x @ old["W1"] + old["b1"])
        delta2 = 2 * (hidden @ old["W2"] + old["b2"] - t) / len(x)
        delta1 = delta2 @ old["W2"].T * hidden * (1 - hidden)
        gradient = {"W1": x.T @ delta1, "b1": delta1.sum(0), "W2": hidden.T @ delta2, "b2": delta2.sum(0)}
        return {name: old[name] - 0.5 * gradient[name] for name in old}

    _demand_step(case, by_hand)
    for name in ("08_composition", "09_shared_node"):
        _demand_gradients_first(case, name, rate=0.01)
    return (
        f"{claims_hold(case)}; a step of the module is the step with the old W2 in ∂J/∂X, in deeper nets too"
    )


def _demand_gradients_first(case: DemandSpecs, name: str, rate: float) -> None:
    """A training step, whatever is fused in it, moves by the gradients taken at the old weights."""
    module = case.build(case.spec(name))
    data, params = random_data(module, np.random.default_rng(0), 5), module.init_params(0)
    _, gradients = module.loss_and_grad(params, *data)
    expected = module.flatten(params) - rate * module.flatten(gradients)
    module.train_step(params, module.init_state(params), *data)
    demand_equal(f"{name} after a step", module.flatten(params), expected, 1e-12)


def least_squares(case: DemandSpecs) -> str:
    """w_j ← w_j + 2α Σ_i δ_i x_ij: the numbers, and one written rule for each weight."""
    _demand_step(case, lambda old, x, y: {"w": old["w"] + 2 * 0.01 * (y - x @ old["w"]) @ x})
    rules = [f"w{j} ← w{j} − 0.01·2·Σ_n (fₙ − yₙ)·xₙ{j}" for j in "₁₂₃"]
    demand_lines("the scalar view", _scalar_view(case), rules)
    return f"{claims_hold(case)}; a step is w_j + 2α Σ_i δ_i x_ij; one written rule per w_j"


def sigmoid_perceptron(case: DemandSpecs) -> str:
    """The spec writes 1/(1 + exp(−d)); that its slope is f(1 − f) is found, and the rules say so."""

    def by_hand(old: Parameters, x: Array, y: Array) -> Parameters:
        sigma = _sigmoid(x @ old["w"])
        return {"w": old["w"] + 2 * 0.01 * ((y - sigma) * sigma * (1 - sigma)) @ x}

    _demand_step(case, by_hand)
    rules = [f"w{j} ← w{j} − 0.01·2·Σ_n (fₙ − yₙ)·fₙ·(1 − fₙ)·xₙ{j}" for j in "₁₂₃"]
    demand_lines("the scalar view", _scalar_view(case), ["dd = 2·(f − y) ⊙ f ⊙ (1 − f)", *rules])
    step = "a step is w_j + 2α Σ_i δ_i σ_i(1 − σ_i) x_ij"
    return f"{claims_hold(case)}; σ′ = σ(1 − σ) found from 1/(1 + exp(−d)); {step}"


def widrow_hoff(case: DemandSpecs) -> str:
    """W ← W + 2η Σ (y − wᵀx) xᵀ, with samples in rows."""
    _demand_step(case, lambda old, x, y: {"W": old["W"] + 2 * 0.01 * x.T @ (y - x @ old["W"])})
    return f"{claims_hold(case)}; a step is W + 2η Σ (y − wᵀx) xᵀ"


def homework1(case: DemandSpecs) -> str:
    """Six weights, six rules, each in forward values, targets and weights alone; and their numbers."""

    def by_hand(old: Parameters, x: Array, y: Array) -> Parameters:
        hidden = np.tanh(x @ old["W1"])
        output = _sigmoid(hidden @ old["W2"])
        signal = 2 * (output - y) * output * (1 - output) / len(x)
        back = signal * old["W2"].T * (1 - hidden**2)
        return {"W1": old["W1"] - 0.1 * x.T @ back, "W2": old["W2"] - 0.1 * hidden.T @ signal}

    _demand_step(case, by_hand)
    page, start = _scalar_view(case), "0.1·(2/N)·Σ_n (A2ₙ₁ − yₙ₁)·A2ₙ₁·(1 − A2ₙ₁)"
    first = [f"W1{j}{i} ← W1{j}{i} − {start}·W2{i}₁·(1 − A1ₙ{i}²)·xₙ{j}" for j in "₁₂" for i in "₁₂"]
    second = [f"W2{i}₁ ← W2{i}₁ − {start}·A1ₙ{i}" for i in "₁₂"]
    demand_lines("the scalar view", page, first + second)
    return f"{len(first + second)} scalar rules, and their numbers; {claims_hold(case)}"


def _demand_step(case: DemandSpecs, by_hand: Callable[[Parameters, Array, Array], Parameters]) -> None:
    """A training step of the module on random data, beside the same step as the slides have it."""
    module = case.build(case.spec())
    x, t = random_data(module, np.random.default_rng(0), 5)
    params = module.init_params(0)
    old = {name: np.array(value) for name, value in params._asdict().items()}
    module.train_step(params, module.init_state(params), x, t)
    for name, value in by_hand(old, x, t).items():
        demand_equal(f"{name} after a step", getattr(params, name), value, 1e-12)


def _scalar_view(case: DemandSpecs) -> str:
    return api.derive(case.spec()).showing(scalar=True).text()


def _sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))
