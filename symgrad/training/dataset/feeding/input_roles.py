"""Inputs that say what of a row is there: so many steps, by `lengths`, or what a `mask` does not hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.language.syntax import Name
from symgrad.spec.language.trees import calls
from symgrad.training.dataset.feeding.misfits import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import Spec
    from symgrad.training.dataset.column import Column

LENGTHS, MASK = "lengths", "mask"
"""The arguments of functions and layers by which they are told."""


def check_lengths(
    spec: Spec, columns: Mapping[str, Sequence[Column]], inputs: Mapping[str, NDArray[np.generic]]
) -> None:
    """Refuse lengths that no row can have. Raises DataError at the first."""
    for name, of in _said(spec, LENGTHS):
        steps = inputs[of].shape[1] if of in inputs and inputs[of].ndim > 1 else np.inf
        for column in columns.get(name, ()):
            numbers = np.asarray(column.numbers, np.float64)
            bad = ~((numbers >= 0) & (numbers <= steps) & (numbers == np.floor(numbers)))
            upto = f" to {steps}, the steps of '{of}'" if steps < np.inf else ""
            refuse(name, column, bad, "is no length of a row", f"expected a whole number from 0{upto}")


def taken_as_they_are(spec: Spec) -> frozenset[str]:
    """The inputs that mean something else once they are scaled."""
    return frozenset(name for argument in (LENGTHS, MASK) for name, _ in _said(spec, argument))


def _said(spec: Spec, argument: str) -> Iterator[tuple[str, str]]:
    """The inputs that an argument names, and of which tensor that is said, as far as it has a name."""
    names = {tensor.name for tensor in spec.inputs}
    for call in (call for equation in spec.equations for call in calls(equation.formula)):
        given = next((value for key, value in call.keywords if key == argument), None)
        if isinstance(given, Name) and given.id in names:
            of = call.arguments[0] if call.arguments else None
            yield given.id, of.id if isinstance(of, Name) else ""
