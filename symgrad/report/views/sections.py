"""What a report shows beside the derivation, on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.report.views.further_view import further_data, further_sections
from symgrad.report.views.hessian_view import hessian_data, hessian_sections
from symgrad.report.views.jacobian_view import jacobian_data, jacobian_sections
from symgrad.report.views.memory_view import memory_data, memory_sections
from symgrad.report.views.scalar_view import scalar_data, scalar_legend, scalar_sections

if TYPE_CHECKING:
    from symgrad.notation.typesetting.style import Style
    from symgrad.report.content import Section
    from symgrad.report.derived import Derived


def requested_sections(derived: Derived, style: Style) -> list[Section]:
    """The sections of the views that the derivation is to show."""
    sections = further_sections(derived, style)
    if derived.views.hessian:
        sections += hessian_sections(derived, style)
    if derived.views.jacobians:
        sections += jacobian_sections(derived, style)
    if derived.views.scalar:
        sections += scalar_sections(derived, style)
    if derived.views.memory:
        sections += memory_sections(derived, style)
    return sections


def requested_legend(derived: Derived) -> tuple[str, ...]:
    """How these sections are to be read."""
    return tuple(scalar_legend(derived)) if derived.views.scalar else ()


def requested_data(derived: Derived) -> dict[str, Any]:
    """The same views as numbers, texts, lists and dicts."""
    data: dict[str, Any] = {"derive": further_data(derived)} if derived.stages.further else {}
    if derived.views.hessian:
        data["hessian"] = hessian_data(derived)
    if derived.views.jacobians:
        data["jacobians"] = jacobian_data(derived)
    if derived.views.scalar:
        data["scalar"] = scalar_data(derived)
    if derived.views.memory:
        data["memory"] = memory_data(derived)
    return data
