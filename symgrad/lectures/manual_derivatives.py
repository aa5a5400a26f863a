"""Checks of the lectures' demands on derivatives: the specs' `manual` blocks say what the slides say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad import api
from symgrad.comparison import check_manual
from symgrad.explain.jacobian_structure import structure
from symgrad.lectures.demand import DemandSpecs, demand, demand_equal, demand_lines

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


def claims_hold(case: DemandSpecs) -> str:
    """Every formula that the specs claim for a derivative is what is derived, entry by entry."""
    names = [name for spec in case.specs for name in _claims(case.spec(spec))]
    return f"{', '.join(dict.fromkeys(names))} as on the slides"


def _claims(spec: Spec) -> list[str]:
    claims = check_manual(spec)
    demand(claims, f"{spec.name} claims nothing")
    for claim in claims:
        demand(claim.verdict == "right", f"{spec.name}: {claim.name}: {claim.message or claim.verdict}")
    return [claim.name for claim in claims]


def dense_layer(case: DemandSpecs) -> str:
    """The gradients of a batch; ∂h_k/∂W_ij is x_i where k = j, and ∂h/∂b the identity."""
    found = _jacobians(case)
    _demand_jacobian(found, "h", "W", "only column i", "delta(i, k)*X[n, j]")
    _demand_jacobian(found, "h", "b", "identity for every n", "delta(i, j)")
    return f"{claims_hold(case)}; ∂h_k/∂W_ij = x_i if k = j else 0; ∂h/∂b is the identity"


def softmax(case: DemandSpecs) -> str:
    """The claims; and the loss is log-sum-exp, although the spec writes quotients of exponentials."""
    evidence = claims_hold(case)
    page = api.derive(case.spec()).text()
    demand_lines("the page", page, ["ds = (P − onehot(t))/batch"])
    demand("logsumexp" in page, "the loss is not computed as log-sum-exp")
    module = case.build(case.spec())
    params = module.unflatten(1e4 * np.arange(module.SIZE, dtype=float))
    x, classes = np.eye(4), np.array([0, 1, 2, 0])
    scores = x @ params.W
    by_hand = np.mean(scores.max(axis=1) - scores[np.arange(4), classes])  # where exp(score) is infinite
    demand_equal("the loss of huge scores", module.loss(params, x, classes), by_hand, 1e-12)
    _, gradients = module.loss_and_grad(params, x, classes)
    by_hand_gradient = (np.eye(3)[scores.argmax(axis=1)] - np.eye(3)[classes]) / 4
    demand_equal("dW of huge scores", gradients.W, by_hand_gradient, 1e-12)
    return f"{evidence}; the loss is computed by log-sum-exp, so scores of 100000 do no harm"


def gradient_check(case: DemandSpecs) -> str:
    """Better and better differences, the slides' first; the analytic gradient is faster and more accurate."""
    comparison = api.compare(case.spec())
    demand(comparison.passed, str(comparison))
    ways = {way.name: way for way in comparison.results if way.error is not None and way.seconds is not None}
    analytic = ways["emitted module"]
    numerical = ("forward, h = 1e-4", "central", "Richardson", "complex step")
    errors = [ways[name].error or 0.0 for name in numerical]
    demand(errors == sorted(errors, reverse=True), f"errors {errors} of {numerical}")
    demand(1e-6 < errors[0] < 1e-2, f"the slides' difference is off by {errors[0]}, not by about h = 1e-4")
    demand((analytic.error or 0.0) < 1e-14, f"the analytic gradient is off by {analytic.error}")
    fastest = min(ways[name].seconds or 0.0 for name in numerical)
    demand((analytic.seconds or 0.0) < fastest, "the analytic gradient is not the fastest")
    evaluations = [ways[name].evaluations for name in numerical]
    demand(analytic.evaluations == 1 and evaluations == [44, 87, 173, 44], f"{evaluations} evaluations")
    needed = ", ".join(f"{name} ({number})" for name, number in zip(numerical, evaluations, strict=True))
    return (
        f"{claims_hold(case)}; ever more accurate, by so many evaluations: {needed}; "
        "the analytic gradient is right to 14 digits by one, and faster than all of them"
    )


def compositions(case: DemandSpecs) -> str:
    """One gradient, so one rule, per parameter of each network."""
    counts = []
    for name in case.specs:
        program = api.derive(case.spec(name)).program
        wanted = {parameter.name for parameter in program.of_kind("parameter")}
        demand({gradient.of for gradient in program.gradients} == wanted, f"{name}: a parameter has no rule")
        counts.append(len(wanted))
        claimed = set(_claims(case.spec(name)))
        demand({f"d{parameter}" for parameter in wanted} <= claimed, f"{name}: a rule is not compared")
    return f"networks of {', '.join(map(str, counts))} parameters: one rule each, as by hand"


