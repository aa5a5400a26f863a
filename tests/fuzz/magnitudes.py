"""Numbers near the ends of what a type holds: in formulas, in blocks of constants, as first values.

The oracle computes the spec's own text with every number and every slope on the way brought into the range of
the type: where neither is lost so, the module must not lose it. What constants come to may be refused.

Not drawn, as it is lost (README, "Limits"): a block of huge numbers times tanh of a huge multiple, as
constants meet before x does; and a block of them times x less a factor, as a product keeps no order. And
what is smaller than a normal number may be 0: x/1.7e308/7.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.digits import value_and_slope
from fuzz.drawing import Draw
from fuzz.gradients import GARBAGE, Outcome, text_of
from fuzz.modules import interpreted, with_garbage
from fuzz.oracle import tree_of
from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Spec = dict[str, Any]

ENDS = {
    "float64": (
        *("5e-324", "1e-320", "1e-308", "2.3e-308", "1e-300", "1e-200", "1e-160", "1e-150"),
        *("1e150", "1e160", "1e200", "1e300", "8e307", "1.7e308"),
    ),
    "float32": (
        *("1e-45", "1e-40", "1e-38", "1.2e-38", "1e-30", "1e-22", "1e-18"),
        *("1e18", "1e20", "1e30", "1e35", "1e38", "3.4e38"),
    ),
}
OF_NUMBERS = "{a} * tanh({b} * x)"
QUOTIENT_INSIDE = "{a} * (x / {b})"
FORMULAS = (
    *(
        "{a} * x",
        "x / {a}",
        "{a} / x",
        "{a} * x * {b}",
        "x / {a} / {b}",
        "({a} * x) / {b}",
        QUOTIENT_INSIDE,
    ),
    *("({a} * x)**2 * {b}", "({a} * x)**2", "sqrt({a} * x**2)", "sqrt(abs({a} * x))", "{a} / ({b} + x)"),
    *("{a} * x + {b}", "({a} * x + {b}) / {a}", "{a} * x - {a} * x**2", "exp({a} * x)", "log({a} * abs(x))"),
    *("tanh({a} * x)", OF_NUMBERS, "max({a} * x, {b})", "where(x > {a}, {a} * x, x / {a})"),
    *("1 / ({a} * x)", "1 / ({a} + x**2)", "x**2 / ({a} + x**2)", "{a} * exp(x)", "exp(x) / {a}"),
    *(
        "log(exp(x) + {a})",
        "{a} * x**3 * {b}",
        "({a} * x)**(-1) * {b}",
        "abs(x) / ({a} + abs(x))",
        "x * {a} * x * {b}",
    ),
)
COUNT = 8
_JUDGED = 0.25
"""The share of specs whose text is held against the spec by the judge too."""

GOOD = {"float64": 1e-9, "float32": 1e-4}
STEP = np.longdouble("1e-1500")
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def magnitude_spec(random: Random) -> Spec:
    """A formula of each of some numbers, with constants near the ends of its type."""
    draw = Draw(random)
    dtype = "float64" if draw.chance(0.6) else "float32"
    a, b = (draw.one(ENDS[dtype]) if draw.chance(0.8) else draw.number() for _ in "ab")
    spec: Spec = {"name": "magnitudes", "dtype": dtype, "inputs": {"x": [COUNT]}}
    formula = draw.one(FORMULAS)
    if formula not in (OF_NUMBERS, QUOTIENT_INSIDE) and draw.chance(0.25):
        spec["constants"] = {"c": [float(draw.one(ENDS[dtype])) for _ in range(COUNT)]}
        a = "c"
    spec["equations"] = {"f": formula.format(a=a, b=b)}
    if draw.chance(0.3):
        spec["parameters"] = {"w": {"axes": [], "init": float(draw.one(ENDS[dtype]))}}
    return spec | {"loss": "sum(f) + w" if "parameters" in spec else "sum(f)", "gradients": ["x"]}


def judge_magnitudes(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Values and slopes that the type holds all the way are there; the text is found to be the spec's."""
    try:
        text = text_of(spec, by_rows)
    except SpecError:
        return Outcome("unsound")
    if random.random() < _JUDGED:
        identity = identity_of(expand(read(spec)), text)
        if identity.is_wrong:
            return Outcome("not identical", identity.detail)
    module, dtype = interpreted(text), np.dtype(spec["dtype"])
    if "parameters" in spec and module.init_params().w != dtype.type(spec["parameters"]["w"]["init"]):
        return Outcome("wrong first value", str(module.init_params().w))
    rng = np.random.default_rng(random.randrange(2**32))
    x = np.where(rng.random(COUNT) < 0.5, 1, -1) * rng.uniform(0.3, 2.0, COUNT)
    x = x.astype(dtype).astype(float)
    right = [_sound(spec, place, number) for place, number in enumerate(x)]
    for garbage in GARBAGE:
        with_garbage(module, garbage)
        params = module.init_params()
        ours = (
            np.asarray(module.forward(params, x), float),
            np.asarray(module.input_gradients(params, x).x, float),
        )
        for place, known in enumerate(right):
            for what, found, sound in zip(("value", "slope"), ours, known, strict=True):
                if sound is not None and not _is_kept(found[place], sound, dtype):
                    shown = f"at {x[place]:g}: {found[place]:.9g}, not {sound:.9g}"
                    return Outcome(f"lost {what}", shown)
    return Outcome("right" if any(slope is not None for _, slope in right) else "unsound")


