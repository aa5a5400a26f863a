"""What each scalar rule makes of one node of an expression: the new form, or None where it does not match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Abs, Piecewise, sign
from symgrad.calculus.terms import erfc, expm1, log1p, logcosh, sigmoid, softplus

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STEP = 4
"""How far apart the powers of a denominator may be for its fractions to be brought together."""

MAX_PRODUCTS = 100
"""How many products a sum may have when it is multiplied out to see whether all but one cancel."""


def _numbers_with(add: sp.Expr, function: type[sp.Basic]) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    """(k, c, v) for every number k and term c*function(v) of a sum, c a number."""
    if not add.is_Add:
        return
    number, rest = add.as_coeff_Add()
    if not number:
        return
    for term in sp.Add.make_args(rest):
        factor, core = term.as_coeff_Mul()
        if isinstance(core, function):
            yield number, factor, core.args[0]


def _sum_with_exp(base: sp.Expr) -> sp.Expr | None:
    """v where `base` is 1 + exp(v)."""
    for number, factor, v in _numbers_with(base, sp.exp):
        if number == 1 and factor > 0 and len(base.args) == 2:
            return v + sp.log(factor)
    return None


def to_softplus(node: sp.Expr) -> sp.Expr | None:
    v = _sum_with_exp(node.args[0]) if isinstance(node, sp.log) else None
    return softplus(v) if v is not None else None


def to_log1p(node: sp.Expr) -> sp.Expr | None:
    if not isinstance(node, sp.log) or not node.args[0].is_Add:
        return None
    number, rest = node.args[0].as_coeff_Add()
    return log1p(rest) if number == 1 else None


def to_log_sigmoid(node: sp.Expr) -> sp.Expr | None:
    if isinstance(node, sp.log) and isinstance(node.args[0], sigmoid):
        return -softplus(-node.args[0].args[0])
    return None


def to_sigmoid(node: sp.Expr) -> sp.Expr | None:
    if node.is_Pow and node.exp.is_real and node.exp.could_extract_minus_sign():
        v = _sum_with_exp(node.base)
        return sigmoid(-v) ** -node.exp if v is not None else None
    return None


def to_sigmoid_of_other_side(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        base, power = factor.as_base_exp()
        if not isinstance(base, sigmoid) or not power.is_Rational or power < 1:
            continue
        v = -base.args[0]
        if sp.exp(v) in node.args:
            return node / sp.exp(v) / base * sigmoid(v)
    return None


def to_tanh(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        exponentials = sp.Add.make_args(factor.base) if factor.is_Pow and factor.exp == -1 else ()
        if len(exponentials) != 2 or not all(isinstance(e, sp.exp) for e in exponentials):
            continue
        v, other = (e.args[0] for e in exponentials)
        difference = sp.exp(v) - sp.exp(other)
        for way in (1, -1):
            if v == -other and way * difference in node.args:
                return node / factor / (way * difference) * way * sp.tanh(v)
    return None


def to_one_plus_tanh(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.tanh):
        if abs(factor) == abs(number):
            return node - number - factor * sp.tanh(v) + 2 * number * sigmoid(2 * factor / number * v)
    return None


def to_lower_power(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        base, power = factor.as_base_exp()
        if factor.is_Pow and not power.is_number and not base.is_number and 1 / base in node.args:
            others = [f for f in node.args if f not in (factor, 1 / base)]
            return sp.Mul(*others, base ** (power - 1))
    return None


def to_minus_log_cosh(node: sp.Expr) -> sp.Expr | None:
    if not isinstance(node, sp.log) or not node.args[0].is_Add:
        return None
    number, rest = node.args[0].as_coeff_Add()
    factor, square = rest.as_coeff_Mul()
    if number <= 0 or factor != -number or not square.is_Pow or square.exp != 2:
        return None
    if not isinstance(square.base, sp.tanh):
        return None
    return sp.log(number) - 2 * logcosh(square.base.args[0])


def to_one_exponential(node: sp.Expr) -> sp.Expr | None:
    """Exponentials of which some stand below the line."""
    exponents = [f.args[0] for f in node.args if isinstance(f, sp.exp)] if node.is_Mul else []
    below = [v for v in exponents if v.could_extract_minus_sign()]
    if len(exponents) < 2 or not 0 < len(below) < len(exponents):
        return None
    others = [f for f in node.args if not isinstance(f, sp.exp)]
    return sp.Mul(*others, sp.exp(sp.Add(*exponents)))


def to_expm1(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.exp):
        if factor == -number:
            return node - number - factor * sp.exp(v) + factor * expm1(v)
    return None


def to_exp(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, expm1):
        if factor == number:
            return node - number - factor * expm1(v) + factor * sp.exp(v)
    return None


def to_complement(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sigmoid):
        if factor == -number:
            return node - number - factor * sigmoid(v) + number * sigmoid(-v)
    return None


def to_log_cosh(node: sp.Expr) -> sp.Expr | None:
    is_match = isinstance(node, sp.log) and isinstance(node.args[0], sp.cosh)
    return logcosh(node.args[0].args[0]) if is_match else None


def to_tanh_as_quotient(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        base, power = factor.as_base_exp()
        if isinstance(base, sp.cosh) and power.is_Integer and power < 0:
            v = base.args[0]
            if sp.sinh(v) in node.args:
                return node * base / sp.sinh(v) * sp.tanh(v)
    return None


def to_erfc(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.erf):
        if abs(factor) == abs(number):
            sign = -1 if factor == number else 1
            return node - number - factor * sp.erf(v) + number * erfc(sign * v)
    return None


def to_absolute(node: sp.Expr) -> sp.Expr | None:
    """v*sign(v) is |v|. Nothing is divided by v, as SymPy inverts a choice branch by branch."""
    for factor in node.args if node.is_Mul else ():
        if not isinstance(factor, sign):
            continue
        v = factor.args[0]
        others = [other for other in node.args if other is not factor]
        for place, (base, power) in enumerate(other.as_base_exp() for other in others):
            if base == v and power.is_Integer and power > 0:
                others[place] = v ** (power - 1)
                return sp.Mul(*others, Abs(v))
    return None


def to_one_fraction(node: sp.Expr) -> sp.Expr | None:
    """Terms over powers of one sum, and numbers, brought together where all but one product cancels above."""
    if not node.is_Add:
        return None
    over: dict[sp.Expr, list[tuple[sp.Expr, sp.Expr]]] = {}
    for term in node.args:
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if base.is_Add and power.is_Rational and power < 0:
                over.setdefault(base, []).append((power, term))
    number = node.as_coeff_Add()[0]
    for base, terms in over.items():
        for group in (terms, [*terms, (sp.Integer(0), number)]) if number else (terms,):
            fraction = _common_fraction(base, group)
            if fraction is not None:
                return node - sp.Add(*(term for _, term in group)) + fraction
    return None


def _common_fraction(base: sp.Expr, terms: list[tuple[sp.Expr, sp.Expr]]) -> sp.Expr | None:
    """The sum of terms that hold the given powers of `base`, if it is one product over its lowest power."""
    lowest = min(power for power, _ in terms)
    steps = [power - lowest for power, _ in terms]
    if not any(steps) or not all(step.is_Integer and step <= MAX_STEP for step in steps):
        return None
    numerators = [term / base**lowest for _, term in terms]
    if sum(map(_products_in, numerators)) > MAX_PRODUCTS:
        return None
    above = sp.Add(*(sp.expand(numerator, deep=False) for numerator in numerators))
    return None if above.is_Add else above * base**lowest


def _products_in(term: sp.Expr) -> int:
    """How many products the factors of a term make when they are multiplied out."""
    count = 1
    for factor in sp.Mul.make_args(term):
        base, power = factor.as_base_exp()
        if base.is_Add and power.is_Integer and power > 0:
            count *= len(base.args) ** min(int(power), MAX_PRODUCTS)
    return count


def to_larger_of_zero(node: sp.Expr) -> sp.Expr | None:
    """c*v + c*|v| is 2c times max(v, 0)."""
    for term in sp.Add.make_args(node) if node.is_Add else ():
        factor, core = term.as_coeff_Mul()
        if not isinstance(core, Abs) or core.args[0].is_Add:
            continue
        v = core.args[0]
        rest = node - term - factor * v
        if len(sp.Add.make_args(rest)) == len(node.args) - 2 or not rest:
            return rest + 2 * factor * Piecewise((0, v <= 0), (v, True))
    return None


def to_sign(node: sp.Expr) -> sp.Expr | None:
    """1 above 0, -1 below and 0 at 0, as the slope of |v| comes out."""
    if not isinstance(node, sp.Piecewise) or len(node.args) != 3:
        return None
    _, condition = node.args[0]
    v = condition.args[0] if condition.is_Relational else None
    return sign(v) if v is not None and node == sign.formula(v) else None


def to_same_choice(node: sp.Expr) -> sp.Expr | None:
    """A choice between equals is what they are."""
    if isinstance(node, sp.Piecewise) and len({value for value, _ in node.args}) == 1:
        return node.args[0][0]
    return None
