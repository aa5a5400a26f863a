"""The notations a derivation can be shown in: samples as rows or columns, names or symbols."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.notation.convention import Samples


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
