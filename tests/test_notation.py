"""What is written says what is computed: formulas are read back as a person would and compared."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from formula_values import run, shape_of, value

from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Equation, Loop, Program, Tensor
from symgrad.calculus.terms import Entry, index_symbol
from symgrad.elaborate.optimizer import elaborate_optimizer
from symgrad.notation.equations import Writing
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.known_functions import _body
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import update_rule
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.pipeline import stages_of
from symgrad.report.documents import mathml
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

SPECS = {
    "classes": "{inputs: {x: [N, 3]}, targets: {t: {axes: [N], classes: 4}}, "
    "layers: ['dense(5, activation=relu)', dense(4)], loss: softmax_cross_entropy}",
    "soft targets": "{inputs: {x: [N, 3]}, targets: {t: [N, 4]}, "
    "layers: ['dense(5, activation=tanh)', dense(4)], loss: softmax_cross_entropy}",
    "two sigmoids": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, "
    "layers: ['dense(4, activation=sigmoid)', 'dense(2, activation=sigmoid)'], loss: mse}",
    "hinge": "{inputs: {x: [N, 3]}, targets: {t: [N, 1]}, layers: [dense(1)], loss: hinge}",
    "huber": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, layers: [dense(2)], loss: huber}",
    "gelu": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, "
    "layers: ['dense(4, activation=gelu)', 'dense(4, activation=elu)', dense(2)], loss: mae}",
    "activations": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, "
    "layers: ['dense(3, activation=prelu)', 'glu(4)', relu6, "
    "'swish(per_channel=true)', selu, softsign, hardtanh, mish, hardshrink, 'maxout(2)'], loss: mse}",
    "no batch": "{inputs: {x: [3]}, targets: {t: [2]}, equations: {h: 'leaky_relu(dense(x, 4))', "
    "y: 'dense(h, 2)'}, loss: 'mean((y - t)**2) + 0.1 * l1(y)'}",
    "branches": "{inputs: {x: [N, 3]}, targets: {t: [N, 1]}, parameters: {U: [3, 4], a: [4]}, "
    "equations: {p: tanh(x @ U + a), q: sigmoid(x @ U - a), y: 'dense(p * q, 1) - dense(x, 1)'}, "
    "loss: 'binary_cross_entropy_with_logits(y, t) + 1e-3 * l2(U)'}",
    "attention": "{axes: {L: 3, D: 2}, inputs: {x: [N, L, D]}, targets: {t: [N, L, D]}, "
    "parameters: {W: [D, D], V: [D, D]}, equations: {Q: x @ W, K: x @ V, "
    "'S[b,i,j]': 'sum(Q[b,i,d] * K[b,j,d], d) / sqrt(D)', P: softmax(S), "
    "'O[b,i,d]': 'sum(P[b,i,j] * x[b,j,d], j)'}, loss: mean((O - t)**2)}",
    "rows and columns": "{inputs: {x: [N, 3]}, targets: {t: [N]}, parameters: {w: [3], G: [3, 3]}, "
    "equations: {q: 'sum((x @ G.T) * x, axis=1)', y: 'x @ w / (1 + exp(q)) - max(x, axis=1)'}, "
    "loss: mean((y - t)**2) / 3}",
    "quotients": "{inputs: {x: [N, 3]}, targets: {t: [N, 3]}, parameters: {w: [3], c: []}, "
    "equations: {y: '-c * x * w / (2 + x**2) / sqrt(1 + w**2) - 3 * x / 4 - 1 / 7', "
    "z: 'where(y > 0.5, 2 * y, min(y, w))'}, loss: 'sum((z - t)**2) / 20'}",
}
SIZES = {"N": 3}


def program_of(text):
    return stages_of(read(text)).derived


@pytest.fixture(scope="module", params=SPECS)
def derived(request):
    program = program_of(SPECS[request.param])
    return program, run(program, SIZES)


def known(program, arrays):
    return {**arrays, **SIZES}, max((t.classes or 0 for t in program.tensors), default=0)


@pytest.mark.parametrize("inlined", [False, True])
def test_the_index_form_computes_the_tensor(derived, inlined):
    program, arrays = derived
    names, classes = known(program, arrays)
    hidden = hidden_tensors(program) if inlined else frozenset()
    for equation in shown_equations(program, hidden):
        formula = IndexWriter(program, hidden).equation(equation)
        places = getattr(formula.left, "indices", ())
        shape = shape_of(program.tensor[equation.target].axes, SIZES)
        for at in np.ndindex(*shape):
            here = {**names, **{i.text: k for i, k in zip(places, at, strict=True)}}
            found = value(formula.right, here, classes)
            assert found == pytest.approx(arrays[equation.target][at], abs=1e-9), TEXT.spell(formula)


@pytest.mark.parametrize("inlined", [False, True])
def test_the_matrix_form_computes_the_tensor(derived, inlined):
    program, arrays = derived
    names, classes = known(program, arrays)
    hidden = hidden_tensors(program) if inlined else frozenset()
    written = 0
    for equation in shown_equations(program, hidden):
        try:
            formula = MatrixWriter(program, hidden).equation(equation)
        except NoMatrixFormError:
            continue
        written += 1
        found = value(formula.right, {**names, "matrix form": True}, classes)
        expected = arrays[equation.target]
        np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, atol=1e-9)
    assert written > 2


def test_every_latex_form_is_mathml(derived):
    program, _ = derived
    hidden = hidden_tensors(program)
    for equation in program.equations:
        for inlined in (frozenset(), hidden):
            writing = Writing(program, inlined, LATEX)
            for form in (writing.matrix, writing.index):
                ElementTree.fromstring(mathml(form(equation)))


def lines(text, part=""):
    program = program_of(text)
    hidden = hidden_tensors(program)
    found = [Writing(program, hidden).matrix(e) for e in shown_equations(program, hidden)]
    return [line for line in found if line.startswith(part)]


def test_formulas_of_the_lectures():
    assert lines(SPECS["classes"]) == [
        "Z1 = x·W1 + b1",
        "A1 = relu(Z1)",
        "Z2 = A1·W2 + b2",
        "loss = (Σ_n (logsumexp(Z2) − Z2[n,t[n]]))/N",
        "prediction = softmax(Z2)",
        "dZ2 = (softmax(Z2) − onehot(t))/N",
        *lines(SPECS["classes"], "db2"),
        *lines(SPECS["classes"], "dW2"),
        "dA1 = dZ2·W2ᵀ",
        "dZ1 = dA1 ⊙ relu′(Z1)",
        *lines(SPECS["classes"], "db1"),
        *lines(SPECS["classes"], "dW1"),
    ]
    assert lines(SPECS["classes"], "dW") == ["dW2 = A1ᵀ·dZ2", "dW1 = xᵀ·dZ1"]
    assert lines(SPECS["classes"], "db") == ["db2 = Σ_n dZ2", "db1 = Σ_n dZ1"]
    assert "dZ1 = dA1 ⊙ A1 ⊙ (1 − A1)" in lines(SPECS["two sigmoids"])
    assert "dZ1 = dA1 ⊙ (1 − A1²)" in lines(SPECS["soft targets"])
    assert "dy_W = h ⊗ dy" in lines(SPECS["no batch"])


def test_a_larger_one_bears_its_name_inside_a_sum():
    """There SymPy holds half of a sum as a product."""
    spec = "{inputs: {x: [N, 3]}, parameters: {a: [3], c: []}, equations: {y: '%s'}, loss: mean(y)}"
    assert "y = max(c, x) + a" in lines(spec % "max(x, c) + a")
    assert "y = min(c, a ⊙ x) − a" in lines(spec % "min(x * a, c) - a")


def test_activations_bear_their_names():
    found = {*lines(SPECS["activations"])}
    assert {"A1 = (Z1 if Z1 > 0 else a1·Z1)", "da1 = Σ_{n,i} dA1 ⊙ min(Z1, 0)"} <= found
    assert {"A2 = Z2 ⊙ sigmoid(G2)", "dZ2 = dA2 ⊙ sigmoid(G2)", "dV2 = A1ᵀ·dG2"} <= found
    assert {"A2_2 = relu6(A2)", "A2_4 = selu(A2_3)", "A2_8 = hardshrink(A2_7)"} <= found
    shrunk = "{inputs: {x: [N, 3]}, targets: {t: [N, 3]}, layers: [dense(3), SHRINK, dense(3)], loss: mse}"
    for name in ("hardshrink", "softshrink"):
        slope = lines(shrunk.replace("SHRINK", name), "dZ1")
        assert slope == ["dZ1 = dA1 ⊙ (0 if |Z1| ≤ 1/2 else 1)"]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("sgd(learning_rate=0.003)", ["theta ← theta − 0.003·g"]),
        ("sgd(learning_rate=0.25)", ["theta ← theta − g/4"]),
        ("momentum(learning_rate=0.01)", ["v ← 0.9·v + g", "theta ← theta − 0.01·v"]),
        (
            "adam(learning_rate=0.001)",
            [
                "m ← 0.9·m + 0.1·g",
                "v ← 0.999·v + 0.001·g²",
                "theta ← theta − 0.001·(m/(1 − 0.9ᵗ))/(√(v/(1 − 0.999ᵗ)) + 1e-8)",
            ],
        ),
    ],
)
def test_update_rules_read_as_published(optimizer, expected):
    spec = read(
        f"{{inputs: {{x: [N, 3]}}, targets: {{t: [N, 1]}}, layers: [dense(1)], loss: mse, "
        f"train: {{optimizer: '{optimizer}'}}}}"
    )
    assert list(update_rule(elaborate_optimizer(expand(spec)))) == expected


def test_scheduled_indices_get_ordinary_names():
    row, inner = index_symbol("_row"), index_symbol("_i0")
    loops = (Loop(row, Axis("N", None)), Loop(inner, Axis(None, 4)))
    program = Program(
        (Tensor("Z", (loops[0].axis, loops[1].axis), "value"), Tensor("m", (), "value")), (), (), None
    )
    equation = Equation("m", (), loops, "max", Entry("Z", (row, inner)))
    assert Writing(program).index(equation) == "m = max_{n,i}(Z[n,i])"
    assert Writing(program).matrix(equation) == "m = max_{n,i}(Z)"


def test_right_side_is_none_where_matrices_cannot_say_it():
    program = program_of(SPECS["attention"])
    turned = replace(program.definition["O"], body=Entry("x", program.definition["O"].indices[::-1]))
    assert Writing(program).right_side(turned) is None
    assert TEXT.spell(Writing(program).right_side(program.definition["dO"])) == "(O − t)/(3·N)"


def test_contractions_of_three_axes_are_products_of_their_matrices():
    found = lines(SPECS["attention"])
    assert "Q = x·W" in found
    assert "dW = Σ_b x[b]ᵀ·dQ[b]" in found
    assert "S = S_1/√2" in found


def test_a_scatter_is_written_as_an_accumulation():
    i, u = index_symbol("i"), index_symbol("u")
    loops = (Loop(i, Axis(None, 3)), Loop(u, Axis(None, 2)))
    tensors = (Tensor("dX", (Axis(None, 8),), "cotangent"), Tensor("k", (Axis(None, 2),), "parameter"))
    equation = Equation("dX", (2 * i + u,), loops, "sum", sp.Mul(Entry("k", (u,)), 3))
    program = Program(tensors, (), (), None)
    assert Writing(program).matrix(equation) == "dX[2·i + j] += 3·k[j]"


def test_every_activation_of_one_entry_has_a_body_of_its_own_to_be_known_by():
    """The activation tanh is the language's tanh, which counts as no call of the activation."""
    bodies = {name: _body(name) for name in ("tanh", "mish", "gelu_tanh", "relu")}
    assert all(body is not None for body in bodies.values())
