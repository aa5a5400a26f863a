"""Formulas: what is printed is read back, and any text at all is read or refused where it is wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgrad.errors import Position, SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Binary, Call, Compare, Index, Name, Negate, Node, Number, Transpose
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable

START = Position("<test>", 1, 1)


def number(text: str) -> Number:
    return Number(Fraction(text), START)


def name(word: str) -> Name:
    return Name(word, START)


def call(function: str, *arguments: Node, **keywords: Node) -> Call:
    return Call(function, arguments, tuple(keywords.items()), START)


def show(node: Node) -> str:
    """The text of a formula, with brackets around everything."""
    match node:
        case Number(value):
            return f"{value.numerator}" if value.denominator == 1 else f"{float(value)!r}"
        case Name(word):
            return word
        case Negate(operand):
            return f"(-{show(operand)})"
        case Binary(operator, left, right) | Compare(operator, left, right):
            return f"({show(left)} {operator} {show(right)})"
        case Transpose(operand):
            return f"({show(operand)}).T"
        case Index(tensor, indices):
            return f"{tensor}[{', '.join(map(show, indices))}]"
        case Call(function, arguments, keywords):
            shown = [*map(show, arguments), *(f"{k}={show(v)}" for k, v in keywords)]
            return f"{function}({', '.join(shown)})"
    return str(node.value).lower()


NUMBERS = st.builds(
    lambda digits, places: number(f"{digits}e-{places}"), st.integers(0, 10**9), st.integers(0, 9)
)
NAMES = st.sampled_from(["x", "W1", "beta", "np", "S", "lambda_"]).map(name)
INDICES = st.one_of(
    st.sampled_from(["i", "j"]).map(name),
    st.integers(0, 9).map(lambda i: number(str(i))),
    st.builds(
        lambda a, i, u: Binary("+", Binary("*", number(str(a)), name(i), START), name(u), START),
        st.integers(1, 3),
        st.just("i"),
        st.just("u"),
    ),
)


def larger_formulas(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Formulas around formulas; what could divide by a constant zero or overflow gets a name inside."""
    condition = st.builds(
        Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner, st.just(START)
    )
    return st.one_of(
        st.builds(Negate, inner, st.just(START)),
        st.builds(Transpose, inner, st.just(START)),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "@"]), inner, inner, st.just(START)),
        st.builds(Binary, st.sampled_from(["/", "**"]), inner, NAMES, st.just(START)),
        st.builds(call, st.sampled_from(["tanh", "abs", "f"]), inner),
        st.builds(lambda c, a, b: call("where", c, a, b), condition, inner, inner),
        st.builds(lambda a, axis: call("sum", a, axis=number(str(axis))), inner, st.integers(0, 3)),
    )


FORMULAS = st.recursive(
    st.one_of(
        NUMBERS,
        NAMES,
        st.builds(
            lambda t, i: Index(t, tuple(i), START), st.just("X"), st.lists(INDICES, min_size=1, max_size=3)
        ),
    ),
    larger_formulas,
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(FORMULAS)
def test_a_printed_formula_is_read_back_as_it_was(formula: Node) -> None:
    assert parse_formula(show(formula), START) == formula


def place_of_refusal(source: Any, reader: Callable[[Any], object]) -> Position | str | None:
    """Where a source is refused; the start when it is good."""
    try:
        reader(source)
    except SpecError as error:
        return error.at
    return START


@given(st.text(max_size=60) | st.text(alphabet="xT(),[].=+-*/@<>!: 019eE\n_^'", max_size=60))
def test_any_text_is_a_formula_or_a_located_refusal(text: str) -> None:
    assert isinstance(place_of_refusal(text, lambda t: parse_formula(t, START)), Position)


@given(st.text(alphabet="xy:- {}[],&*!|>'\"#%@`?\n\t0a", max_size=80))
def test_any_yaml_is_refused_with_a_place(text: str) -> None:
    assert isinstance(place_of_refusal("# a spec\n" + text, read), Position)
