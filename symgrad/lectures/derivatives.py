"""Checks of the lectures' demands on derivatives: the specs' `manual` blocks say what the slides say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad import api
from symgrad.calculus.structure import structure
from symgrad.comparison import check_manual
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
        demand(claim.verdict == "right", f"{spec.name}: {claim.name}: {claim.message or claim.verdict}")
    return [claim.name for claim in claims]


def dense_layer(case: Case) -> str:
    """The gradients of a batch; ∂h_k/∂W_ij is x_i where k = j, and ∂h/∂b the identity."""
    found = _jacobians(case)
    _demand_jacobian(found, "h", "W", "only column i", "delta(i, k)*X[n, j]")
    _demand_jacobian(found, "h", "b", "identity for every n", "delta(i, j)")
    return f"{claims_hold(case)}; ∂h_k/∂W_ij = x_i if k = j else 0; ∂h/∂b is the identity"


def softmax(case: Case) -> str:
    """The claims; and the loss is log-sum-exp, although the spec writes quotients of exponentials."""
    evidence = claims_hold(case)
    demand("logsumexp" in str(api.derive(case.spec())), "the loss is not computed as log-sum-exp")
    return f"{evidence}; the loss is computed by log-sum-exp"


def gradient_check(case: Case) -> str:
    """Forward differences as on the slides are the least accurate; the better ones lie between."""
    comparison = api.compare(case.spec())
    demand(comparison.passed, str(comparison))
    errors = {result.name: result.error for result in comparison.results if result.error is not None}
    grows_better = ("forward, h = 1e-4", "central", "Richardson", "complex step")
    found = [errors[name] for name in grows_better]
    demand(found == sorted(found, reverse=True), f"errors {found} of {grows_better}")
    demand(errors["emitted module"] < errors["Richardson"], "the analytic gradient is not the most accurate")
    return f"{claims_hold(case)}; ever more accurate: {', '.join(grows_better)}"


def least_squares(case: Case) -> str:
    """Every weight's own rule adds 2α times a sum over the samples."""
    rules = len(api.derive(case.spec()).scalar_rules().gradients)
    demand(rules == 3, f"{rules} rules for three weights")
    return f"{claims_hold(case)}; one rule per w_j"


def sigmoid_perceptron(case: Case) -> str:
    """The spec writes 1/(1 + exp(−d)); that its slope is f(1 − f) is found."""
    page = str(api.derive(case.spec()))
    demand("f ⊙ (1 − f)" in page, "σ′ is not found to be σ(1 − σ)")
    return f"{claims_hold(case)}; σ′ = σ(1 − σ) found from 1/(1 + exp(−d))"


def compositions(case: Case) -> str:
    """One gradient, so one rule, per parameter of each network."""
    counts = []
    for name in case.specs:
        program = api.derive(case.spec(name)).program
        wanted = {parameter.name for parameter in program.of_kind("parameter")}
        demand({gradient.of for gradient in program.gradients} == wanted, f"{name}: a parameter has no rule")
        counts.append(len(wanted))
    claims_hold(case)
    return f"networks of {', '.join(map(str, counts))} parameters: one rule each, as by hand"


def minibatch_backprop(case: Case) -> str:
    """The claims with samples in rows; and the page in the lecture's own columns and symbols."""
    page = api.derive(case.spec()).text(notation="greek")
    for line in (
        "B² = [P³]ᵀ ⊙ (1 − (α²)²)",
        "[P³]ᵀ = Ω³·B³",
        "∇Ω² = (1/M)·(α¹·[B²]ᵀ)",
        "∇β² = (1/M)·(B²·1_M)",
    ):
        demand(line in page, f"the page in the lecture's notation lacks {line}")
    return f"{claims_hold(case)}; --notation greek writes the slides' own formulas"


def forward_backward(case: Case) -> str:
    """The claims; and nothing further is computed from the gradient of a bias."""
    program = api.derive(case.spec()).program
    gradient_of_bias = next(g.name for g in program.gradients if g.of == "b")
    readers = [equation.target for equation in program.equations if gradient_of_bias in equation.reads]
    demand(not readers, f"{', '.join(readers)} is computed from the gradient of a bias")
    return f"{claims_hold(case)}; nothing depends on db"


def blocks(case: Case) -> str:
    """Elementwise blocks are diagonal; a slope and a β are parameters like any other."""
    found = _jacobians(case)
    for of, by, name in (
        ("t1", "W1", "only column i"),
        ("t1", "b1", "identity for every n"),
        ("x2", "t1", "diagonal"),
        ("x2", "slope", "shared by all entries"),
        ("t2", "x2", "block diagonal over n"),
        ("x3", "t2", "diagonal"),
        ("x3", "beta", "shared by all entries"),
    ):
        _demand_jacobian(found, of, by, name)
    return f"{claims_hold(case)}; elementwise blocks have diagonal Jacobians"


def homework1(case: Case) -> str:
    """Six weights, six rules, each written in forward values, targets and weights alone."""
    page = api.derive(case.spec()).showing(scalar=True).text()
    rule = "W1₁₂ ← W1₁₂ − 0.1·(2/N)·Σ_n (A2ₙ₁ − yₙ₁)·A2ₙ₁·(1 − A2ₙ₁)·W2₂₁·(1 − A1ₙ₂²)·xₙ₁"
    demand(rule in page, f"the scalar view lacks {rule}")
    rules = len(api.derive(case.spec()).scalar_rules().gradients)
    demand(rules == 6, f"{rules} rules for six weights")
    return f"{rules} scalar rules; {claims_hold(case)}"


def _jacobians(case: Case) -> dict[tuple[str, str], tuple[str, str]]:
    """Structure and formula of every local Jacobian, by what is derived and by what."""
    found = (j for block in api.derive(case.spec()).jacobians for j in block.jacobians)
    return {(j.of.tensor, j.by.tensor): (structure(j), str(j.entire)) for j in found}


def _demand_jacobian(
    found: dict[tuple[str, str], tuple[str, str]], of: str, by: str, name: str, formula: str = ""
) -> None:
    is_called, is_formula = found.get((of, by), ("missing", ""))
    demand(is_called == name, f"∂{of}/∂{by} is called '{is_called}', not '{name}'")
    demand(not formula or is_formula == formula, f"∂{of}/∂{by} = {is_formula}, not {formula}")
