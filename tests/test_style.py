"""Numbers, names and brackets, as plain text and as LaTeX."""

from __future__ import annotations

from fractions import Fraction

import pytest

from symgrad.notation.arrange import negated, product, total
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT


@pytest.mark.parametrize(
    ("number", "text", "latex"),
    [
        ("3", "3", "3"),
        ("1/2", "1/2", r"\frac{1}{2}"),
        ("2/3", "2/3", r"\frac{2}{3}"),
        ("3/1000", "0.003", "0.003"),
        ("1/100000000", "1e-8", "10^{-8}"),
        ("25/10000000", "2.5e-6", r"2.5 \cdot 10^{-6}"),
        ("123456789/1000000007", "0.123456788136", "0.123456788136"),
    ],
)
def test_numbers_as_people_write_them(number, text, latex):
    formula = ts.NumberText(Fraction(number))
    assert (TEXT.spell(formula), LATEX.spell(formula)) == (text, latex)


A, B, C, N = ts.NameText("A"), ts.NameText("B"), ts.NameText("C"), ts.NameText("n")
SUM = ts.Sum(((False, A), (True, B)))


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (ts.ProductText("entries", (ts.ProductText("matrices", (A, B)), C)), "(A·B) ⊙ C"),
        (ts.ProductText("matrices", (A, ts.ProductText("entries", (B, C)))), "A·(B ⊙ C)"),
        (ts.ProductText("numbers", (A, ts.ProductText("matrices", (B, C)))), "A·(B·C)"),
        (ts.ProductText("numbers", (A, SUM)), "A·(A − B)"),
        (ts.Sum(((False, C), (True, SUM))), "C − (A − B)"),
        (ts.Quotient(ts.Reduced("sum", (N,), A), B), "(Σ_n A)/B"),
        (ts.Quotient(A, ts.ProductText("numbers", (B, C))), "A/(B·C)"),
        (ts.Quotient(ts.Quotient(A, B), C), "(A/B)/C"),
        (ts.ProductText("numbers", (A, ts.Quotient(B, C))), "A·(B/C)"),
        (ts.ProductText("entries", (ts.Reduced("sum", (N,), A), B)), "(Σ_n A) ⊙ B"),
        (ts.Reduced("sum", (N,), SUM), "Σ_n (A − B)"),
        (ts.Power(SUM, ts.NumberText(Fraction(2))), "(A − B)²"),
        (ts.Power(ts.Transposed(A), ts.NumberText(Fraction(2))), "(Aᵀ)²"),
        (ts.Transposed(SUM), "(A − B)ᵀ"),
        (ts.Power(ts.NumberText(Fraction(1, 2)), ts.NameText("t")), "(1/2)ᵗ"),
        (negated(SUM), "−(A − B)"),
        (ts.Sum(((True, ts.Reduced("sum", (N,), A)), (False, B))), "−Σ_n A + B"),
    ],
)
def test_brackets_stand_where_they_must(formula, text):
    assert TEXT.spell(formula) == text


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("Z1", "Z_{1}"),
        ("Wq", "W_{q}"),
        ("h_W", "h_{W}"),
        ("y_Z12", "y_{Z12}"),
        ("theta", r"\theta"),
        ("mu", r"\mu"),
        ("beta2", r"\beta_{2}"),
        ("loss", r"\mathit{loss}"),
        ("loss_1", r"\mathit{loss}_{1}"),
        ("learning_rate", r"\mathit{learning\_rate}"),
        ("data", r"\mathit{data}"),
    ],
)
def test_latex_names(name, latex):
    assert LATEX.name(name, False) == latex
    assert LATEX.name(f"d{name}", True) == rf"\mathrm{{d}}{latex}"


@pytest.mark.parametrize(
    ("kind", "factors", "text"),
    [
        ("numbers", (negated(A), negated(B)), "A·B"),
        ("entries", (negated(A), B), "−A ⊙ B"),
        ("entries", (ts.ProductText("numbers", (ts.NumberText(Fraction(2)), A)), B), "2·A ⊙ B"),
        (
            "numbers",
            (ts.NumberText(Fraction(2)), A, ts.ProductText("numbers", (ts.NumberText(Fraction(1, 5)), B))),
            "0.4·A·B",
        ),
        ("entries", (ts.Quotient(A, N), B), "A ⊙ B/n"),
        ("numbers", (ts.Quotient(A, ts.NumberText(Fraction(3))), ts.Quotient(B, N)), "A·B/(3·n)"),
        ("matrices", (ts.Quotient(A, N), B), "(A/n)·B"),
    ],
)
def test_numbers_and_divisors_come_out_of_products(kind, factors, text):
    assert TEXT.spell(product(kind, factors)) == text


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (((True, A), (False, B)), "B − A"),
        (((False, A), (True, SUM)), "A + B − A"),
        (((False, ts.Quotient(A, N)), (True, ts.Quotient(B, N))), "(A − B)/n"),
        (((False, ts.Quotient(A, N)), (True, ts.Quotient(B, C))), "A/n − B/C"),
        (((True, A),), "−A"),
    ],
)
def test_sums_are_opened_and_share_a_divisor(terms, text):
    assert TEXT.spell(total(terms)) == text
