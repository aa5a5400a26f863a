"""What simplification and stabilisation make of whole programs."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import sympy as sp
from building import program_of
from corpus import CORPUS
from seeds import SEED

from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Equation, Loop, Program, Tensor
from symgrad.calculus.simplify import simplify
from symgrad.calculus.simplifying.reuse import reuse_forward_values
from symgrad.calculus.terms import Entry, index_symbol
from symgrad.notation.equations import Writing
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read


def derive(spec: dict[str, Any]) -> Program:
    return stages_of(read(spec)).derived


def shown(program: Program, target: str) -> str:
    return Writing(program).matrix(program.definition[target])


def chain(*layers: str, loss: str = "mse", **changes: Any) -> dict[str, Any]:
    labels = {"axes": ["batch"], "classes": 3}
    target = labels if loss == "softmax_cross_entropy" else ["batch", 3]
    return {
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": target},
        "layers": [*layers],
        "loss": loss,
        **changes,
    }


def test_softmax_cross_entropy_comes_out_as_softmax_minus_onehot() -> None:
    program = derive(chain("dense(3)", loss="softmax_cross_entropy"))
    assert shown(program, "dZ1") == "dZ1 = (softmax(Z1) − onehot(t))/batch"
    assert shown(program, "dW1") == "dW1 = xᵀ·dZ1"


def test_own_softmax_and_logarithm_come_out_the_same() -> None:
    program = program_of("own_softmax")
    assert not [e for e in program.equations if "log(" in str(e.body)]
    assert "P" in shown(program, "dz")


def test_own_log_of_own_sigmoid_never_takes_a_logarithm_of_a_small_number() -> None:
    program = program_of("own_log_sigmoid")
    assert not [e for e in program.equations if "log(" in str(e.body)]
    assert any("softplus" in str(e.body) for e in program.equations)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("tanh", "dZ1 = dA1 ⊙ (1 − A1²)"),
        ("sigmoid", "dZ1 = dA1 ⊙ A1 ⊙ (1 − A1)"),
        ("relu", "dZ1 = dA1 ⊙ relu′(Z1)"),
        ("softplus", "dZ1 = dA1 ⊙ sigmoid(Z1)"),
        ("logistic", "dZ1 = dA1 ⊙ A1 ⊙ (1 − A1)"),
        ("hyperbolic", "dZ1 = dA1 ⊙ (1 − A1²)"),
    ],
)
def test_derivatives_reuse_forward_values(activation: str, expected: str) -> None:
    functions = {
        "logistic(x)": "1 / (1 + exp(-x))",
        "hyperbolic(x)": "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    }
    program = derive(chain(f"dense(5, activation={activation})", "dense(3)", functions=functions))
    assert shown(program, "dZ1") == expected


def test_a_value_that_is_known_is_read_whatever_it_is_the_exponential_of() -> None:
    """At the kink the exponent is 0, and nothing may be divided by it."""
    spec = {
        "inputs": {"x": ["n", 4]},
        "equations": {"y": "exp(-relu(x)**2)"},
        "loss": "mean(y)",
        "gradients": ["x"],
    }
    assert shown(derive(spec), "dx") == "dx = −y ⊙ (0 if x ≤ 0 else 2·x)/(4·n)"


def drawn_quotients(random: Random) -> Program:
    """Two quotients of the same entries, the second in a sum: the first is in it, or is nearly."""
    n = index_symbol("n")
    rows = Loop(n, Axis("batch", None))
    x, y, z, s = (Entry(name, (n,)) for name in "xyzs")

    def above() -> sp.Expr:
        terms = random.sample([x, y, z, x * y, sp.log(x), sp.Integer(1)], random.choice((1, 1, 2, 3)))
        return sp.Add(*(random.choice((-3, -1, 1, 1, 2, sp.Rational(1, 2))) * term for term in terms))

    one, number = above(), random.choice((-2, 1, 3))
    other = random.choice((one, number * one, one + above(), above()))
    bodies = {"a": one / s, "b": other / s * random.choice((1, y, 1 / s)) + random.choice((0, x, z / s))}
    equations = [Equation(name, (n,), (rows,), "none", body) for name, body in bodies.items()]
    kinds = {**dict.fromkeys("xyzs", "input"), **dict.fromkeys("ab", "value")}
    tensors = tuple(Tensor(name, (rows.axis,), kind) for name, kind in kinds.items())
    return Program(tensors, tuple(equations), ("a", "b"), None)


def test_a_quotient_that_is_held_is_read_where_it_stands() -> None:
    """And nowhere else: what it stands for in its place is the body that was there."""
    random, read = Random(SEED), 0
    for _ in range(150):
        program = drawn_quotients(random)
        before, after = program.definition, reuse_forward_values(program).definition
        held = Entry("a", before["a"].indices)
        told = after["b"].body.xreplace({held: before["a"].body})
        assert sp.expand(told - before["b"].body) == 0, program
        read += after["b"].body != before["b"].body
    assert read > 10


def test_every_rewrite_is_recorded_with_before_and_after() -> None:
    program = derive(chain("dense(3)", loss="softmax_cross_entropy"))
    assert {"log exp(v) = v", "Σ_j δ(t, j) f(j) = f(t)"} <= {r.rule for r in program.rewrites}
    assert all(r.before != r.after for r in program.rewrites)


@pytest.mark.parametrize("name", CORPUS)
def test_simplify_is_finished_and_keeps_all_results(name: str) -> None:
    program = program_of(name)
    assert simplify(program).equations == program.equations
    arguments = {t.name for t in program.tensors if t.kind in ("input", "target", "parameter")}
    assert program.results <= {e.target for e in program.equations} | arguments


@pytest.mark.parametrize("name", CORPUS)
def test_nothing_is_computed_that_no_result_needs(name: str) -> None:
    program = program_of(name)
    read_somewhere = {tensor for e in program.equations for tensor in e.reads}
    assert {e.target for e in program.equations} <= read_somewhere | program.results


def test_equal_expressions_are_computed_once() -> None:
    spec = {
        "inputs": {"x": ["n", 4]},
        "equations": {"y": "sum(exp(x), axis=1) * sum(exp(x), axis=1)", "z": "sum(exp(x), axis=1)"},
        "outputs": ["y", "z"],
    }
    program = derive(spec)
    assert len([e for e in program.equations if e.reduction == "sum"]) == 1
