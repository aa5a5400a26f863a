"""The notations a derivation can be shown in: samples as rows or columns, names or symbols."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from symgrad.calculus.convention import Convention, Samples
from symgrad.errors import SpecError, did_you_mean
from symgrad.explain.per_sample import cotangents_of_samples, with_cotangents_per_sample
from symgrad.explain.transposed import with_samples_in_columns
from symgrad.notation.text import Text
from symgrad.report.own_symbols import own_symbols, refuse_clashes, shown_names
from symgrad.report.usual_symbols import usual_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program
    from symgrad.report.derivation import Derivation


@dataclass(frozen=True)
class Notation:
    """One row of the table below.

    `letters` are for what a tensor is, or for the library's names of weights and biases; numbers of layers
    are raised or lowered. With `per_sample`, the cotangents of a batch are those of each sample's own loss.
    With `by_sender`, the gradient with respect to an activation bears the number of the layer that sends it
    back, and is a row.
    """

    about: str
    samples: Samples = "columns"
    letters: Mapping[str, str] = field(default_factory=dict)
    raised: bool = True
    per_sample: bool = False
    by_sender: bool = False
    note: str = ""


NOTATIONS = {
    "rows": Notation("samples are rows: Z = X·W + b, dW = Xᵀ·dZ", "rows"),
    "columns": Notation(
        "samples are columns: Z = Wᵀ·X + b, dW = X·dZᵀ, dX = W·dZ",
        note="dX is the derivative of the loss with respect to X, and has the shape of X as shown here.",
    ),
    "greek": Notation(
        "samples are columns: ζ = Ωᵀ·α + β, B = gradient at ζ, P = gradient at α, 1/M before the sums",
        letters={
            "W": "Ω",
            "b": "β",
            "net input": "ζ",
            "activation": "α",
            "gradient of net input": "B",
            "gradient of activation": "P",
            "gradient of parameter": "∇",
            "target": "ρ",
            "loss": "C",
            "samples": "M",
        },
        per_sample=True,
        by_sender=True,
        note="B is the gradient with respect to a net input ζ, P with respect to an activation α.",
    ),
    "delta": Notation(
        "samples are columns: δ = gradient at a net input, ∇ = gradient at an activation",
        letters={"gradient of net input": "δ", "gradient of activation": "∇"},
        raised=False,
        per_sample=True,
        note="δ is the gradient with respect to a net input, ∇ with respect to an activation.",
    ),
}
SENDER_NOTE = "P of layer j is what layer j sends back to layer j − 1, for each sample a row."
MEAN_NOTE = (
    "Gradients with respect to tensors of a batch are those of each sample's own loss: "
    "the 1/{} of the mean stands in the parameters' gradients."
)
NO_MEAN_NOTE = "The factors of the loss stay in these gradients."


def in_notation(derivation: Derivation, name: str, symbols: Mapping[str, str]) -> Derivation:
    """The derivation with its program transformed, not derived anew, for a notation and symbols of one's own.

    Raises:
        SpecError: no such notation; a symbol for a name that is not shown, of no use as a symbol, or taken.
    """
    notation = NOTATIONS.get(name)
    if notation is None:
        remedy = did_you_mean(name, NOTATIONS) or f"there are {', '.join(NOTATIONS)}"
        raise SpecError(f"unknown notation '{name}'", remedy=remedy)
    plain = derivation.plain or derivation.program
    scaled = with_cotangents_per_sample(plain) if notation.per_sample else None
    program = scaled or plain
    if notation.samples == "columns":
        program = with_samples_in_columns(program)
    names, samples, chain = shown_names(program), _samples(plain), bool(derivation.spec.layers)
    own = own_symbols(symbols, names)
    written = {**usual_symbols(notation, program, names, own, samples=samples, chain=chain), **own}
    refuse_clashes(written, names)
    convention = Convention(name, notation.samples, written)
    program = replace(program, convention=convention)
    parts = [notation.note, SENDER_NOTE if notation.by_sender and chain else ""]
    if notation.per_sample and cotangents_of_samples(plain):
        parts.append(MEAN_NOTE.format(written_name(program, samples)) if scaled else NO_MEAN_NOTE)
    convention = replace(convention, note=" ".join(filter(None, parts)))
    return replace(derivation, program=replace(program, convention=convention), plain=plain)


def written_name(program: Program, name: str) -> str:
    """A tensor's or axis's symbol as plain text, or its name."""
    symbol = program.convention.symbols.get(name)
    return Text().spell(symbol) if symbol is not None else name


def _samples(program: Program) -> str:
    """The name of the axis that counts the samples, or the empty string."""
    return next((str(a.name) for t in program.of_kind("input") for a in t.axes[:1] if a.size is None), "")
