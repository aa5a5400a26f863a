"""Many lines of CSV without quotes, read by pyarrow where that is installed: faster, the same bit for bit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from symgrad.training.dataset.csv.csv_layout import CsvLayout

LARGEST = 2.0**53 - 1
"""Beyond it an integer may have more digits than float64 holds."""
TINY = re.compile("[eE]-0*[1-9][0-9]{2}|0{300}")
"""Such a number may be so small that float64 takes it for 0."""


def plain_columns(
    lines: Sequence[str], layout: CsvLayout, numbers: Collection[int], texts: Collection[int]
) -> dict[int, NDArray[np.float64] | tuple[str, ...]] | None:
    """The columns at these positions, as numbers and as cells; None where the lines are not so plain.

    What pyarrow takes for a number is one for Python too, and the same; of all else it says nothing here.
    """
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError:
        return None
    text = "".join(lines)
    if '"' in text or "\x00" in text:
        return None
    names = [str(position) for position in range(len(layout.names))]
    kinds = {str(p): pa.float64() for p in numbers} | {str(p): pa.string() for p in texts}
    try:
        table = csv.read_csv(
            pa.BufferReader(text.encode()),
            csv.ReadOptions(use_threads=False, column_names=names),
            csv.ParseOptions(delimiter=layout.separator, quote_char=False),
            csv.ConvertOptions(
                column_types=kinds, include_columns=[*kinds], null_values=[], decimal_point=layout.decimal
            ),
        )
    except pa.ArrowInvalid:
        return None
    found = {p: np.array(table[str(p)].to_numpy(), np.float64) for p in numbers}
    is_plain = all((np.abs(values) <= LARGEST).all() for values in found.values())
    if any((values == 0).any() for values in found.values()) and TINY.search(text):
        return None
    if table.num_rows != len(lines) or not is_plain:
        return None
    return {**found, **{p: tuple(table[str(p)].to_pylist()) for p in texts}}
