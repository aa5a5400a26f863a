"""Which words a user may take as names, and why the others are refused."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata

from symgrad.errors import Position, SpecError
from symgrad.spec.language.builtins import LANGUAGE_FUNCTIONS

MAX_NAME = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_IMPORTED = (
    "numpy scipy numba llvmlite sympy mpmath symgrad jinja2 click rich pydantic ruamel yaml threadpoolctl "
    "matplotlib pandas pyarrow sklearn torch jax jaxlib autograd pytest pip"
)
"""Modules outside the standard library that symgrad, its modules and those who use them import."""

_INSTEAD = {
    "and": "nest one where(...) in another",
    "or": "nest one where(...) in another",
    "not": "exchange the two branches of where(condition, a, b)",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
    "for": "write a reduction such as sum(X[n, k], k)",
    "in": "write a reduction such as sum(X[n, k], k)",
    "None": "leave the argument out; a free axis has a name, as batch in [batch, 3]",
    "lambda": "write the formula alone, or choose another name, such as 'lambda_'",
}

_LOOK_ALIKES = {
    "^": "**",
    "−": "-",
    "–": "-",
    "·": "*",
    "×": "*",
    "⊙": "*",
    "∘": "*",
    "÷": "/",
    "²": "**2",
    "³": "**3",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "Σ": "sum(...)",
    "∑": "sum(...)",
    "√": "sqrt(...)",
    "ᵀ": ".T",
    "π": "pi",
    "|": "abs(x)",
    "&": "where(...) in where(...)",
    "?": "where(condition, a, b)",
    "{": "(",
    "}": ")",
    ";": "a line of its own for every formula",
}
_QUOTES = "'\"`“”„‘’«»"


def check_word(word: str, at: Position) -> None:
    """Refuse a word that can be no name in a formula: Python keywords and underscored names.

    Raises:
        SpecError: naming the word and what to write instead.
    """
    if keyword.iskeyword(word) and word not in ("True", "False"):
        remedy = _INSTEAD.get(word, f"choose another name, such as '{word}_'")
        raise SpecError(f"'{word}' is a Python keyword and not in the language", at=at, remedy=remedy)
    if word.startswith("__"):
        raise SpecError(f"'{shorten(word)}' is a dunder name", at=at, remedy="a name starts with a letter")
    if word.startswith("_"):
        raise SpecError(f"'{shorten(word)}' is not a name", at=at, remedy="a name starts with a letter")
    if len(word) > MAX_NAME:
        raise SpecError(
            f"the name '{shorten(word)}' has {len(word)} characters", at=at, remedy=f"at most {MAX_NAME}"
        )


def check_name(name: str, at: Position) -> str:
    """`name`, if it can name a tensor, a parameter, an equation, a function or an axis.

    Raises:
        SpecError: for keywords, dunders, the language's own functions and anything but an ASCII word.
    """
    stray = next((c for c in name if not c.isascii()), None)
    if stray is not None:
        problem, remedy = describe_stray(stray)
        raise SpecError(problem, at=at, remedy=remedy)
    if not _NAME.fullmatch(name) and not name.startswith("_"):
        problem = f"'{shorten(name)}' is not a name" if name else "the name is empty"
        raise SpecError(problem, at=at, remedy="expected a letter, then letters, digits and '_'")
    check_word(name, at)
    if name in ("true", "false", "True", "False"):
        raise SpecError(f"'{name}' is a truth value", at=at, remedy="choose another name")
    if name in LANGUAGE_FUNCTIONS:
        remedy = f"choose another name, such as '{name}_'"
        raise SpecError(f"'{name}' is a function of the language", at=at, remedy=remedy)
    return name


def hides_module(name: str) -> bool:
    """Whether a file NAME.py would hide a module that Python or an emitted module imports."""
    return name in sys.stdlib_module_names or name in _IMPORTED.split()


def check_module_name(name: str, at: Position) -> str:
    """The name of a spec, if a file NAME.py hides no module that Python or an emitted module imports.

    Raises:
        SpecError: it would.
    """
    is_word = keyword.iskeyword(name)
    if is_word or hides_module(name):
        what = "a word of Python" if is_word else "a module that other programs import"
        problem = f"the spec would be written as {name}.py, and '{name}' is {what}"
        raise SpecError(problem, at=at, remedy=f"write name: {name}_net, for example")
    return name


def refuse_character(character: str, after: str, at: Position) -> SpecError:
    """The error for a character that no formula may hold, with what to write for it and what comes after."""
    if character == "^" and after == "T":
        return SpecError("'^' is not in the language", at=at, remedy="write .T for a transpose")
    if character in _QUOTES:
        remedy = "write names without quotes, a transpose as x.T"
        return SpecError("a string is not in the language", at=at, remedy=remedy)
    if character.isspace():
        name = unicodedata.name(character, f"U+{ord(character):04X}")
        return SpecError(f"a space that is {name}", at=at, remedy="write a plain space")
    if character == "#":
        return SpecError("a comment cannot stand in a formula", at=at, remedy="put it beside the formula")
    if character in _LOOK_ALIKES:
        remedy = f"write {_LOOK_ALIKES[character]}"
        return SpecError(f"'{character}' is not in the language", at=at, remedy=remedy)
    if character.isascii():
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        return SpecError(f"the character '{shown}' is not in the language", at=at, remedy="leave it out")
    problem, remedy = describe_stray(character)
    return SpecError(problem, at=at, remedy=remedy)


def describe_stray(character: str) -> tuple[str, str]:
    """What is wrong with a character outside ASCII, by its code and Unicode name, and what to do."""
    code = f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
    shown = f"'{character}' " if character.isprintable() else ""
    return f"the character {shown}({code}) is not ASCII", "write names with the letters A-Z and a-z"


def shorten(text: str) -> str:
    """`text` for a message: on one line, and only its beginning when it is long."""
    shown = text[:41] if text[:41].isprintable() else repr(text[:41])[1:-1]
    return shown if len(shown) <= 40 else shown[:37] + "..."