def minibatch_backprop(case: DemandSpecs) -> str:
    """The claims with samples in rows; and the page in the lecture's own columns and symbols."""
    page = api.derive(case.spec()).text(notation="greek")
    lines = ["B³ = 2·(α³ − ρ) ⊙ α³ ⊙ (1 − α³)"]
    for below, j in zip("⁰¹²", "¹²³", strict=True):
        lines += [
            f"ζ{j} = [Ω{j}]ᵀ·α{below} + β{j}",
            f"∇Ω{j} = (1/M)·(α{below}·[B{j}]ᵀ)",
            f"∇β{j} = (1/M)·(B{j}·1_M)",
            f"Ω{j} ← Ω{j} − (0.1/M)·(α{below}·[B{j}]ᵀ)",
            f"β{j} ← β{j} − (0.1/M)·(B{j}·1_M)",
        ]
    for j, above in zip("¹²", "²³", strict=True):
        lines += [f"[P{above}]ᵀ = Ω{above}·B{above}", f"B{j} = [P{above}]ᵀ ⊙ (1 − (α{j})²)"]
    demand_lines("the page in the lecture's notation", page, lines)
    return f"{claims_hold(case)}; --notation greek writes B, P and all gradients and updates as the slides do"


def forward_backward(case: DemandSpecs) -> str:
    """The claims; and nothing further is computed from the gradient of a bias."""
    program = api.derive(case.spec()).program
    gradient_of_bias = next(g.name for g in program.gradients if g.of == "b")
    readers = [equation.target for equation in program.equations if gradient_of_bias in equation.reads]
    demand(not readers, f"{', '.join(readers)} is computed from the gradient of a bias")
    page = api.derive(case.spec()).text(notation="delta")
    lines = ["δ_v = 2·(t − y) ⊙ (1 − t²)", "dW = δ_v ⊗ z", "dz = Wᵀ·δ_v", "db = δ_v"]
    demand_lines("the page in the lecture's notation", page, lines)
    return f"{claims_hold(case)}; dW = δ ⊗ z, dz = Wᵀ·δ, db = δ; nothing depends on db"


def blocks(case: DemandSpecs) -> str:
    """Elementwise blocks are diagonal; a slope and a β are parameters like any other; so for every spec."""
    found = _jacobians(case)
    for of, by, name, formula in (
        ("t1", "x", "block diagonal over n", "delta(n, m)*W1[j, i]"),
        ("t1", "W1", "only column i", "delta(i, k)*x[n, j]"),
        ("t1", "b1", "identity for every n", "delta(i, j)"),
        ("x2", "t1", "diagonal", "Piecewise((1, t1[n, i] > 0), (slope, True))*delta(i, j)*delta(n, m)"),
        ("x2", "slope", "shared by all entries", "Piecewise((0, t1[n, i] > 0), (t1[n, i], True))"),
        ("t2", "x2", "block diagonal over n", "delta(n, m)*W2[j, i]"),
        ("x3", "t2", "diagonal", ""),
        ("x3", "beta", "shared by all entries", ""),
    ):
        _demand_jacobian(found, of, by, name, formula)
    specs = sorted(case.folder.glob("*.yaml"))
    number = sum(_every_jacobian(api.read(path)) for path in specs)
    everywhere = f"all {number} local Jacobians of all {len(specs)} specs are found"
    return f"{claims_hold(case)}; elementwise blocks have diagonal Jacobians; {everywhere}"


def _every_jacobian(spec: Spec) -> int:
    """How many there are, after a demand that every block has one by each tensor that it reads."""
    number = 0
    for block in api.derive(spec).jacobians:
        wanted = [tensor.name for tensor in block.block.reads]
        got = [jacobian.by.tensor for jacobian in block.jacobians]
        demand(got == wanted, f"{spec.name}: of {block.block.name}, ∂/∂ {got} instead of {wanted}")
        number += len(got)
    return number


def losses(case: DemandSpecs) -> str:
    """The sum and the mean, the cross-entropy and the hinge, each with ∂L/∂x_p as the page writes it."""
    pages = {
        "17_squared_error": "2·(x_p − y)",
        "17_mean_squared_error": "2·(x_p − y)/N",
        "17_cross_entropy": "(softmax(x_p) − onehot(y))/N",
        "17_hinge": "(0 if t ⊙ x_p ≥ 1 else −t)/N",
    }
    for name in case.specs:
        demand_lines(name, api.derive(case.spec(name)).text(), [f"dx_p = {pages[name]}"])
    return f"{claims_hold(case)}: {'; '.join(pages[name] for name in case.specs)}"


def _jacobians(case: DemandSpecs) -> dict[tuple[str, str], tuple[str, str]]:
    """Structure and formula of every local Jacobian, by what is derived and by what."""
    found = (j for block in api.derive(case.spec()).jacobians for j in block.jacobians)
    return {(j.of.tensor, j.by.tensor): (structure(j), str(j.entire)) for j in found}


def _demand_jacobian(
    found: dict[tuple[str, str], tuple[str, str]], of: str, by: str, name: str, formula: str = ""
) -> None:
    is_called, is_formula = found.get((of, by), ("missing", ""))
    demand(is_called == name, f"∂{of}/∂{by} is called '{is_called}', not '{name}'")
    demand(not formula or is_formula == formula, f"∂{of}/∂{by} = {is_formula}, not {formula}")
