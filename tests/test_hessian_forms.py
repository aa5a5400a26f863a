"""The Hessian of a loss as matrices: every form shown holds in numbers, beside jets of the spec's text."""

from __future__ import annotations

import json
from random import Random

import block_values
import formula_values
import numpy as np
import pytest
from fuzz.derived import Meaning
from fuzz.gradients import drawn_data
from fuzz.jets import jet
from hessian_specs import FREE, hessian_spec
from seeds import SEED

import symgrad as sg
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting.text import TEXT
from symgrad.report.views.hessian_view import hessians

DRAWN = 12
DIRECTIONS = 3
TRIES = 5
NEAR = 1e-9

ROWS = {"x": ["N", 4]}
LABELS = {"t": {"axes": ["N"], "classes": 3}}
LINEAR = {"z": "x @ W + b"}
KNOWN = {
    "softmax": (
        (ROWS, LABELS, {"W": [4, 3], "b": [3]}, LINEAR, "softmax_cross_entropy(z, t)"),
        {
            "p = softmax(z)",
            "∂²loss/∂z[n]² = (diag(p[n]) − p[n]·p[n]ᵀ)/N",
            "∂²loss/∂W² = (Σ_n (x[n]·x[n]ᵀ) ⊗ (diag(p[n]) − p[n]·p[n]ᵀ))/N",
            "∂²loss/∂W∂b = (Σ_n x[n] ⊗ (diag(p[n]) − p[n]·p[n]ᵀ))/N",
            "∂²loss/∂b² = (diag(pᵀ·1_N) − pᵀ·p)/N",
        },
    ),
    "logistic": (
        (ROWS, {"t": ["N"]}, {"W": [4], "b": []}, LINEAR, "binary_cross_entropy_with_logits(z, t)"),
        {
            "s = sigmoid(z) ⊙ (1 − sigmoid(z))",
            "∂²loss/∂z² = diag(s)/N",
            "∂²loss/∂W² = xᵀ·diag(s)·x/N",
            "∂²loss/∂W∂b = xᵀ·s/N",
            "∂²loss/∂b² = (Σ_n s[n])/N",
        },
    ),
    "a probability": (
        (ROWS, {"t": ["N", 1]}, {"W": [4, 1]}, {"q": "sigmoid(x @ W)"}, "binary_cross_entropy(q, t)"),
        {"s = (1 − t)/(1 − q)² + t/q²", "∂²loss/∂q² = diag(s)/N", "∂²loss/∂W² = xᵀ·diag(s)·x/N"},
    ),
    "linear": (
        (ROWS, {"t": ["N"]}, {"W": [4]}, {"z": "x @ W"}, "mean((z - t)**2)"),
        {"∂²loss/∂z² = 2·I_N/N", "∂²loss/∂W² = 2·(xᵀ·x)/N"},
    ),
    "ridge": (
        (ROWS, {"t": ["N", 3]}, {"W": [4, 3]}, {"z": "x @ W"}, "mse(z, t) + 0.1 * sum(W**2)"),
        {"∂²loss/∂z[n]² = 2·I_3/(3·N)", "∂²loss/∂W² = (0.2·I_4 + 2·(xᵀ·x)/(3·N)) ⊗ I_3"},
    ),
    "counts": (
        (ROWS, {"t": ["N"]}, {"W": [4]}, {"z": "x @ W"}, "mean(exp(z) - t * z)"),
        {"s = exp(z)", "∂²loss/∂W² = xᵀ·diag(s)·x/N"},
    ),
    "a hidden layer": (
        (
            ROWS,
            LABELS,
            {"V": [4, 5], "W": [5, 3]},
            {"h": "relu(x @ V)", "z": "h @ W"},
            "softmax_cross_entropy(z, t)",
        ),
        {
            "∂²loss/∂W² = (Σ_n (h[n]·h[n]ᵀ) ⊗ (diag(p[n]) − p[n]·p[n]ᵀ))/N",
            "∂²loss/∂V² = (Σ_n (x[n]·x[n]ᵀ) ⊗ (diag(s[n])·W·diag(p[n])·Wᵀ·diag(s[n]) − "
            "(s[n] ⊙ (W·p[n]))·(s[n] ⊙ (W·p[n]))ᵀ))/N",
        },
    ),
    "two factors": (
        (ROWS, {"t": ["N", 3]}, {"U": [4, 2], "V": [2, 3]}, {"z": "x @ U @ V"}, "mse(z, t)"),
        {"∂²loss/∂U² = 2·((xᵀ·x) ⊗ (V·Vᵀ))/(3·N)"},
    ),
    "a sequence": (
        (
            {"x": ["N", "T", 4]},
            {"t": {"axes": ["N", "T"], "classes": 3}},
            {"W": [4, 3]},
            {"z": "x @ W"},
            "softmax_cross_entropy(z, t)",
        ),
        {"∂²loss/∂z[n,m]² = (diag(p[n,m]) − p[n,m]·p[n,m]ᵀ)/(N·T)"},
    ),
}


