"""Symbols of one's own for tensors: `Ω¹`, `δ_1`, `∇ℒ`; how they are read, and their LaTeX."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from sympy.printing.latex import translate

RAISED, LOWERED = "<super>", "<sub>"
SCRIPT = re.compile(r"([\^_])(?:\{([^{}]*)\}|(\w+))|([′″'])")
OPERATORS = frozenset("+-−±*·×/÷=<>⊙⊗,;:| ")
ACCENTS = {
    "GRAVE ACCENT": "grave",
    "ACUTE ACCENT": "acute",
    "CIRCUMFLEX ACCENT": "hat",
    "TILDE": "tilde",
    "MACRON": "bar",
    "OVERLINE": "bar",
    "BREVE": "breve",
    "DOT ABOVE": "dot",
    "DIAERESIS": "ddot",
    "CARON": "check",
    "RIGHT ARROW ABOVE": "vec",
}
ALPHABETS = {
    "FRAKTUR": "mathfrak",
    "BLACK-LETTER": "mathfrak",
    "DOUBLE-STRUCK": "mathbb",
    "SCRIPT": "mathcal",
}
SIGNS = {
    "∇": r"\nabla",
    "∂": r"\partial",
    "∞": r"\infty",
    "ℓ": r"\ell",
    "−": "-",
    "·": r"\cdot",
    "×": r"\times",
    "÷": r"\div",
    "±": r"\pm",
    "⊙": r"\odot",
    "⊗": r"\otimes",
    "∘": r"\circ",
    "Σ": r"\Sigma",
    "⊤": r"\top",
    "†": r"\dagger",
    "★": r"\star",
    "…": r"\dots",
    "ϵ": r"\epsilon",
    "ε": r"\varepsilon",
    "ϕ": r"\phi",
    "φ": r"\varphi",
    "ϑ": r"\vartheta",
    "ς": r"\varsigma",
    "\\": r"\backslash",
    "~": r"\sim",
    "^": r"\wedge",
    "<": r"\lt",
    ">": r"\gt",
    "|": r"\vert",
    '"': r"\text{''}",
    "`": r"\text{`}",
    " ": r"\;",
    **{c: f"\\{c}" for c in "{}$&#%_"},
}


@dataclass
class _Piece:
    """One letter, word or sign with what is raised and lowered behind it, all as LaTeX."""

    base: str
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        above = f"^{{{' '.join(self.above)}}}" if self.above else ""
        below = f"_{{{','.join(self.below)}}}" if self.below else ""
        return f"{self.base}{below}{above}"


def latex_symbol(text: str) -> str:
    """LaTeX mathematics for a symbol: `\\Omega^{1}`. Signs that LaTeX has no name for stay as they are."""
    return " ".join(map(str, _pieces(text)))


def has_raised_end(text: str) -> bool:
    """Whether a further exponent behind the symbol would run into its own: `Ω¹`, `m_Ω¹`, `δ'`."""
    return bool(_pieces(text)[-1].above) or _script_of(text[-1]) == RAISED


def is_compound(text: str) -> bool:
    """Whether the symbol needs brackets inside a formula: `∂C/∂z`."""
    return any(c in OPERATORS for c in SCRIPT.sub("", text))


def _pieces(text: str) -> list[_Piece]:
    """`Ω¹`, `W_1`, `W^{(1)}` and words as bases with their scripts."""
    found: list[_Piece] = []
    rest = text
    while rest:
        script = SCRIPT.match(rest)
        if script is not None and (script[2] != "" or script[4]):
            _attach(found, script)
            rest = rest[script.end() :]
            continue
        taken = _run(rest)
        kind = _script_of(taken[0])
        if kind is None:
            found.append(_Piece(_base(taken)))
        else:
            found = found or [_Piece("{}")]
            inner = latex_symbol("".join(unicodedata.normalize("NFKC", c) for c in taken))
            (found[-1].above if kind == RAISED else found[-1].below).append(inner)
        rest = rest[len(taken) :]
    return found


def _attach(found: list[_Piece], script: re.Match[str]) -> None:
    if not found:
        found.append(_Piece("{}"))
    if script[4]:
        found[-1].above.append(r"\prime \prime" if script[4] == "″" else r"\prime")
        return
    inner = latex_symbol(script[2] or script[3])
    (found[-1].above if script[1] == "^" else found[-1].below).append(inner)


def _run(text: str) -> str:
    """The characters at the start that belong together: a word, one kind of script, a letter with marks."""
    word = re.match(r"[A-Za-z0-9]+(?![\u0300-\u036f])", text)
    if word is not None:
        return word[0]
    kind, end = _script_of(text[0]), 1
    while end < len(text) and (
        (kind is not None and _script_of(text[end]) == kind) or unicodedata.combining(text[end])
    ):
        end += 1
    return text[:end]


def _script_of(character: str) -> str | None:
    kind = unicodedata.decomposition(character).partition(" ")[0]
    return kind if kind in (RAISED, LOWERED) else None


def _base(run: str) -> str:
    if run.isascii() and run.isalnum():
        return run if len(run) == 1 or run.isdigit() else rf"\mathit{{{run}}}"
    letters = unicodedata.normalize("NFD", run)
    base = _letter(letters[0])
    for mark in letters[1:]:
        accent = ACCENTS.get(unicodedata.name(mark, "").removeprefix("COMBINING "))
        if accent is None:
            return run
        base = rf"\{accent}{{{base}}}"
    return base


def _letter(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    name = unicodedata.name(character, "")
    if greek := re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name):
        word = "lambda" if greek[2] == "LAMDA" else greek[2].lower()
        return str(translate(word if greek[1] == "SMALL" else word.capitalize()))
    plain = unicodedata.normalize("NFKC", character)
    alphabet = next((command for word, command in ALPHABETS.items() if word in name), None)
    return rf"\{alphabet}{{{plain}}}" if alphabet and plain.isascii() and plain.isalpha() else character
