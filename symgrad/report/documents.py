"""The report as LaTeX, HTML and Markdown: templates hold the shape, this the words."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from symgrad.errors import SpecError
from symgrad.notation.typesetting.latex import LATEX, LatexStyle
from symgrad.notation.typesetting.latex_lines import LATEX_LINES
from symgrad.notation.typesetting.symbols import latex_symbol
from symgrad.notation.typesetting.text import TEXT
from symgrad.report.page import page_of
from symgrad.shipped import template_folder

if TYPE_CHECKING:
    from symgrad.report.content import Page
    from symgrad.report.derived import Derived

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "⊙": r"$\odot$",
    "ᵀ": r"$^{\top}$",
    "Σ": r"$\sum$",
    "σ": r"$\sigma$",
    "δ": r"$\delta$",
    "…": r"\dots{}",
}


def html_page(derived: Derived) -> str:
    """A complete page; formulas are MathML, nothing is loaded from elsewhere."""
    return _html(derived, complete=True)


def html_fragment(derived: Derived) -> str:
    """The page's content for a notebook's cell; its styles touch nothing else."""
    return _html(derived, complete=False)


def latex_document(derived: Derived) -> str:
    """A complete document that needs only the packages of every TeX distribution."""
    return _rendered("report.tex.j2", _latex_page(derived, LATEX_LINES))


def latex_fragment(derived: Derived) -> str:
    r"""What stands in the document's body, to be read by `\input` or pasted into a document of one's own."""
    return _rendered("report_body.tex.j2", _latex_page(derived, LATEX_LINES))


def latex_display(derived: Derived) -> str:
    """The equations and gradients as one display, for notebooks."""
    page = _latex_page(derived, LATEX_LINES)
    wanted = [s for s in page.sections if s.kind == "equations"]
    body = " \\\\\n".join(row.formula for section in wanted for row in section.rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def markdown_page(derived: Derived) -> str:
    """The page in Markdown, its formulas between dollar signs, as notebooks and forges show them."""
    return _rendered("report.md.j2", _latex_page(derived, LATEX))


def mathml(formula: str) -> str:
    """LaTeX mathematics as MathML."""
    from latex2mathml.converter import convert

    upright_d = '<mi mathvariant="normal">d</mi>'
    apart, joined = "<mo><mrow><mo>&#x0002B;</mo></mrow></mo><mo>&#x0003D;</mo>", "<mo>+=</mo>"
    converted = str(convert(formula, display="block"))
    return converted.replace("<mi>&#x00064;</mi>", upright_d).replace(apart, joined)


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it literally; characters TeX has no sign for become question marks."""
    return "".join(SPECIAL.get(c) or _sign(c) for c in text)


def _sign(character: str) -> str:
    if character.isascii() or unicodedata.name(character, "").startswith("LATIN"):
        return character
    formula = latex_symbol(character) if character.isprintable() else "?"
    return f"${formula}$" if formula.isascii() else "?"


def _latex_page(derived: Derived, style: LatexStyle) -> Page:
    for name, symbol in derived.convention.symbols.items():
        if not LATEX.spell(symbol).isascii():
            raise SpecError(
                f"LaTeX has no sign for '{TEXT.spell(symbol)}', the symbol of '{name}'",
                remedy="write it with Latin or Greek letters, or choose text or HTML",
            )
    return page_of(derived, style)


def _html(derived: Derived, complete: bool) -> str:
    return _rendered("report.html.j2", page_of(derived, LATEX), complete=complete)


def _rendered(template: str, page: Page, **more: bool) -> str:
    return _environment().get_template(template).render(page=page, **more)


def _safe_mathml(formula: str) -> Markup:
    return Markup(mathml(formula))  # noqa: S704  # our own formulas, over names the reader has checked


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(("html.j2",), default=False),
    )
    environment.filters["mathml"] = _safe_mathml
    environment.filters["tex"] = escape_latex
    return environment
