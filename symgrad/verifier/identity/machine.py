"""The functions of a module's text, run over the numbers of any arithmetic, the bounds of memory checked.

Functions that stand for mathematics, memory or BLAS, and those that only check what a caller gave, are
replaced. Every vector a module makes for itself is full of garbage at first.
"""

from __future__ import annotations

import builtins
import math
import operator
import sys
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symgrad.spec.language.definitions import defined
from symgrad.spec.scalars import SCALARS
from symgrad.verifier.identity.elements import UnsuitableError
from symgrad.verifier.identity.exact_constants import constant_of, is_doubtful, is_short
from symgrad.verifier.identity.memory.bounded_memory import BoundsError, Kind, View, laid_over
from symgrad.verifier.identity.memory.remembered import remembered
from symgrad.verifier.identity.memory.turns_apart import in_parts
from symgrad.verifier.identity.memory.workspace import workspace
from symgrad.verifier.identity.module_text import BLOCK
from symgrad.verifier.interpretation.philox_numbers import BITS, Key, odd_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from symgrad.verifier.identity.module_text import JudgedText
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

_NAMES = (
    *("abs", "bool", "enumerate", "int", "isinstance", "len", "list", "map", "max", "min", "range", "sum"),
    *("slice", "tuple", "zip", "ValueError", "TypeError", "__build_class__"),
)
_BUILTINS = {name: getattr(builtins, name) for name in _NAMES}
"""What a text may use of Python itself: nothing that reaches beyond it."""
_BLOCK_ROWS = 2
"""Rows of a block in a text under trial, so that a few rows are more than one block."""


class TextFaultError(Exception):
    """A text that fails, or reaches beside its arrays; the message says how."""


class UnknownError(Exception):
    """A text that uses something which is not known here."""


class SingularError(UnknownError):
    """A text that divides by 0 at a point, where floats would go on with an infinity."""


@contextmanager
def faults_named() -> Iterator[None]:
    """What a text raises, told apart."""
    try:
        yield
    except BoundsError as fault:
        raise TextFaultError(str(fault)) from fault
    except (UnboundLocalError, LookupError, ValueError, RecursionError, SystemExit) as fault:
        raise TextFaultError(f"the text fails with {type(fault).__name__}: {fault}") from fault
    except ZeroDivisionError as singular:
        raise SingularError("the text divides by 0") from singular
    except (NameError, AttributeError, TypeError, ImportError) as unknown:
        problem = f"the text uses what cannot be run here ({type(unknown).__name__}: {unknown})"
        raise UnknownError(problem) from unknown


