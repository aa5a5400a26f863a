"""Python text for Numba: what functions are called in an emitted module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.kernels.instructions import Applied, FormedFirst, Instruction, walk
from symgrad.compiler.targets.python.printer import FORMED_FIRST, Printer
from symgrad.spec.reductions import EXTREMA, REDUCTIONS
from symgrad.spec.scalars import INNER, ULPS

if TYPE_CHECKING:
    from collections.abc import Iterable

_JOINED = {name.capitalize(): REDUCTIONS[name].joined for name in EXTREMA}
FUNCTIONS = {
    **{inner: row.code for inner, row in INNER.items() if row.code},
    **{name: f"np.{joined}" for name, joined in _JOINED.items()},
    "square": "np.square",
}
OWN_FUNCTIONS = {name: name for name in ULPS} | _JOINED


def spelled(function: str, plain: bool) -> str:
    """The module's own function where loops are vectorised; else one that needs no compilation."""
    if function in OWN_FUNCTIONS and not (plain and function in FUNCTIONS):
        return OWN_FUNCTIONS[function]
    return FUNCTIONS.get(function, function)


NUMBA = Printer(spelled)
"""For compiled functions."""
CALLERS = Printer(lambda function, plain: "_array" if function == "view" else spelled(function, plain))
"""For those that call them: their views are NumPy's."""


def called_in(instructions: Iterable[Instruction]) -> set[str]:
    """The functions whose values the instructions need, as the module calls them."""
    nodes = list(walk(tuple(instructions)))
    called = {spelled(node.function, node.plain) for node in nodes if isinstance(node, Applied)}
    return called | {FORMED_FIRST[node.operator] for node in nodes if isinstance(node, FormedFirst)}
