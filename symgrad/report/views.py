"""What a report shows beside the derivation, on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.notation.style import Style
    from symgrad.report.derivation import Derivation
    from symgrad.report.page import Section


@dataclass(frozen=True)
class Views:
    """`scalar`: every weight's own rule, of the `parameters` named or of all; `jacobians`: the local ones;
    `memory`: what is kept for the backward pass."""

    scalar: bool = False
    parameters: tuple[str, ...] = ()
    jacobians: bool = False
    memory: bool = False


NOTHING_MORE = Views()


def requested_sections(derivation: Derivation, style: Style) -> list[Section]:
    """The sections of the views that the derivation is to show."""
    from symgrad.report.jacobian_view import jacobian_sections
    from symgrad.report.memory_view import memory_sections
    from symgrad.report.scalar_view import scalar_sections

    sections = []
    if derivation.views.jacobians:
        sections += jacobian_sections(derivation, style)
    if derivation.views.scalar:
        sections += scalar_sections(derivation, style)
    if derivation.views.memory:
        sections += memory_sections(derivation, style)
    return sections


def requested_legend(derivation: Derivation) -> tuple[str, ...]:
    """How these sections are to be read."""
    from symgrad.report.scalar_view import scalar_legend

    return tuple(scalar_legend(derivation)) if derivation.views.scalar else ()


def requested_data(derivation: Derivation) -> dict[str, Any]:
    """The same views as numbers, texts, lists and dicts."""
    from symgrad.report.jacobian_view import jacobian_data
    from symgrad.report.memory_view import memory_data
    from symgrad.report.scalar_view import scalar_data

    data: dict[str, Any] = {}
    if derivation.views.jacobians:
        data["jacobians"] = jacobian_data(derivation)
    if derivation.views.scalar:
        data["scalar"] = scalar_data(derivation)
    if derivation.views.memory:
        data["memory"] = memory_data(derivation)
    return data
