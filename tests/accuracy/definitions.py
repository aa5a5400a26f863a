"""Every function of the language and its slope in 50 digits, and where both are defined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.verifier.functions.accuracy import DEFINITIONS, mp

if TYPE_CHECKING:
    from collections.abc import Callable

INFINITY = math.inf
_sigmoid, _softplus = DEFINITIONS["sigmoid"], DEFINITIONS["softplus"]


@dataclass(frozen=True)
class Definition:
    """A function, its slope, and the open interval on which it is measured."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    low: float = -INFINITY
    high: float = INFINITY


def _normal(x: Any) -> Any:
    """The density of the normal distribution, and its integral."""
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi), mp.erfc(-x / mp.sqrt(2)) / 2


FUNCTIONS = {
    "exp": Definition(mp.exp, mp.exp),
    "expm1": Definition(mp.expm1, mp.exp),
    "log": Definition(mp.log, lambda x: 1 / x, low=0),
    "log1p": Definition(mp.log1p, lambda x: 1 / (1 + x), low=-1),
    "sqrt": Definition(mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), low=0),
    "sin": Definition(mp.sin, mp.cos, -1e4, 1e4),
    "cos": Definition(mp.cos, lambda x: -mp.sin(x), -1e4, 1e4),
    "tan": Definition(mp.tan, lambda x: 1 + mp.tan(x) ** 2, -1e4, 1e4),
    "sinh": Definition(mp.sinh, mp.cosh),
    "cosh": Definition(mp.cosh, mp.sinh),
    "tanh": Definition(mp.tanh, DEFINITIONS["tanh_slope"]),
    "asin": Definition(mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), -1, 1),
    "acos": Definition(mp.acos, lambda x: -1 / mp.sqrt(1 - x * x), -1, 1),
    "atan": Definition(mp.atan, lambda x: 1 / (1 + x * x)),
    "erf": Definition(mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "sigmoid": Definition(_sigmoid, DEFINITIONS["sigmoid_slope"]),
    "softplus": Definition(_softplus, _sigmoid),
    "logsigmoid": Definition(lambda x: -_softplus(-x), lambda x: _sigmoid(-x)),
    "silu": Definition(lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))),
    "gelu": Definition(lambda x: x * _normal(x)[1], lambda x: _normal(x)[1] + x * _normal(x)[0]),
}
