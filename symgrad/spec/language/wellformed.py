"""Every rule on the order of tokens that must hold before Python's parser may see a formula.

The parser recurses over brackets and runs of operators, and its own errors change with the version
of Python; a formula that passes here is one it reads without either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec.language.builtins import LANGUAGE_FUNCTIONS
from symgrad.spec.language.names import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.language.tokens import Token

MAX_DEPTH = 100
MAX_CHAIN = 300
_MOST_COLONS = 2
COMMA_IN_YAML = "a formula with a comma, within YAML's [...] or {...}, needs quotes"

_OPERATORS = frozenset(["+", "-", "*", "/", "//", "%", "**", "@", "<", "<=", ">", ">=", "==", "!="])
_MODULES = frozenset(["np", "numpy", "math", "torch", "jnp", "jax", "tf", "F", "nn", "keras", "sp", "scipy"])
_OPENING = {"(": ")", "[": "]"}
_CLOSING = {")": "(", "]": "["}
_NO_WALRUS = "give a part of the formula its name in an equation of its own"
_ONE_COMPARISON = "write where(a < b, x, y) with one comparison"
_SLICE_OR_NAME = "an argument is named with '=', as in units=3; a slice stands in x[1:3]"
_REFUSED = {
    ":=": _NO_WALRUS,
    ":": "a slice stands among indices, as in x[:, 1:3]",
    "<<": _ONE_COMPARISON,
    ">>": _ONE_COMPARISON,
}


@dataclass
class _Bracket:
    """An open bracket; `has_keyword` once an argument `name=value` was seen in it.

    `is_value` where it stands for an argument, `kernel=(3, 5)`, which may be a tuple.
    """

    opener: Token
    is_call: bool
    is_value: bool = False
    has_keyword: bool = False

    @property
    def is_group(self) -> bool:
        return self.opener.text == "(" and not (self.is_call or self.is_value)


def check_order(tokens: tuple[Token, ...]) -> None:
    """Accept tokens that form one expression of bounded depth.

    Raises:
        SpecError: at the first token that cannot stand where it stands.
    """
    _check_brackets(tokens)
    slices = _in_slices(tokens)
    for i, (before, token) in enumerate(_pairs(tokens)):
        if token.offset in slices:
            continue
        if token.text in _REFUSED:
            problem = f"'{token.text}' is not in the language"
            after_word = token.text == ":" and before is not None and before.kind == "word"
            remedy = _SLICE_OR_NAME if after_word else _REFUSED[token.text]
            raise SpecError(problem, at=token.at, remedy=remedy)
        if before is not None and before.text == ".":
            _check_attribute(tokens[i - 2].text if i > 1 else "", token)
        elif before is not None and before.ends_operand:
            _check_after_operand(before, token)
        else:
            _check_operand(before, token)
    _check_arguments(tokens)


def _in_slices(tokens: tuple[Token, ...]) -> set[int]:
    """Where the colons of slices stand, and what may follow one in place of a number: `x[:, ::2]`."""
    opened: list[bool] = []
    found: set[int] = set()
    colons = 0
    for before, token in _pairs(tokens):
        if token.text in _OPENING:
            opened.append(token.text == "[" and before is not None and before.ends_operand)
            colons = 0
        elif token.text in _CLOSING or token.text == ",":
            if colons and before is not None and before.text == ":":
                found.add(token.offset)
            colons = 0
            opened = opened[: len(opened) - (token.text in _CLOSING)]
        elif token.text == ":" and opened and opened[-1] and colons < _MOST_COLONS:
            found.add(token.offset)
            colons += 1
    return found


def too_deep(at: Position) -> SpecError:
    """The error for a formula nested beyond `MAX_DEPTH`; a sum of n terms is n deep."""
    problem = f"the formula is nested deeper than {MAX_DEPTH} levels"
    return SpecError(problem, at=at, remedy="name its parts in equations of their own")


def _pairs(tokens: tuple[Token, ...]) -> Iterator[tuple[Token | None, Token]]:
    return zip((None, *tokens), tokens, strict=False)


def _check_brackets(tokens: tuple[Token, ...]) -> None:
    opened: list[Token] = []
    # Operators that may stand above the current token in the syntax tree, one count per open bracket.
    operators = [0]
    for token in tokens:
        if token.text in _OPENING:
            opened.append(token)
            operators.append(operators[-1])
        elif token.text in _CLOSING:
            _close(token, opened)
            operators.pop()
        elif token.text == "," and opened:
            operators[-1] = operators[-2]
        operators[-1] += token.text in _OPERATORS
        if len(opened) > MAX_DEPTH or operators[-1] > MAX_CHAIN:
            raise too_deep(token.at)
    if opened:
        last = opened[-1]
        remedy = f"expected '{_OPENING[last.text]}'; {COMMA_IN_YAML}"
        raise SpecError(f"'{last.text}' is never closed", at=last.at, remedy=remedy)


def _close(token: Token, opened: list[Token]) -> None:
    if not opened:
        raise SpecError(f"'{token.text}' closes nothing", at=token.at, remedy="leave it out")
    last = opened.pop()
    if last.text != _CLOSING[token.text]:
        problem = f"'{token.text}' cannot close '{last.text}'"
        raise SpecError(problem, at=token.at, remedy=f"expected '{_OPENING[last.text]}'")


def _check_attribute(owner: str, token: Token) -> None:
    if token.text != "T":
        name = shorten(token.text)
        remedy = "the only attribute is .T, the transpose"
        if owner in _MODULES:
            remedy = f"write {name} alone, without {owner}"
        elif name in LANGUAGE_FUNCTIONS:
            remedy = f"write {name}({shorten(owner) if owner.isidentifier() else 'x'})"
        raise SpecError(f"the attribute '.{name}' is not in the language", at=token.at, remedy=remedy)


def _check_after_operand(before: Token, token: Token) -> None:
    opens = token.text in _OPENING
    if token.kind in ("number", "word", "text") or (opens and before.kind in ("number", "text")):
        problem = f"{token} follows {before} without an operator"
        raise SpecError(problem, at=token.at, remedy="a formula is one expression; a product is a * b")


def _check_operand(before: Token | None, token: Token) -> None:
    if token.text == "+":
        raise SpecError("a sign '+' is not in the language", at=token.at, remedy="leave it out")
    if token.kind in ("number", "word", "text") or token.text in ("(", "-"):
        return
    if token.text == "[" and before is not None and before.text in (",", "="):
        return  # a list as an argument, which the parser knows
    if token.text == "[":
        remedy = (
            "name its numbers under constants, as in constants: {c: [1, 2, 3]}, and write c here; "
            "to take a part of an answer, name it in an equation, as in y: h[:, 0]"
        )
        raise SpecError("a list is not in the language", at=token.at, remedy=remedy)
    # `f()` and a comma before the closing bracket are left to _check_arguments.
    if token.text not in _CLOSING or before is None or before.text not in ("(", ","):
        is_percent = before is not None and before.text == "%"
        remedy = "write 0.2 for 20 percent" if is_percent else "expected a number, a name or '('"
        raise SpecError(f"found {token}", at=token.at, remedy=remedy)


def _check_arguments(tokens: tuple[Token, ...]) -> None:
    """Commas and `name=value` stand only where they may, and positional arguments come first."""
    opened: list[_Bracket] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        if token.text in _OPENING:
            is_call = token.text == "(" and before is not None and before.ends_operand
            is_value = token.text == "(" and before is not None and before.text in ("=", ",")
            opened.append(_Bracket(token, is_call, is_value))
        elif token.text in _CLOSING:
            bracket = opened.pop()
            if before is bracket.opener and not bracket.is_call:
                raise SpecError(f"found {token}", at=token.at, remedy="expected a number, a name or '('")
        elif token.text == ",":
            _check_comma(token, before, tokens[i + 1 : i + 3], opened)
        elif token.text == "=":
            _check_keyword(token, tokens[max(i - 2, 0) : i], opened)


def _check_comma(
    comma: Token, before: Token | None, after: tuple[Token, ...], opened: list[_Bracket]
) -> None:
    decimal = _decimal(before, comma, after[0])
    if not opened or opened[-1].is_group:
        is_pair = before is not None and opened and opened[-1].opener.offset + 1 == before.offset
        decimal = "" if is_pair and after[-1].text == ")" else decimal
        remedy = decimal or "a comma stands only between arguments or between indices"
        raise SpecError("a tuple is not in the language", at=comma.at, remedy=remedy)
    names_argument = after[-1].text == "=" or after[0].text == ")"
    if opened[-1].has_keyword and not names_argument:
        problem = f"a positional argument {after[0]} follows a keyword argument"
        raise SpecError(problem, at=after[0].at, remedy=decimal or "positional arguments come first")


def _decimal(before: Token | None, comma: Token, after: Token) -> str:
    """The remedy for a decimal comma, as in 0,5."""
    if before is None or before.kind != "number" or after.kind != "number":
        return ""
    touches = before.offset + len(before.text) == comma.offset and after.offset == comma.offset + 1
    return f"write {before.text}.{after.text}, with a point" if touches else ""


def _check_keyword(equals: Token, before: tuple[Token, ...], opened: list[_Bracket]) -> None:
    in_call = bool(opened) and opened[-1].is_call
    starts = len(before) == 2 and before[0].text in ("(", ",") and before[1].kind == "word"
    if not in_call or not starts:
        remedy = "'=' names an argument in a call; a comparison is written =="
        raise SpecError("found '='", at=equals.at, remedy=remedy)
    opened[-1].has_keyword = True
