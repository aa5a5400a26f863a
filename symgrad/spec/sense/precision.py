"""Numbers that the spec's type cannot hold: too large, or so small that they would be 0."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, SpecWarning
from symgrad.spec.intervals import interval
from symgrad.spec.language.number_types import LARGEST, SMALLEST, SMALLEST_NORMAL, held
from symgrad.spec.language.syntax import Call, Index, Node, Number
from symgrad.spec.language.trees import children
from symgrad.spec.numbers import number
from symgrad.spec.sense.argument_ranges import formulas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model


_SHARE = Fraction(1, 20)
"""Of the distance between a hyper-parameter and an end of its interval so much may be lost to rounding."""


def check_numbers(model: Model) -> None:
    """Refuse numbers in formulas, constants, first values, hyper-parameters and bounds beyond the type.

    Raises:
        SpecError: for the first of them.
    """
    for value, at in _numbers(model):
        dtype = model.spec.dtype
        if abs(value) > LARGEST[dtype]:
            problem = f"{value:g} is too large for {dtype}, which holds numbers up to {LARGEST[dtype]:.3g}"
        elif 0 < abs(value) < SMALLEST[dtype] or value == 0:
            problem = f"{dtype} cannot tell {f'{value:g}' if value else 'so small a number'} from 0"
        else:
            continue
        raise SpecError(problem, at=at, remedy=_remedy(dtype))
    _check_ends(model)


def blurred_numbers(model: Model) -> Iterator[SpecWarning]:
    """Numbers so small that the type holds them with few digits."""
    dtype = model.spec.dtype
    for value, at in _numbers(model):
        if SMALLEST[dtype] <= abs(value) < SMALLEST_NORMAL[dtype]:
            problem = f"{dtype} holds {float(value)!r} with few digits, as {held(value, dtype):g}"
            yield SpecWarning(problem, at=at, remedy=_remedy(dtype))


def _remedy(dtype: str) -> str:
    return "write dtype: float64, or another number" if dtype == "float32" else "write another number"


def _check_ends(model: Model) -> None:
    """Refuse a hyper-parameter so near an end of its interval that the type cannot tell how near.

    An average with b of 1 - 1e-9 is none in float32, where b is 1: it is a sum.
    """
    dtype = model.spec.dtype
    for hyper in model.hyper:
        known = hyper.value.value if isinstance(hyper.value, Number) else number(hyper.value, {})
        allowed = interval(hyper.allowed or "(-inf, inf)")
        ends = [end for end in (allowed.least, allowed.most) if end and math.isfinite(end)]
        if known is None or not ends:
            continue
        value = Fraction(known)
        lost = abs(Fraction(held(float(value), dtype)) - value)
        for end in ends:
            if lost > _SHARE * abs(value - Fraction(end)):
                problem = f"{dtype} cannot tell {float(value):.17g} from {end:g}"
                raise SpecError(problem, at=hyper.value.at, remedy=_remedy(dtype))


def _numbers(model: Model) -> Iterator[tuple[float, Position]]:
    """Every number written, as a value other than 0 where it is meant to be one."""
    spec = model.spec
    scales = [p.init.scale for p in model.parameters if not isinstance(p.init.scale, Call)]
    values = [value for _, value in (*model.optimizer.hyper, *model.optimizer.state)]
    updates = [] if isinstance(spec.train.optimizer, Call) else [f for _, f in model.optimizer.update]
    for formula in (*formulas(model), *scales, *values, *updates):
        yield from _in_formula(formula)
    for constant in spec.constants:
        for value in constant.values:
            if value:
                yield value, constant.at
    train = spec.train
    for name, bound in (
        ("clip_norm", train.clip_norm),
        ("clip_value", train.clip_value),
        ("missing", train.missing),
    ):
        if isinstance(bound, float) and bound:
            yield bound, spec.place_of("train", name)
    for data in train.sources:
        points = data.points
        drawn = (*points.ranges, *points.choices) if points else ()
        yield from ((value, data.at) for _, values in drawn for value in values if value)


def _in_formula(node: Node) -> Iterator[tuple[float, Position]]:
    """The constant parts of a formula, each as a whole."""
    if isinstance(node, Index):
        return
    value = number(node, {})
    if value is None:
        for child in children(node):
            yield from _in_formula(child)
    elif math.isfinite(value) and (value or (isinstance(node, Number) and node.value)):
        yield value, node.at
