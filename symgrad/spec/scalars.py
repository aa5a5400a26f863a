"""The functions of one number, a row each: every name, sign and code that a function has anywhere.

A new one is a row, if SymPy has it or a formula says what it is. Who computes one that has a code asks his
library by the row's names, and takes the formula where that has none; one without is its formula everywhere,
whatever a library calls so. What is no data stands where it is used: what the calculus knows beyond a formula
(`calculus/real.py`), the code of those that a module carries (`runtime/numba/elementary_functions.py`, and
what they are held to in `verifier/functions`), and the algebra of exp, log and the circle in the judge's
finite field (`verifier/identity/field.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from symgrad.spec.intervals import Interval, interval

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ScalarFunction:
    """A function of one real number.

    `name` is what formulas call it, and SymPy, mpmath, Arb, PyTorch and a module that carries it. Otherwise
    it is called `symbol` in the calculus, `shown` in text, `latex` in LaTeX, and `also` in other libraries.
    `code` is the library's function in emitted text, and so its name in NumPy.

    `formula` is what it is by others, over x. `domain` is where it has values, open where it is infinite at
    the end; `image` holds its values. It may be `odd`, have the sign of its argument, or be `flat` but for
    jumps. A module carries it if it has `ulps`, the largest error in units in the last place. `use` says
    where it may stand: in any formula, in updates and schedules, or only in what the calculus makes.
    """

    name: str
    code: str = ""
    formula: str = ""
    symbol: str = ""
    shown: str = ""
    latex: str = ""
    also: str = ""
    domain: str = "(-inf, inf)"
    image: str = "(-inf, inf)"
    odd: bool = False
    keeps_sign: bool = False
    flat: bool = False
    ulps: float = 0
    use: Literal["formulas", "updates", "code"] = "formulas"

    @cached_property
    def arguments(self) -> Interval:
        """The domain."""
        return interval(self.domain)

    @cached_property
    def values(self) -> Interval:
        """The image."""
        return interval(self.image)

    def of(self, library: Any, called: str = "") -> Callable[[Any], Any] | None:
        """The function of a library; None where it has none, or where this is its formula."""
        found: Callable[[Any], Any] | None = (
            getattr(library, called or self.name, None) if self.code else None
        )
        return found

    @property
    def numpy(self) -> str:
        """What NumPy calls it, where NumPy has it."""
        return "" if self.code.startswith("math.") else self.code.removeprefix("np.")

    @property
    def inner(self) -> str:
        """What the calculus calls it."""
        return self.symbol or self.name

    @property
    def written(self) -> str:
        """What people call it."""
        return self.shown or self.name


_ROWS = (
    ScalarFunction("exp", "np.exp", latex=r"\exp", image="(0, inf)", ulps=0.9),
    ScalarFunction("expm1", "np.expm1", "exp(x) - 1", ulps=1.3),
    ScalarFunction("log", "np.log", latex=r"\log", domain="(0, inf)", ulps=0.9),
    ScalarFunction("log1p", "np.log1p", "log(1 + x)", domain="(-1, inf)", ulps=0.9),
    ScalarFunction("sqrt", "np.sqrt", domain="[0, inf)", image="[0, inf)"),
    ScalarFunction("sin", "np.sin", latex=r"\sin", image="[-1, 1]", odd=True),
    ScalarFunction("cos", "np.cos", latex=r"\cos", image="[-1, 1]"),
    ScalarFunction("tan", "np.tan", "sin(x) / cos(x)", latex=r"\tan", odd=True),
    ScalarFunction("sinh", "np.sinh", "(exp(x) - exp(-x)) / 2", latex=r"\sinh", odd=True, keeps_sign=True),
    ScalarFunction("cosh", "np.cosh", "(exp(x) + exp(-x)) / 2", latex=r"\cosh", image="[1, inf)"),
    ScalarFunction(
        *("asin", "np.arcsin"),
        shown="arcsin",
        latex=r"\arcsin",
        also="arcsin",
        domain="[-1, 1]",
        odd=True,
        keeps_sign=True,
    ),
    ScalarFunction("acos", "np.arccos", shown="arccos", latex=r"\arccos", also="arccos", domain="[-1, 1]"),
    ScalarFunction(
        "atan", "np.arctan", shown="arctan", latex=r"\arctan", also="arctan", odd=True, keeps_sign=True
    ),
    ScalarFunction("erfc", "math.erfc", "1 - erf(x)", image="(0, 2)", ulps=4, use="code"),
    ScalarFunction("erf", "math.erf", odd=True, keeps_sign=True, ulps=1.4),
    ScalarFunction("sigmoid", formula="1 / (1 + exp(-x))", image="(0, 1)", ulps=1.7, use="code"),
    ScalarFunction(
        "sigmoid_slope",
        formula="sigmoid(x) * sigmoid(-x)",
        shown="sigmoid′",
        latex=r"\mathrm{sigmoid}^{\prime}",
        image="(0, 0.25]",
        ulps=3,
        use="code",
    ),
    ScalarFunction("softplus", formula="log(1 + exp(x))", image="(0, inf)", ulps=1.6, use="code"),
    ScalarFunction(
        *("tanh", "np.tanh", "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"),
        latex=r"\tanh",
        odd=True,
        keeps_sign=True,
        ulps=1.5,
    ),
    ScalarFunction(
        "tanh_slope",
        formula="4 * sigmoid(2 * x) * sigmoid(-2 * x)",
        shown="tanh′",
        latex=r"\tanh^{\prime}",
        image="(0, 1]",
        ulps=3,
        use="code",
    ),
    ScalarFunction("logcosh", formula="log(cosh(x))", ulps=2.2, use="code"),
    ScalarFunction("abs", "abs", symbol="Abs", also="absolute fabs", image="[0, inf)"),
    ScalarFunction("sign", "np.sign", also="signum sgn", odd=True, flat=True),
    ScalarFunction("floor", "np.floor", flat=True, use="updates"),
)
SCALARS = {row.name: row for row in _ROWS}
"""By their names, each after those that its code calls."""
ULPS = {row.name: row.ulps for row in _ROWS if row.ulps}
"""Of those that a module may carry, the largest error."""
INNER = {row.inner: row for row in _ROWS}
"""By their names in the calculus."""
