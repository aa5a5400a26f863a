"""A derivation in another notation: its program transformed, not derived anew, and its symbols chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from symgrad.errors import SpecError, did_you_mean
from symgrad.explain.per_sample import cotangents_of_samples, with_cotangents_per_sample
from symgrad.explain.transposed import with_samples_in_columns
from symgrad.notation.convention import Convention
from symgrad.report.derived import Derived
from symgrad.report.notations import NOTATIONS
from symgrad.report.own_symbols import own_symbols, refuse_clashes, shown_names
from symgrad.report.usual_symbols import usual_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

_Derived = TypeVar("_Derived", bound=Derived)

SENDER_NOTE = "P of layer j is what layer j sends back to layer j − 1, for each sample a row."
MEAN_NOTE = (
    "Gradients with respect to tensors of a batch are those of each sample's own loss: "
    "the 1/{} of the mean stands in the parameters' gradients."
)
NO_MEAN_NOTE = "The factors of the loss stay in these gradients."


def in_notation(derived: _Derived, name: str, symbols: Mapping[str, str]) -> _Derived:
    """The derivation with its program transformed, not derived anew, for a notation and symbols of one's own.

    Raises:
        SpecError: no such notation; a symbol for a name that is not shown, of no use as a symbol, or taken.
    """
    notation = NOTATIONS.get(name)
    if notation is None:
        remedy = did_you_mean(name, NOTATIONS) or f"there are {', '.join(NOTATIONS)}"
        raise SpecError(f"unknown notation '{name}'", remedy=remedy)
    plain = derived.stages.derived
    scaled = with_cotangents_per_sample(plain) if notation.per_sample else None
    program = scaled or plain
    if notation.samples == "columns":
        program = with_samples_in_columns(program)
    names, samples, chain = shown_names(program), derived.stages.model.batch_axis, bool(derived.spec.layers)
    own = own_symbols(symbols, names)
    written = {**usual_symbols(notation, program, names, own, samples=samples, chain=chain), **own}
    refuse_clashes(written, names)
    convention = Convention(name, notation.samples, written)
    parts = [notation.note, SENDER_NOTE if notation.by_sender and chain else ""]
    if notation.per_sample and cotangents_of_samples(plain):
        parts.append(MEAN_NOTE.format(convention.written(samples)) if scaled else NO_MEAN_NOTE)
    convention = replace(convention, note=" ".join(filter(None, parts)))
    return replace(derived, program=program, convention=convention)
