"""Inputs and targets that say of each row how many places of it are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.expand import expand
from symgrad.spec.language.sizes.whole_numbers import axis_measured, tensor_measured
from symgrad.spec.language.syntax import Call, Name
from symgrad.training.dataset.feeding.misfits import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import Spec
    from symgrad.training.dataset.column import Column


@dataclass(frozen=True)
class RowLengths:
    """The tensor `name` says how long rows are: as the tensor `of` at most, along what `size` asks for."""

    name: str
    of: str
    size: Call


def row_lengths(spec: Spec) -> tuple[RowLengths, ...]:
    """Those that layers are told, by whatever call, and maybe by another name."""
    model = expand(spec)
    given = {tensor.name for tensor in (*spec.inputs, *spec.targets)}
    also = {e.name: e.formula.id for e in model.equations if isinstance(e.formula, Name)}

    def own(name: str) -> str:
        return own(also[name]) if name in also else name

    found = (
        RowLengths(own(hiding.tensor), own(tensor_measured(hiding.most)), hiding.most)
        for hiding in model.hiding
        if isinstance(hiding.most, Call)
    )
    return tuple(dict.fromkeys(lengths for lengths in found if lengths.name in given))


def check_lengths(
    lengths: Sequence[RowLengths],
    columns: Mapping[str, Sequence[Column]],
    arrays: Mapping[str, NDArray[np.generic]],
) -> None:
    """Refuse lengths that no row can have. Raises DataError at the first."""
    for told in lengths:
        rows = arrays.get(told.of)
        most = np.inf if rows is None else rows.shape[axis_measured(told.size, rows.ndim)]
        for column in columns.get(told.name, ()):
            numbers = np.asarray(column.numbers, np.float64)
            bad = ~((numbers >= 0) & (numbers <= most) & (numbers == np.floor(numbers)))
            upto = "" if rows is None else f" to {most}, the places of '{told.of}'"
            refuse(told.name, column, bad, "is no length of a row", f"expected a whole number from 0{upto}")
