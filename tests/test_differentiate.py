"""Derived gradients against SymPy's own derivative of the loss written out entry by entry."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import sympy as sp
from building import program_of
from corpus import CORPUS
from expansion import Cell, Expansion, arguments
from seeds import one_in

from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.simplify import simplify
from symgrad.elaborate.elaborate import elaborate
from symgrad.passes.expand_logsumexp import expand_logsumexp
from symgrad.passes.stabilise import stabilise
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from symgrad.calculus.program import Program

SIZES = {"batch": 2, "N": 2, "b": 2, "i": 2, "j": 3, "work": 2}
LABELS = {"t": [2, 0], "w": [5, 1]}
WRITTEN_OUT = [
    "activation_gelu",
    "activation_log_softmax",
    "bilinear",
    "choices",
    "convolution",
    "distances",
    "embedding",
    "extrema",
    "input_gradients",
    "keepdims",
    "loss_softmax_cross_entropy",
    "norms",
    "one_hot_targets",
    "own_log_sigmoid",
    "own_softmax",
    "picked_entry",
    "powers",
    "regularised",
    "scalars_only",
    "skip",
    "transposes",
    "trigonometry",
]


def _stages(name: str) -> dict[str, Program]:
    model = expand(read(CORPUS[name]))
    primal = elaborate(model)
    wrt = [p.name for p in primal.of_kind("parameter")] + list(model.spec.gradients)
    simple = program_of(name)
    return {
        "plain": differentiate(primal, wrt),
        "stable": differentiate(stabilise(primal), wrt),
        "simplified": simple,
        "computed": simplify(expand_logsumexp(simple)),
    }


def _point(program: Program, rng: random.Random) -> dict[Cell, sp.Expr]:
    integers = {t.name for t in program.tensors if t.is_integer}
    return {
        (name, place): sp.Integer(LABELS[name][place[0]])
        if name in integers
        else sp.Float(rng.uniform(0.2, 1.2), 40)
        for name, place in arguments(program, SIZES)
    }


@pytest.mark.parametrize("name", one_in(2, WRITTEN_OUT))
def test_gradients_agree_with_sympy_at_explicit_sizes(name: str) -> None:
    stages = _stages(name)
    plain, rng = stages["plain"], random.Random(name)
    point = _point(plain, rng)
    expanded = {stage: Expansion(program, SIZES, point) for stage, program in stages.items()}
    s = sp.Symbol("s", real=True)
    for gradient in plain.gradients:
        cells = [cell for cell in point if cell[0] == gradient.of]
        for cell in rng.sample(cells, min(2, len(cells))):
            loss = Expansion(plain, SIZES, {**point, cell: s}).values[str(plain.loss), ()]
            expected = sp.diff(loss, s).subs(s, point[cell]).evalf(30)
            for stage, program in stages.items():
                name_of = {g.of: g.name for g in program.gradients}
                found = expanded[stage].values[name_of[gradient.of], cell[1]].evalf(30)
                assert abs(found - expected) <= 1e-20 * (1 + abs(expected)), f"{stage}: d{cell}"


def test_a_name_used_twice_collects_both_contributions() -> None:
    spec = {"inputs": {"x": []}, "equations": {"y": "3*x"}, "loss": "2*y + 5*y", "gradients": ["x"]}
    program = stages_of(read(spec)).derived
    assert program.definition["dx"].body == 21


def test_a_tensor_the_loss_does_not_need_has_gradient_zero() -> None:
    program = program_of("unused_parameter")
    assert program.definition["du"].body == 0


def test_equal_layers_give_equal_gradients_up_to_names() -> None:
    spec = {
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": ["batch", 4]},
        "layers": ["dense(4, activation=tanh)"] * 5,
        "loss": "mse",
    }
    program = stages_of(read(spec)).derived
    shapes = {
        (e.reduction, str(e.body).replace(str(k), "#").replace(str(k - 1), "*"))
        for k in (3, 4)
        for e in program.equations
        if e.target == f"dW{k}"
    }
    assert len(shapes) == 1


def test_gradients_are_programs_that_can_be_differentiated_again() -> None:
    spec = {"inputs": {"x": []}, "equations": {"y": "x**3"}, "loss": "y", "gradients": ["x"]}
    program = simplify(differentiate(elaborate(expand(read(spec))), ["x"]))
    slope = program.gradients[0].name
    second = simplify(differentiate(_with_loss(program, slope), ["x"]))
    x = sp.Symbol("x", real=True)
    expansion = Expansion(second, {}, {("x", ()): x})
    assert sp.simplify(expansion.values[second.gradients[0].name, ()] - 6 * x) == 0


def _with_loss(program: Program, loss: str) -> Program:
    from dataclasses import replace

    return replace(program, loss=loss, outputs=(), prediction=(), gradients=())
