"""Numbers that the spec's type cannot hold: too large, or so small that they would be 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec.language.number_types import LARGEST, SMALLEST
from symgrad.spec.language.syntax import Call, Index, Node, Number
from symgrad.spec.language.trees import children
from symgrad.spec.numbers import number
from symgrad.spec.sense.argument_ranges import formulas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model


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
        remedy = "write dtype: float64, or another number" if dtype == "float32" else "write another number"
        raise SpecError(problem, at=at, remedy=remedy)


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
    for name, bound in (("clip_norm", spec.train.clip_norm), ("clip_value", spec.train.clip_value)):
        if bound is not None:
            yield bound, spec.place_of("train", name)


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
