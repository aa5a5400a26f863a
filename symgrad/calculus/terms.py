"""The scalar language of equation bodies: SymPy, plus tensor entries and a few named functions.

A named function is a numerically stable name for a formula. Its derivative is SymPy's derivative of
that formula, written in terms of the function's own value where algebra allows it: this is how
`sigmoid' = sigmoid (1 - sigmoid)` and `softplus' = sigmoid` come about.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import islice
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar

import sympy as sp

from symgrad.errors import InternalError
from symgrad.spec.language.definitions import defined
from symgrad.spec.scalars import INNER, SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CACHE_SIZE = 100_000
MAX_BODY = 100
"""A body with more nodes than this gets a name of its own: what SymPy is given stays small."""


class Infinite(sp.AtomicExpr):
    """Infinity as a value that a choice may have, opaque to SymPy, whose own would be absorbed by sums."""

    is_commutative = True
    is_real = True
    is_positive = True
    is_number = False

    def _sympystr(self, _printer: Any) -> str:
        return "inf"

    def _eval_derivative(self, _variable: sp.Expr) -> sp.Expr:
        return sp.Integer(0)


INFINITE = Infinite()


def is_infinite(expr: sp.Basic) -> bool:
    """inf or -inf itself."""
    return expr in (INFINITE, -INFINITE)


class Entry(sp.Expr):
    """One entry of a tensor, `X[n, k]`: to SymPy a real variable of its own."""

    is_commutative = True
    is_real = True
    _diff_wrt = True

    def __new__(cls, tensor: str, indices: Sequence[sp.Expr] = ()) -> Entry:
        return _entry(tensor, tuple(indices))

    @property
    def tensor(self) -> str:
        return str(self.args[0].name)

    @property
    def indices(self) -> tuple[sp.Expr, ...]:
        return tuple(self.args[1:])

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """The entry itself: SymPy may try numbers for it, not for its tensor's name."""
        return {self}.union(*(i.free_symbols for i in self.indices))

    @property
    def func(self) -> Any:
        return lambda name, *indices: Entry(name.name, indices)

    def _eval_derivative(self, variable: sp.Expr) -> sp.Expr:
        return sp.Integer(int(self == variable))

    def _sympystr(self, printer: Any) -> str:
        inner = ", ".join(printer.doprint(i) for i in self.indices)
        return f"{self.tensor}[{inner}]" if inner else self.tensor


class _TensorName(sp.Symbol):
    """Of tensors that differ in a number, Z9 comes before Z10: sums of equal layers are written alike."""

    __slots__ = ()

    def _hashable_content(self) -> tuple[Any, ...]:
        return (_padded(self.name), *super()._hashable_content())

    def sort_key(self, order: str | None = None) -> tuple[Any, ...]:  # noqa: ARG002  # SymPy's signature
        return self.class_key(), (1, (_padded(self.name),)), sp.S.One.sort_key(), sp.S.One


@cache
def _padded(name: str) -> str:
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), name)


@cache
def _tensor_symbol(name: str) -> sp.Symbol:
    return _TensorName(name)


def _entry(tensor: str, indices: tuple[sp.Expr, ...]) -> Entry:
    made: Entry = sp.Expr.__new__(Entry, _tensor_symbol(tensor), *map(_as_place, indices))
    return made


def _as_place(index: sp.Expr) -> sp.Expr:
    """An index as a sum of terms, 2*i + 2 where SymPy factors it into 2*(i + 1): one place has one entry."""
    index = sp.sympify(index)
    return index if index.is_Symbol or index.is_Number or isinstance(index, Entry) else _multiplied_out(index)


@cache
def _multiplied_out(index: sp.Expr) -> sp.Expr:
    return sp.expand_mul(index)


@cache
def index_symbol(name: str) -> sp.Symbol:
    """A loop index: an integer from 0."""
    return sp.Symbol(name, integer=True, nonnegative=True)