def _is_kept(found: float, sound: float, dtype: np.dtype[Any]) -> bool:
    """Whether it is the number; one that is smaller than normal may be 0, as constants meet before x does."""
    is_lost = found == 0 and abs(sound) < np.finfo(dtype).smallest_normal
    return is_lost or abs(found - sound) <= _allowed(sound, dtype)


def _allowed(number: float, dtype: np.dtype[Any]) -> float:
    return GOOD[dtype.name] * abs(number) + 4 * float(np.finfo(dtype).smallest_subnormal)


def _sound(spec: Spec, place: int, number: float) -> tuple[float | None, float | None]:
    """The value and the slope there, each where the type does not lose it on the way."""
    formula = spec["equations"]["f"]
    if "constants" in spec:
        formula = _with_constant(formula, spec["constants"]["c"][place])
    dtype = np.dtype(spec["dtype"])
    with np.errstate(all="ignore"):
        held = _held(tree_of(formula), np.clongdouble(number) + 1j * STEP, dtype)
    value, slope = float(held.real), float(held.imag / STEP)
    if not np.isfinite(value):
        return None, None
    try:
        exact = tuple(map(float, value_and_slope(formula, number)))
    except ArithmeticError:
        return None, None
    kept = [abs(h - e) <= _allowed(e, dtype) for h, e in zip((value, slope), exact, strict=True)]
    return exact[0] if kept[0] else None, exact[1] if all(kept) else None


def _with_constant(formula: str, number: float) -> str:
    tree = ast.parse(formula, mode="eval")
    for node in ast.walk(tree):
        for field, child in ast.iter_fields(node):
            if isinstance(child, ast.Name) and child.id == "c":
                setattr(node, field, ast.Constant(number))
            elif isinstance(child, list):
                child[:] = [ast.Constant(number) if getattr(n, "id", "") == "c" else n for n in child]
    return ast.unparse(tree)


def _held(node: ast.expr, x: Any, dtype: np.dtype[Any]) -> Any:
    """The value of a formula, that and its slope brought into the range of the type after every step."""
    match node:
        case ast.Constant(number):
            found = np.clongdouble(number)
        case ast.Name():
            return x
        case ast.UnaryOp(ast.USub(), operand):
            found = -_held(operand, x, dtype)
        case ast.BinOp(base, ast.Pow(), exponent):
            power = int(ast.literal_eval(exponent))
            found = _power(_held(base, x, dtype), power, dtype)
        case ast.BinOp(left, ast.Div(), right):
            found = _quotient(_held(left, x, dtype), _held(right, x, dtype), dtype)
        case ast.BinOp(left, operation, right):
            found = OPERATORS[type(operation)](_held(left, x, dtype), _held(right, x, dtype))
        case ast.Call(ast.Name("where"), [ast.Compare(left, _, [right]), yes, no]):
            holds = _held(left, x, dtype).real > _held(right, x, dtype).real
            return _held(yes if holds else no, x, dtype)
        case ast.Call(ast.Name("max"), [a, b]):
            return max(_held(a, x, dtype), _held(b, x, dtype), key=lambda z: z.real)
        case ast.Call(ast.Name("abs"), [inner]):
            z = _held(inner, x, dtype)
            found = -z if z.real < 0 else z
        case ast.Call(ast.Name(name), [inner]):
            found = getattr(np, name)(_held(inner, x, dtype))
        case _:
            raise NotImplementedError(ast.dump(node))
    return _in_range(found, dtype)


def _power(base: Any, exponent: int, dtype: np.dtype[Any]) -> Any:
    found = np.clongdouble(1)
    for _ in range(abs(exponent)):
        found = _in_range(found * base, dtype)
    return found if exponent > 0 else _quotient(np.clongdouble(1), found, dtype)


def _quotient(a: Any, b: Any, dtype: np.dtype[Any]) -> Any:
    """A slope of a quotient is formed with the square of what is divided by: where that is lost, so is it."""
    square = abs(dtype.type((b * b).real))
    is_lost = b.imag and not np.finfo(dtype).smallest_normal <= square <= np.finfo(dtype).max
    return a / b + (1j * np.longdouble(np.nan) * STEP if is_lost else 0)


def _in_range(z: Any, dtype: np.dtype[Any]) -> Any:
    real, slope = (np.longdouble(dtype.type(part)) for part in (z.real, z.imag / STEP))
    return np.clongdouble(real) + 1j * (slope * STEP)
