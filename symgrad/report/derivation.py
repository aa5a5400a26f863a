"""What symgrad derived from a spec, and the forms in which it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.pipeline import derived_program
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.compiler.update import Update
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class Derivation:
    """The equations of a spec, the gradients of its loss and its update rules. `str` is the text page."""

    spec: Spec
    program: Program
    update: Update

    @property
    def name(self) -> str:
        return self.spec.name

    def __str__(self) -> str:
        from symgrad.report.text import text_page

        return text_page(self)

    def latex(self) -> str:
        """A complete LaTeX document."""
        from symgrad.report.documents import latex_document

        return latex_document(self)

    def html(self) -> str:
        """A complete HTML page that needs nothing from elsewhere."""
        from symgrad.report.documents import html_page

        return html_page(self)

    def as_dict(self) -> dict[str, Any]:
        """Numbers, texts, lists and dicts, ready for JSON."""
        from symgrad.report.data import as_data

        return as_data(self)

    def _repr_html_(self) -> str:
        from symgrad.report.documents import html_fragment

        return html_fragment(self)

    def _repr_latex_(self) -> str:
        from symgrad.report.documents import latex_fragment

        return latex_fragment(self)


def derivation_of(spec: Spec) -> Derivation:
    """Derive the gradients and update rules of a spec.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.compiler.update import update_of

    model = expand(spec)
    return Derivation(spec, derived_program(model), update_of(model))