@cache
def extent_symbol(name: str) -> sp.Symbol:
    """The size of a free axis: a positive integer known when the data is."""
    return sp.Symbol(name, integer=True, positive=True)


class Named(sp.Function):
    """A function of one real argument, defined by a formula: that of its row, or its own."""

    nargs = 1
    is_real = True
    known: ClassVar[dict[str, type[Named]]] = {}

    def __init_subclass__(cls) -> None:
        """The function under its name, with the sign that its row says it has."""
        Named.known[cls.__name__] = cls
        if cls.__name__ in INNER:
            values = INNER[cls.__name__].values
            if values.least >= 0:
                setattr(cls, "is_positive" if values.is_positive else "is_nonnegative", True)
        super().__init_subclass__()

    @classmethod
    def formula(cls, value: sp.Expr) -> sp.Expr:
        """What it stands for."""
        return defined(INNER[cls.__name__].formula, sp.sympify, function_called)({"x": value})

    @classmethod
    def eval(cls, value: sp.Expr) -> sp.Expr | None:
        """At 0 the number that the formula gives, so that a division by it is seen to be one by 0."""
        return cls.formula(value) if value.is_zero else None

    def _eval_evalf(self, digits: int) -> sp.Expr:
        """The value at a number: a constant in a formula."""
        return self.formula(self.args[0])._eval_evalf(digits)

    def fdiff(self, _argindex: int = 1) -> sp.Expr:
        return derivative_of(self.func).xreplace({ARGUMENT: self.args[0]})


class sigmoid(Named):
    """Positive and below 1."""


class softplus(Named):
    """Positive, without overflow."""


class log1p(Named):
    """Exact for small x."""


class expm1(Named):
    """Exact for small x."""


class erfc(Named):
    """Exact where erf(x) is near 1. SymPy's own turns erfc(-x) back into a difference."""


class logcosh(Named):
    """Without overflow, and exact for small x."""


def function_called(name: str) -> Callable[[sp.Expr], sp.Expr]:
    """The function that a row stands for: a class of ours, or SymPy's function, or the row's formula.

    Raises:
        InternalError: there is none.
    """
    row = SCALARS[name]
    if row.inner not in Named.known:
        if (found := row.of(sp)) is not None:
            return found
        if not row.formula:
            raise InternalError(f"the row of '{name}' needs a formula: SymPy has no such function")
        new_class(row.inner, (Named,))
    return Named.known[row.inner]


class shifted(sp.Function):
    """a - b, kept together: the difference is formed before anything else is added to it."""

    nargs = 2
    is_real = True


class divided(sp.Function):
    """a / b, kept together: the quotient is formed before it is multiplied by anything else."""

    nargs = 2
    is_real = True


class multiplied(sp.Function):
    """a · b, kept together, as a quotient is."""

    nargs = 2
    is_real = True


class delta(sp.Function):
    """Kronecker's delta of an integer entry and an index: 1 where they agree, else 0."""

    nargs = 2
    is_real = True

    @classmethod
    def eval(cls, label: sp.Expr, index: sp.Expr) -> sp.Expr | None:
        """It is decided where it can be; of an entry and an index the entry stands first."""
        if label == index:
            return sp.Integer(1)
        if label.is_Integer and index.is_Integer:
            return sp.Integer(0)
        is_turned = isinstance(index, Entry) and not isinstance(label, Entry)
        return cls(index, label) if is_turned else None

    def _eval_derivative(self, _variable: sp.Expr) -> sp.Expr:
        return sp.Integer(0)


class stop_gradient(sp.Function):
    """Its argument, through which no derivative passes; a number has none."""

    nargs = 1
    is_real = True

    @classmethod
    def eval(cls, inner: sp.Expr) -> sp.Expr | None:
        return inner if inner.is_number else None

    def _eval_derivative(self, _variable: sp.Expr) -> sp.Expr:
        return sp.Integer(0)

    def _eval_is_nonnegative(self) -> Any:
        return self.args[0].is_nonnegative

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_positive


