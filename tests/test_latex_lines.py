"""Equations in LaTeX fit on a page, and mean broken into lines what they mean as one."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import symgrad as sg
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.latex_lines import LatexLines
from symgrad.notation.typesetting.latex_widths import LATEX_WIDTHS

EXAMPLES = Path(__file__).parent.parent / "examples"
VALUES = {name: Fraction(number + 2, 7) for number, name in enumerate("abcdefgh")}
TOKEN = re.compile(r"\\[a-z]+|\d+|[a-h]|[-+/(){}^]|\S")


def drawn(source: random.Random, depth: int) -> ts.Formula:
    """A formula of single numbers."""
    if depth == 0:
        return ts.NameText(source.choice("abcdefgh"))
    parts = [drawn(source, depth - 1) for _ in range(source.randint(2, 4))]
    match source.randrange(6):
        case 0:
            return ts.Quotient(parts[0], parts[1])
        case 1:
            return ts.CallText("double", (parts[0],))
        case 2:
            return ts.Power(parts[0], ts.NumberText(Fraction(2)))
        case 3 | 4:
            return ts.ProductText("numbers", tuple(parts))
    return ts.Sum(tuple((source.random() < 0.4, part) for part in parts))


def value(formula: ts.Formula) -> Fraction:
    match formula:
        case ts.NameText(name):
            return VALUES[name]
        case ts.NumberText(number):
            return number
        case ts.Quotient(above, below):
            return value(above) / value(below)
        case ts.CallText("double", (argument,)):
            return 2 * value(argument)
        case ts.Power(base, exponent):
            return value(base) ** int(value(exponent))
        case ts.ProductText(_, factors):
            found = Fraction(1)
            for factor in factors:
                found *= value(factor)
            return found
        case ts.Sum(terms):
            return sum((-value(t) if negative else value(t) for negative, t in terms), start=Fraction(0))
    raise TypeError(formula)


class Reader:
    """Reads LaTeX as a careful person does: what stands side by side holds together more than a stroke."""

    def __init__(self, text: str) -> None:
        for sized in (r"\left", r"\right", r"\bigl", r"\bigr", "&", r"\quad", "\\\\\n"):
            text = text.replace(sized, " ")
        self.tokens = TOKEN.findall(text.replace(r"\,", r" \cdot "))

    def sum(self) -> Fraction:
        total = -self.quotient() if self.takes("-") else self.quotient()
        while self.tokens and self.tokens[0] in "+-":
            total += self.quotient() if self.tokens.pop(0) == "+" else -self.quotient()
        return total

    def quotient(self) -> Fraction:
        found = self.product()
        while self.takes("/"):
            found /= self.product()
        return found

    def product(self) -> Fraction:
        found = self.power()
        while self.takes(r"\cdot"):
            found *= self.power()
        return found

    def power(self) -> Fraction:
        found = self.atom()
        while self.takes("^"):
            found **= int(self.inside("{", "}"))
        return found

    def atom(self) -> Fraction:
        match self.tokens[0]:
            case "(":
                return self.inside("(", ")")
            case r"\frac":
                self.tokens.pop(0)
                return self.inside("{", "}") / self.inside("{", "}")
            case r"\mathrm":
                assert self.tokens[:9] == [r"\mathrm", "{", "d", "o", "u", "b", "l", "e", "}"]
                self.tokens = self.tokens[9:]
                return 2 * self.inside("(", ")")
        token = self.tokens.pop(0)
        return Fraction(token) if token.isdigit() else VALUES[token]

    def inside(self, before: str, after: str) -> Fraction:
        assert self.tokens.pop(0) == before
        found = self.sum()
        assert self.tokens.pop(0) == after
        return found

    def takes(self, token: str) -> bool:
        return bool(self.tokens) and self.tokens[0] == token and bool(self.tokens.pop(0))


def read(text: str) -> Fraction:
    reader = Reader(text)
    found = reader.sum()
    assert not reader.tokens
    return found


@pytest.mark.parametrize("line", [40, 80, 10_000])
def test_broken_lines_mean_what_the_formula_means(line: int) -> None:
    broken = 0
    for seed in range(400):
        formula = drawn(random.Random(seed), 2 + seed % 3)
        try:
            true = value(formula)
        except ZeroDivisionError:
            continue
        text = LatexLines(line).spell(ts.Relation(ts.NameText("y"), "=", formula))
        left, sign, right = text.partition("&=")
        assert left == "y "
        assert sign
        assert read(right) == read(LATEX.spell(formula)) == true, text
        broken += "\\\\" in right
    assert (broken > 200) == (line == 40)


def test_a_line_is_too_wide_only_where_a_piece_is() -> None:
    """Names, quotients that fit and small brackets are never parted; all else is."""
    letters = [ts.NameText(f"{letter}1") for letter in "abcdefgh"]
    wide = ts.Sum(tuple((False, ts.ProductText("numbers", (a, b))) for a in letters for b in letters))
    text = LatexLines(60).spell(ts.Relation(ts.NameText("y"), "=", ts.Quotient(wide, ts.NameText("n"))))
    lines = text.split("\\\\\n")
    assert len(lines) > 10
    assert lines[0].startswith(r"y &= \bigl(a_{1} \, a_{1} + ")
    assert lines[-1].endswith(r"/ n")
    assert all(line.count("+") <= 5 for line in lines)


def test_no_line_of_an_example_is_wider_than_the_page() -> None:
    derivation = sg.derive(EXAMPLES / "attention.yaml").showing(scalar=True, jacobians=True)
    style = LatexLines()
    for equation in derivation.program.equations:
        formula = derivation.writing(style).indices.equation(equation)
        assert isinstance(formula, ts.Relation)
        is_wide = LATEX_WIDTHS.width(formula) > style.line + 8
        assert is_wide <= ("\\\\" in style.spell(formula))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no TeX here")
def test_tex_prints_documents_and_fragments_without_a_wide_line(tmp_path: Path) -> None:
    shown = sg.derive(EXAMPLES / "xor.yaml").showing(scalar=True, jacobians=True, memory=True)
    fragment = shown.written("latex-fragment", "greek")
    (tmp_path / "whole.tex").write_text(sg.derive(EXAMPLES / "attention.yaml").latex())
    (tmp_path / "part.tex").write_text(fragment)
    (tmp_path / "holds.tex").write_text(
        r"\documentclass{article}\usepackage{amsmath,amssymb,longtable}\begin{document}\input{part}\end{document}"
    )
    for name, points in (("whole", 0.0), ("holds", 20.0)):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        over = [float(found) for found in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
        assert max(over, default=0.0) <= points