def spec_of(inputs, targets, parameters, equations, loss):
    given = {"inputs": inputs, "targets": targets, "parameters": parameters}
    return {"dtype": "float64", **given, "equations": equations, "loss": loss}


def hold(spec, random):
    """How many blocks are matrices and how many are not, all those right; None where no point is sound."""
    derived = sg.derive(sg.read(spec))
    rng = np.random.default_rng(random.randrange(2**32))
    shapes = {p.name: tuple(a.size for a in p.axes) for p in derived.program.of_kind("parameter")}
    for _ in range(TRIES):
        arrays = drawn_data(spec, shapes, rng, False, FREE)
        point = Meaning(spec, arrays)
        values = {
            name: np.vectorize(lambda e: jet(e).value, otypes=[float])(t[0])
            for name, t in point.at({}).tensors.items()
            if isinstance(t, np.ndarray)
        }
        if point.is_sound:
            break
    else:
        return None
    counts = [0, 0]
    for _, found in hessians(derived):
        given = {t.name for t in found.program.of_kind("direction")}
        own = {key: f for key, f in spec["equations"].items() if key.partition("[")[0] not in given}
        at = Meaning({**spec, "equations": own}, {**arrays, **{name: values[name] for name in given}})
        known = {**FREE, **formula_values.run(found.program, FREE, given=at.arrays)}
        names_hold(found, known)
        for block in found.blocks:
            counts[block.form is None] += 1
            if block.form is not None:
                block_holds(block, at, known, rng)
    return counts


def block_holds(block, point, known, rng):
    for _ in range(DIRECTIONS):
        v, w = (rng.normal(size=np.shape(known[name])) for name in (block.first, block.second))
        a, b = point.jets.direction(), point.jets.direction()
        moved = {block.first: [(a, v)]}
        moved[block.second] = [*moved.get(block.second, ()), (b, w)]
        exact = jet(point.loss(point.at(moved)).ravel()[0]).parts.get(a | b, 0.0)
        point.jets.close()
        point.jets.close()
        scale = max(abs(exact), 1e-3)
        assert block_values.along(block, known, v, w) == pytest.approx(exact, abs=NEAR * scale), TEXT.spell(
            block.form.value
        )


def names_hold(found, known):
    """What is named beside the blocks is what its line says."""
    for equation in found.named:
        try:
            right = MatrixWriter(found.program).right_side(equation)
        except NoMatrixFormError:
            continue
        classes = max((t.classes or 0 for t in found.program.tensors), default=0)
        shown = formula_values.value(right, {**known, "matrix form": True}, classes)
        np.testing.assert_allclose(
            np.broadcast_to(shown, np.shape(known[equation.target])), known[equation.target]
        )


@pytest.mark.parametrize("name", KNOWN)
def test_known_hessians_are_as_books_have_them(name):
    spec, lines = spec_of(*KNOWN[name][0]), KNOWN[name][1]
    page = str(sg.derive(sg.read(spec)).showing(hessian=True))
    shown = {line.strip().partition("   [")[0] for line in page.splitlines()}
    assert lines <= shown
    assert hold(spec, Random(name))


@pytest.mark.parametrize("number", range(DRAWN))
def test_drawn_hessians_hold_in_numbers(number):
    random = Random(f"hessians {SEED} {number}")
    spec = hessian_spec(random)
    hold(spec, random)


def test_most_drawn_hessians_are_matrices():
    """Of fixed seeds, so that the share can be stated; the others are mostly of two factors."""
    counts = [hold(hessian_spec(Random(f"share {n}")), Random(n)) for n in range(8)]
    written, others = map(sum, zip(*filter(None, counts), strict=True))
    assert written >= 0.8 * (written + others)


def test_every_format_has_them():
    derivation = sg.derive(sg.read(spec_of(*KNOWN["softmax"][0]))).showing(hessian=True)
    latex = r"\frac{\mathrm{diag}\left(p[n]\right) - p[n] \, p[n]^{\top}}{N}"
    assert latex in derivation.written("latex")
    assert r"\otimes" in derivation.written("markdown")
    assert "diag" in derivation.written("html")
    data = json.loads(json.dumps(derivation.as_dict()))["hessian"]
    assert [found["title"] for found in data]