class drawn(sp.Function):
    """A number drawn evenly between 0 and 1: that of an entry, by its indices, in the stream of this number.

    It depends on no tensor, so that no derivative passes through it.
    """

    is_real = True
    is_positive = True

    def _eval_derivative(self, _variable: sp.Expr) -> sp.Expr:
        return sp.Integer(0)


class leading(sp.Function):
    """An index over the first entries of a longer axis, as in X[i + 0]: X is not defined by these alone."""

    nargs = 1
    is_integer = True
    is_nonnegative = True

    @classmethod
    def eval(cls, index: sp.Expr) -> sp.Expr | None:
        """Anything but an index alone is seen to be a part of an axis as it is."""
        return None if isinstance(index, sp.Symbol) else index

    def _sympystr(self, printer: Any) -> str:
        return str(printer.doprint(self.args[0]))


ARGUMENT = sp.Symbol("x", real=True)


@cache
def derivative_of(function: sp.FunctionClass) -> sp.Expr:
    """The derivative of a named function at ARGUMENT, by SymPy from its formula."""
    value = function.formula(ARGUMENT)
    derivative = sp.diff(value, ARGUMENT)
    return in_terms_of_value(value, derivative, function(ARGUMENT)) or _by_name(derivative)


def _by_name(formula: sp.Expr) -> sp.Expr:
    """The named function whose formula this is, if there is one: |x|' is sign(x), softplus' is sigmoid."""
    named = (function(ARGUMENT) for function in Named.known.values())
    return next((call for call in named if _are_one(call.func.formula(ARGUMENT), formula)), formula)


def _are_one(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether two formulas are the same as they stand, or as rational functions of one exponential."""
    u = sp.Dummy("u", positive=True)
    powers = _powers_of_one_exponential(one - other, u)
    in_u = (one - other).xreplace(powers)
    return one == other or bool(powers and in_u.is_rational_function(u) and sp.cancel(in_u) == 0)


def in_terms_of_value(value: sp.Expr, derivative: sp.Expr, name: sp.Expr) -> sp.Expr | None:
    """`derivative` as a polynomial in `name`, where `value`, called `name`, is rational in one exponential.

    So are tanh' and sigmoid' found. The degree is 2 at most: where the value has a pole of order m in the
    exponential u, its derivative has one of order m at u = 0 and of order m + 1 elsewhere. A form `a + c` is
    refused: where a is near -c it would cancel.
    """
    u, a = sp.Dummy("u", positive=True), sp.Dummy("a")
    powers = _powers_of_one_exponential(value, u)
    in_u, derivative_u = value.xreplace(powers), derivative.xreplace(powers)
    if not powers or in_u.free_symbols != {u} or derivative_u.free_symbols - {u}:
        return None
    if not in_u.is_rational_function(u) or derivative_u.atoms(sp.exp):
        return None
    unknown = sp.symbols("c:3", cls=sp.Dummy)
    excess = derivative_u - sum(c * in_u**power for power, c in enumerate(unknown))
    solutions = sp.linsolve(sp.Poly(sp.numer(sp.together(excess)), u).coeffs(), unknown)
    for constant, first, second in solutions:
        if second == 0 and constant != 0:
            return None
        return _without_leading_minus(sp.factor(constant + first * a + second * a**2)).xreplace({a: name})
    return None


_MOST_POWER = 16
"""Of an exponential: polynomials of a higher degree, as of exp(1e38·x) + exp(x), would take for ever."""


def _powers_of_one_exponential(value: sp.Expr, u: sp.Symbol) -> dict[sp.Expr, sp.Expr]:
    """exp(c g v) -> u**c for small whole numbers c and one v, if that is all the exponentials there are."""
    parts = {e: e.args[0].as_coeff_Mul() for e in value.atoms(sp.exp)}
    same = len({core for _, core in parts.values()}) == 1
    if not same or not all(c.is_Rational for c, _ in parts.values()):
        return {}
    unit = sp.gcd([c for c, _ in parts.values()])
    powers = {e: c / unit for e, (c, _) in parts.items()}
    return {e: u**c for e, c in powers.items()} if max(map(abs, powers.values())) <= _MOST_POWER else {}


def _without_leading_minus(product: sp.Expr) -> sp.Expr:
    """-(a - 1) b written as b (1 - a)."""
    factors = sp.Mul.make_args(product)
    sums = [f for f in factors if f.is_Add]
    if sp.S.NegativeOne in factors and sums:
        rest = [f for f in factors if f != sums[0] and f != sp.S.NegativeOne]
        return sp.Mul(*rest, -sums[0])
    return product


def partial_derivative(expr: sp.Expr, entry: sp.Expr) -> sp.Expr:
    """The derivative of a body with respect to one of its entries, by SymPy."""
    variable = sp.Dummy("v", real=True)
    return sp.diff(expr.xreplace({entry: variable}), variable).xreplace({variable: entry})


def with_indices(expr: sp.Expr, names: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The expression with other indices, in the same form."""
    if expr in names:
        return names[expr]
    return with_args(expr, [with_indices(part, names) for part in expr.args])


def with_args(expr: sp.Expr, parts: Sequence[sp.Expr]) -> sp.Expr:
    """The expression of other parts, in the same form: xreplace would multiply 2·(a + b) out."""
    if all(new is old for new, old in zip(parts, expr.args, strict=True)):
        return expr
    if expr.is_Mul and len(parts) == 2 and parts[0].is_Rational and parts[1].is_Add:
        return sp.Mul(*parts, evaluate=False)
    made: sp.Expr = expr.func(*parts)
    return made


@lru_cache(CACHE_SIZE)
def entries(expr: sp.Expr) -> tuple[Entry, ...]:
    """The distinct entries in an expression, those inside indices too, in a fixed order."""
    return tuple(sorted(expr.atoms(Entry), key=lambda e: e.sort_key()))


def float_entries(expr: sp.Expr) -> list[Entry]:
    """The distinct entries that stand as values, not as indices."""
    found: set[Entry] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Entry):
            found.add(node)
        elif not isinstance(node, delta):
            stack.extend(node.args)
    return sorted(found, key=lambda e: e.sort_key())


