"""The first values of parameters: units that start alike, and formulas that have no value at the start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.language.formula_constants import FUNCTIONS
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node, Transpose
from symgrad.spec.language.trees import children, names_in, walk
from symgrad.spec.language.unparse import unparse
from symgrad.spec.numbers import number
from symgrad.spec.reads import reached, sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import Model


def check_start(model: Model) -> None:
    """Refuse a division by a parameter that starts at 0, the logarithm of one, and their like.

    What stands in a `where` may be guarded by it, and is not looked at.

    Raises:
        SpecError: for the first such place.
    """
    starts = first_values(model)
    moved = {name: abs(value) + 0.37 for name, value in starts.items()}
    for equation in model.equations:
        _check(equation.formula, starts, moved)
        value = number(equation.formula, starts)
        if value is not None:
            starts[equation.name] = value
    if model.loss is not None:
        _check(model.loss, starts, moved)


def alike(model: Model) -> Iterator[SpecWarning]:
    """Weights of a hidden layer that all start at one number: its units start, and may stay, alike."""
    equal = {
        p.name: (p, value)
        for p in model.parameters
        if len(p.axes) > 1 and p.axes[-1] != 1 and p.init.distribution == "constant"
        for value in (number(p.init.scale, {}),)
        if value is not None
    }
    weights = {p.name for p in model.parameters if len(p.axes) > 1 and p.name not in model.states}
    multiplied = {e.name: _weights_of(e.formula) & weights for e in model.equations}
    graph = sources(model)
    below = reached({name for e, used in multiplied.items() if used for name in graph[e]}, graph)
    hidden = {weight for name, used in multiplied.items() if name in below for weight in used}
    hidden |= set[str]().union(*(_under_a_product(e.formula, weights) for e in model.equations))
    for name in sorted(hidden & set(equal)):
        parameter, value = equal[name]
        problem = f"all weights of '{name}' start at {value:g}, so its hidden units start alike"
        yield SpecWarning(problem, at=parameter.at, remedy="write init: glorot_uniform, for example")


def first_values(model: Model) -> dict[str, float]:
    """The parameters that start at one number."""
    found = {p.name: number(p.init.scale, {}) for p in model.parameters if p.init.distribution == "constant"}
    return {name: value for name, value in found.items() if value is not None}


def _check(node: Node, starts: Mapping[str, float], moved: Mapping[str, float]) -> None:
    """`moved` are other values: what has none there either is no matter of the start."""
    if (isinstance(node, Call) and node.function == "where") or not names_in(node) & starts.keys():
        return
    for child in children(node):
        _check(child, starts, moved)
    if _is_undefined(node, starts) and not _is_undefined(node, moved):
        problem = f"{unparse(node)} has no finite value at the start of training"
        raise SpecError(problem, at=node.at, remedy="give the parameter another init, such as init: 1")


def _under_a_product(formula: Node, weights: set[str]) -> set[str]:
    """The weights within one side of a product whose other side is weights too."""
    found: set[str] = set()
    for node in walk(formula):
        if isinstance(node, Binary) and node.operator == "@":
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if _weights_of(Binary("@", side, side, side.at)) & weights:
                    found |= names_in(other) & weights
    return found


def _is_undefined(node: Node, values: Mapping[str, float]) -> bool:
    """Whether a quotient, a power or a function has no finite value, with these values of its names."""
    if isinstance(node, Binary) and node.operator == "/" and number(node.right, values) == 0:
        return True
    applied = isinstance(node, Binary) or (isinstance(node, Call) and node.function in FUNCTIONS)
    value = number(node, values) if applied else None
    return value is not None and not math.isfinite(value)


def _weights_of(formula: Node) -> set[str]:
    """The tensors that are a side of a matrix product, or indexed within a sum."""
    found = set()
    for node in walk(formula):
        if isinstance(node, Binary) and node.operator == "@":
            sides = (s.operand if isinstance(s, Transpose) else s for s in (node.left, node.right))
            found |= {side.id for side in sides if isinstance(side, Name)}
        elif isinstance(node, Call) and node.function == "sum" and len(node.arguments) > 1:
            found |= {inner.tensor for inner in walk(node) if isinstance(inner, Index)}
    return found
