"""What symgrad derived from a spec, and the forms in which it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from symgrad.explain.entry_gradients import ScalarRules, scalar_rules
from symgrad.pipeline import stages_of
from symgrad.report.derived import Derived, ReportViews
from symgrad.report.documents import html_fragment, latex_display, markdown_page
from symgrad.report.formats import FORMATS
from symgrad.report.in_notation import in_notation
from symgrad.report.json_data import as_data
from symgrad.report.summary import usual_sizes
from symgrad.report.views.products_in_loops import may_have_some, products_in_loops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.report.views.products_in_loops import ProductInLoops
    from symgrad.spec.model import Spec


@dataclass(frozen=True, repr=False)
class Derivation(Derived):
    """The equations of a spec, the gradients of its loss and its update rules. `str` is the text page."""

    @property
    def name(self) -> str:
        return self.spec.name

    def __repr__(self) -> str:
        return f"<Derivation of {self.name}: {len(self.program.equations)} equations>"

    def __str__(self) -> str:
        return self.text()

    def in_notation(self, notation: str = "rows", symbols: Mapping[str, str] | None = None) -> Derivation:
        """The same derivation, shown in another notation: rows, columns, greek or delta.

        `symbols` gives names symbols of one's own: `{"W1": "Ω¹"}`.

        Raises:
            SpecError: an unknown notation or name, or a symbol that is empty, unprintable or taken.
        """
        return in_notation(self, notation, symbols or {})

    def showing(
        self,
        *,
        scalar: bool = False,
        parameters: Sequence[str] = (),
        jacobians: bool = False,
        memory: bool = False,
        hessian: bool = False,
    ) -> Derivation:
        """The same derivation with more to see, in every format.

        `scalar` adds the rule of every single weight; `parameters` are those wanted, `W1`, or single entries,
        `W1[0, 3]`, if not all. `jacobians` adds the local Jacobians of every block, `memory` what the forward
        pass keeps for the backward pass, `hessian` the second derivatives of the loss by what it reads and by
        the parameters.
        """
        return replace(
            self, views=ReportViews(scalar or bool(parameters), tuple(parameters), jacobians, memory, hessian)
        )

    def scalar_rules(self, *parameters: str) -> ScalarRules:
        """The gradient of every single weight, or of the parameters or entries named.

        Raises:
            SpecError: there is no such parameter or entry, or it has too many entries to write.
        """
        return scalar_rules(self.program, parameters)

    def products_in_loops(self, sizes: Mapping[str, int] | None = None) -> tuple[ProductInLoops, ...]:
        """Large sums of products that no library's product of matrices serves.

        Free axes have these sizes, or else those of a batch of the spec.
        """
        stages = self.stages
        known = usual_sizes(stages) | dict(sizes or {})
        return products_in_loops(stages.plan, known) if may_have_some(stages.derived, known) else ()

    def written(
        self, style: str, notation: str | None = None, symbols: Mapping[str, str] | None = None
    ) -> str:
        """The report in a format of `report/formats.py`; the other arguments are those of `in_notation`."""
        return FORMATS[style].write(self._shown(notation, symbols))

    def text(self, notation: str | None = None, symbols: Mapping[str, str] | None = None) -> str:
        """The page as plain text; the arguments are those of `in_notation`."""
        return self.written("text", notation, symbols)

    def latex(self, notation: str | None = None, symbols: Mapping[str, str] | None = None) -> str:
        r"""A complete LaTeX document, `written("latex-fragment")` is its body, for `\input`; arguments as for
        `in_notation`."""
        return self.written("latex", notation, symbols)

    def html(self, notation: str | None = None, symbols: Mapping[str, str] | None = None) -> str:
        """A complete HTML page that needs nothing from elsewhere; arguments as for `in_notation`."""
        return self.written("html", notation, symbols)

    def as_dict(
        self, notation: str | None = None, symbols: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Numbers, texts, lists and dicts, ready for JSON; the arguments are those of `in_notation`."""
        return as_data(self._shown(notation, symbols))

    def _shown(self, notation: str | None, symbols: Mapping[str, str] | None) -> Derivation:
        if notation is None and not symbols:
            return self
        return self.in_notation(notation or self.convention.name, symbols)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What notebooks show: the page; its equations and gradients where they are printed."""
        return {
            "text/plain": str(self),
            "text/html": html_fragment(self),
            "text/latex": latex_display(self),
            "text/markdown": markdown_page(self),
        }


def derivation_of(spec: Spec) -> Derivation:
    """Derive the gradients and update rules of a spec.

    Raises:
        SpecError: the spec does not describe a network.
    """
    stages = stages_of(spec)
    return Derivation(stages, stages.derived)