@lru_cache(CACHE_SIZE)
def text_of(expr: sp.Basic) -> str:
    """SymPy's text of an expression, which terms and factors are sorted by."""
    return str(expr)


@lru_cache(CACHE_SIZE)
def indices_in(expr: sp.Basic) -> frozenset[sp.Symbol]:
    """The loop indices that occur in an expression."""
    return frozenset(filter(is_index, expr.free_symbols))


def is_index(expr: sp.Basic) -> bool:
    """Whether it is the index of a loop; unlike it, a size is positive."""
    return bool(
        isinstance(expr, sp.Symbol) and expr.is_integer and expr.is_nonnegative and not expr.is_positive
    )


def is_whole(expr: sp.Basic) -> bool:
    """Whether it is made of indices and whole numbers alone, by sums and multiples: an index as it is."""
    if expr.is_Add or expr.is_Mul or isinstance(expr, leading):
        return all(map(is_whole, expr.args))
    return bool(expr.is_Integer) or is_index(expr)


@lru_cache(CACHE_SIZE)
def indices_as_numbers(expr: sp.Basic) -> frozenset[sp.Symbol]:
    """The loop indices that are computed with, as in `i - j` or where(i >= j, ...): not those of entries."""
    if isinstance(expr, sp.Symbol):
        return indices_in(expr)
    if isinstance(expr, Entry | delta):
        return frozenset()
    return frozenset[sp.Symbol]().union(*map(indices_as_numbers, expr.args))


def is_large(body: sp.Expr) -> bool:
    """Whether a body has more than MAX_BODY nodes."""
    nodes = sp.preorder_traversal(body)
    return next(islice(nodes, MAX_BODY, None), None) is not None