class Machine:
    """Runs the functions of a text over the numbers of an arithmetic."""

    def __init__(
        self,
        text: JudgedText,
        arithmetic: Arithmetic,
        garbage: Callable[[int], Array],
        long: Callable[[], tuple[Fraction, ...]] = tuple,
        taken: Callable[[Any], Any] = lambda number: number,
    ) -> None:
        self.text, self.arithmetic, self.garbage = text, arithmetic, garbage
        self.kind, self.is_rounded = Kind(self.number, taken), False
        self._known: dict[Any, Any] = {}
        self.names: dict[str, Any] = {
            "__builtins__": _BUILTINS,
            "math": math,
            "NamedTuple": NamedTuple,
            "__name__": "text",
            **text.facts,
            **_small_blocks(text.facts),
            "MICRO_BATCH_SIZE": sys.maxsize,
            "SET_ROWS": sys.maxsize,
        }
        self.names |= {"np": np, "_given": self._given}
        self.names |= {name: self._constant(number, long) for name, number in text.floats.items()}
        exec(text.code, self.names)  # noqa: S102  # the text under trial
        self._replace_functions()

    def _constant(self, number: float, long: Callable[[], tuple[Fraction, ...]]) -> Any:
        known = constant_of(number, () if is_short(number) else long())
        self.is_rounded |= known is None or is_doubtful(number)
        return self.number(number) if known is None else known.value(self.arithmetic)

    def number(self, value: Any) -> Any:
        """A number of the arithmetic; what is one already stays."""
        if not (isinstance(value, (int, float)) or type(value) is Fraction):
            return value
        key = type(value), value  # equal numbers of two types are slow to compare
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._exactly(value)
        return known

    def _exactly(self, value: float | Fraction) -> Any:
        if isinstance(value, float):
            if math.isnan(value):
                raise UnsuitableError("a formula that is no number at this point")
            if math.isinf(value):
                return self.arithmetic.infinity if value > 0 else -self.arithmetic.infinity
            return self.arithmetic.number(Fraction(repr(value)))
        return self.arithmetic.number(Fraction(value))

    def _replace_functions(self) -> None:
        arguments = self.names["_arguments"]
        scalar = self.scalar_functions()
        self.names |= {name: remembered(self.names[name]) for name in self.text.kernels}
        self.names |= scalar
        self.names |= {
            "np": _NumPy(scalar, self._vector, self._zeros),
            "float": lambda value: value,
            "view": lambda vector, start, shape: vector.part(start, shape) if vector.shape else vector,
            "gemm": remembered(self._gemm),
            "masked_gemm": remembered(self._gemm),  # times 0, every number of the arithmetic is 0
            "copy": _copy,
            "prefetch": lambda *_: None,
            "in_parts": lambda pass_, turns, _, given: in_parts(pass_, turns, given),
            "draw": self._draw,
            "euclidean_norm": lambda vector: self._norm(vector.array()),
            "math": _Mathematics(scalar, lambda *legs: self._norm(np.array(legs, dtype=object))),
            "difference_first": lambda a, b: a - b,
            "quotient_first": lambda a, b: a / b,
            "product_first": lambda a, b: a * b,
            "flatten": lambda vector: vector,
            "unflatten": lambda vector: vector,
            "_array": lambda vector, start, shape: vector.part(start, shape).array(),
            "_kept": self._kept,
            "_with_memory": lambda found: found,
            "_arguments": lambda names, arrays: self._laid_out(arguments, names, arrays),
            "_by_rows": lambda names, arrays: self._laid_out(self._given, names, arrays),
            "_as_vector": lambda _, vector: vector,
            "_given_at_step": self._given_at_step,
            "DTYPE": None,
        }

    def scalar_functions(self) -> dict[str, Callable[..., Any]]:
        """The functions of numbers that texts call, by formulas where the language has none of that name."""
        known = {name: _of_numbers(function) for name, function in self.arithmetic.functions.items()}
        known |= {
            row.name: self._defined(row.formula, known) for row in SCALARS.values() if row.use == "code"
        }
        return known | {
            "square": lambda x: x * x,
            "maximum": lambda a, b: self._chosen(a, b, operator.gt),
            "minimum": lambda a, b: self._chosen(a, b, operator.lt),
        }

    def _chosen(self, a: Any, b: Any, beats: Callable[[Any, Any], bool]) -> Any:
        """One of two as a number of the arithmetic: quotients of whole numbers of Python would be rounded."""
        first, second = self.number(a), self.number(b)
        return first if beats(first, second) or first != first else second

    def _defined(self, formula: str, known: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
        meaning = defined(formula, self.number, known.__getitem__)
        return lambda x: meaning({"x": x})

    def _vector(self, size: Any, *_: Any) -> View:
        return laid_over(self.garbage(size), self.kind, "a new vector")

    def _kept(self, purpose: str, size: int) -> View:
        if purpose != "work":
            return laid_over(self.garbage(size), self.kind, purpose)
        memory, start = workspace(self.garbage(size), self.kind, purpose), 0
        for block in self.text.facts.get("CONSTANTS", {}).values():
            values = self.arithmetic.array(np.asarray(_floats(block), dtype=np.float64))
            memory.part(start, (values.size,)).put(values)
            start += values.size
        return memory

    def _given(
        self,
        names: Sequence[str],
        arrays: Sequence[Array],
        *_: Any,
        axes: Mapping[str, Sequence[int | str]] | None = None,
    ) -> tuple[list[Array], list[int]]:
        extents: dict[Any, int] = {}
        for name, array in zip(names, arrays, strict=True):
            extents.update(zip((axes or self.names["AXES"])[name], array.shape, strict=True))
        free = [extents.get(a, 1) for a in self.names["FREE_AXES"]]
        return [np.atleast_1d(array) for array in arrays], list(self.names["_sizes"](*free))

    def _given_at_step(self, names: Sequence[str], arrays: Sequence[Any]) -> Any:
        """What one step of time is given, and what is carried to it: zeros at first, which the text makes."""
        exact = [a.array() if isinstance(a, View) else np.asarray(a, dtype=object) for a in arrays]
        return self._laid_out(partial(self._given, axes=self.text.facts["STEP_AXES"]), names, exact)

    def _zeros(self, shape: Sequence[int], *_: Any) -> View:
        numbers = self.arithmetic.array(np.zeros([*map(whole_number, shape)]))
        return laid_over(numbers, self.kind, "zeros")

    def _laid_out(self, arguments: Any, names: Sequence[str], arrays: Sequence[Array]) -> Any:
        found, extents = arguments(names, arrays)
        arrays_found, key = found[: len(names)], found[len(names) :]
        laid = [laid_over(a, self.kind, name) for a, name in zip(arrays_found, names, strict=True)]
        return [*laid, *key], extents

    def _gemm(self, alpha: Any, a: View, b: View, beta: Any, c: View) -> None:
        if a.shape[-1] != b.shape[0] or c.shape != (*a.shape[:-1], *b.shape[1:]):
            raise BoundsError(
                f"a product of {a.name} {a.shape} and {b.name} {b.shape} into {c.name} {c.shape}"
            )
        product = self.arithmetic.library.matmul(a.array(), b.array())
        if alpha != 1:
            product = product * self.number(alpha)
        c.put(product if beta == 0 else product + c.array() * self.number(beta))

    def _draw(self, numbers: View, key: tuple[Any, Any, Any], stream: Any) -> None:
        """The numbers of a stream, of all entries of an array; those of rows before it are not among them."""
        seed, step, rows = map(whole_number, key)
        first = rows * (numbers.size // numbers.shape[0])
        places = np.arange(first, first + numbers.size)
        found = odd_numbers(places, whole_number(stream), Key(seed, step))
        exact = [self.number(Fraction(int(odd), 2**BITS)) for odd in found]
        numbers.put(np.array(exact, dtype=object).reshape(numbers.shape))

    def _norm(self, entries: Array) -> Any:
        return self.names["np"].sqrt((entries * entries).sum())

    def vector(self, numbers: Array, name: str) -> View:
        """A copy of some numbers as memory of their own."""
        return laid_over(numbers, self.kind, name)


def whole_number(value: Any) -> int:
    """A number that counts something, whatever it is a number of.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, int):
        return value
    found = int(value)
    if found != value:
        raise TypeError(f"{value} counts nothing")
    return found


def _copy(source: View, start: int, target: View, place: int, count: int) -> None:
    target.part(place, (count,)).put(source.part(start, (count,)).array())


def _of_numbers(function: Callable[[Any], Array]) -> Callable[..., Any]:
    return lambda number: np.asarray(function(number)).item()


def _floats(block: Any) -> Any:
    """The numbers of a block of constants, which a module holds as floats, as those of its spec."""
    return [_floats(part) for part in block] if isinstance(block, list) else float(block)


class _Mathematics:
    """Python's module of this name for a text, but for what it computes with numbers of the arithmetic."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]], hypot: Callable[..., Any]) -> None:
        rows = ((row.code.removeprefix("math."), row.name) for row in SCALARS.values() if not row.numpy)
        self._functions = {called: functions[name] for called, name in rows if called} | {"hypot": hypot}

    def __getattr__(self, name: str) -> Any:
        return self._functions.get(name) or getattr(math, name)


class _NumPy:
    """NumPy for a text: its functions of numbers are those of the arithmetic, its new vectors are garbage."""

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        empty: Callable[..., View],
        zeros: Callable[..., View],
    ) -> None:
        named = {row.numpy: functions[row.name] for row in SCALARS.values() if row.numpy}
        self._functions = {**functions, **named, "isfinite": lambda _: True, "empty": empty, "zeros": zeros}

    def __getattr__(self, name: str) -> Any:
        return self._functions.get(name) or getattr(np, name)


def _small_blocks(facts: Mapping[str, Any]) -> dict[str, int]:
    """The fact that says how large blocks of rows are, where it does, as it is under trial."""
    rows = facts.get(BLOCK)
    return {BLOCK: _BLOCK_ROWS} if isinstance(rows, int) and rows > 0 else {}
