"""Emitted expressions mean what they were built from: Python's own parser reads random trees back."""

from __future__ import annotations

import ast
import random

import pytest
import sympy as sp

from symgrad.calculus.terms import Entry
from symgrad.compiler.kernels.instructions import Variable
from symgrad.compiler.kernels.lowering import Lowering, lowered_index
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.compiler.targets.python import expression as ex

EXPONENTS = [2, 3, -1, -2, -3, sp.Rational(3, 2), sp.Rational(-1, 2)]


def number(rng: random.Random) -> tuple[ex.Code, str]:
    if rng.random() < 0.2:
        return ex.Code("-2", ex.Strength.SIGN), "(-2)"
    name = rng.choice("abc")
    return ex.Code(name), name


def arithmetic(rng: random.Random, depth: int) -> tuple[ex.Code, str]:
    """An expression and the same one with all brackets."""
    if depth == 0:
        return number(rng)
    (a, full_a), (b, full_b), (c, full_c) = (arithmetic(rng, rng.randrange(depth)) for _ in range(3))
    kind = rng.randrange(8)
    if kind == 0:
        return ex.total([(True, a), (False, b), (True, c)]), f"(((-{full_a}) + {full_b}) - {full_c})"
    if kind == 1:
        return ex.total([(False, a), (True, b)]), f"({full_a} - {full_b})"
    if kind == 2:
        return ex.product([a, b, c]), f"(({full_a} * {full_b}) * {full_c})"
    if kind == 3:
        return ex.quotient(a, b), f"({full_a} / {full_b})"
    if kind == 4:
        return ex.power(a, b), f"({full_a} ** {full_b})"
    if kind == 5:
        return ex.negative(a), f"(-{full_a})"
    if kind == 6:
        return ex.call("f", [a, b]), f"f({full_a}, {full_b})"
    condition, full = comparison(rng, depth - 1)
    return ex.choice(a, condition, b), f"({full_a} if {full} else {full_b})"


def comparison(rng: random.Random, depth: int) -> tuple[ex.Code, str]:
    if depth <= 0 or rng.random() < 0.4:
        (a, full_a), (b, full_b) = arithmetic(rng, max(depth, 0)), arithmetic(rng, max(depth, 0))
        return ex.compared(a, "<", b), f"({full_a} < {full_b})"
    (a, full_a), (b, full_b) = comparison(rng, depth - 1), comparison(rng, depth - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return ex.negation(a), f"(not {full_a})"
    join, word = (ex.conjunction, "and") if kind == 1 else (ex.disjunction, "or")
    return join([a, b]), f"({full_a} {word} {full_b})"


class SignsFirst(ast.NodeTransformer):
    """A minus sign of a product as that of its first factor, which is the same number, to the last bit."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        node = self.generic_visit(node)
        below = node.operand
        if not isinstance(node.op, ast.USub) or not is_product(below):
            return node
        below.left = self.visit(ast.UnaryOp(ast.USub(), below.left))
        return below


class Chains(ast.NodeTransformer):
    """`a and (b and c)` as `a and b and c`."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        node = self.generic_visit(node)
        parts = []
        for value in node.values:
            same = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
            parts += value.values if same else [value]
        return ast.BoolOp(node.op, parts)


def is_product(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)


def tree(text: str) -> str:
    return ast.dump(Chains().visit(SignsFirst().visit(ast.parse(text, mode="eval"))))


@pytest.mark.parametrize("seed", range(10))
def test_printed_trees_are_read_back_as_they_were_built(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(200):
        code, full = arithmetic(rng, 5)
        assert tree(code.text) == tree(full), code.text


def scalar(rng: random.Random, depth: int) -> sp.Expr:
    x, y = Entry("x"), Entry("y")
    if depth == 0:
        return rng.choice([x, y, x, y, sp.Integer(2), sp.Integer(-3), sp.Rational(1, 3), sp.Rational(-5, 2)])
    a, b = scalar(rng, depth - 1), scalar(rng, rng.randrange(depth))
    return rng.choice(
        [
            lambda: a + b,
            lambda: a - b,
            lambda: a * b,
            lambda: a / (2 + b**2),
            lambda: (
                (1 + a**2) ** rng.choice([2, 3, -1, -2, -3, sp.Rational(3, 2), sp.Rational(-1, 2), b / 8])
            ),
            lambda: sp.sin(a) ** rng.choice([2, 3, -2]),
            lambda: a * x**3 / y**3,
            lambda: sp.exp(-(b**2)) / a if a != 0 else b,
            lambda: sp.Piecewise((a, sp.Or(y**2 > x, x < y / 2)), (-b, sp.true)),
            lambda: sp.Max(a, b),
        ]
    )()


@pytest.mark.parametrize("seed", range(10))
def test_printed_formulas_have_the_value_of_the_formula(seed: int) -> None:
    rng, point = random.Random(seed), {"x": sp.Rational(13, 10), "y": sp.Rational(7, 10)}
    names = {
        "real": lambda v: sp.Float(v, 30) if isinstance(v, float) else sp.Integer(v),
        "np": Exact,
        "maximum": sp.Max,
        "exp": sp.exp,
        "x": sp.Float(point["x"], 30),
        "y": sp.Float(point["y"], 30),
    }
    for _ in range(25):
        formula = scalar(rng, 3)
        values = {Entry(name): sp.Float(value, 30) for name, value in point.items()}
        expected = formula.xreplace(values).evalf(25)
        if not expected.is_real:
            continue
        text = NUMBA.text(Lowering(lambda entry: Variable(entry.tensor), {})(formula))
        got = eval(text, names)  # the text is ours
        assert abs(got - expected) <= sp.Float("1e-12") * (1 + abs(expected)), (formula, text)


class Exact:
    """NumPy's functions for SymPy's numbers."""

    sqrt, sin = staticmethod(sp.sqrt), staticmethod(sp.sin)
    square = staticmethod(lambda v: v**2)


def test_a_power_of_a_size_stays_a_power() -> None:
    size = sp.Symbol("batch", integer=True, positive=True)
    assert NUMBA.text(lowered_index(3 * size**2 + size, {})) in (
        "3 * batch ** 2 + batch",
        "batch + 3 * batch ** 2",
    )
