"""A column of a table or an array, as it was read: numbers, words, and where each of them stands."""

from __future__ import annotations

import decimal
import math
import numbers
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import Word

REMEDY = "save plain numbers or words"


@dataclass(frozen=True)
class Column:
    """Cells of shape [rows, ...], called `name`.

    A cell that is a number stands in `numbers`; elsewhere there is NaN, and `codes` says which of `words` the
    cell is, or -1 for a missing value. `codes` is None where no cell is a word. `place(row, entry)` says
    where a cell stands; `raw` is the column before missing values were told from words.
    """

    name: str
    numbers: NDArray[Any]
    place: Callable[[int, int], str]
    codes: NDArray[np.int32] | None = None
    words: tuple[Word, ...] = ()
    raw: Column | None = None

    @property
    def word_codes(self) -> NDArray[np.int32]:
        """The codes, -1 where no cell is a word."""
        return np.full(self.numbers.shape, -1, np.int32) if self.codes is None else self.codes

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which cells are neither number nor word."""
        is_nan = (
            np.isnan(self.numbers) if self.numbers.dtype.kind == "f" else np.zeros(self.numbers.shape, bool)
        )
        return is_nan if self.codes is None else is_nan & (self.codes < 0)

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The chosen rows, which keep their places."""

        def place(row: int, entry: int) -> str:
            return self.place(int(rows[row]), entry)

        codes = None if self.codes is None else self.codes[rows]
        raw = None if self.raw is None else self.raw.take(rows)
        return Column(self.name, self.numbers[rows], place, codes, self.words, raw)

    def first(self, cells: NDArray[np.bool_]) -> tuple[int, int]:
        """The row, and the entry in it, of the first of these cells."""
        flat = cells.reshape(len(cells), -1)
        row, entry = np.unravel_index(int(flat.argmax()), flat.shape)
        return int(row), int(entry)

    def cell(self, row: int, entry: int) -> Word:
        """What a cell held when it was read."""
        column = self.raw or self
        code = column.word_codes.reshape(len(column.numbers), -1)[row, entry]
        number: int | float = column.numbers.reshape(len(column.numbers), -1)[row, entry].item()
        return number if code < 0 else column.words[code]


def column_of(name: str, values: NDArray[Any], place: Callable[[int, int], str]) -> Column:
    """The column that an array of numbers, truths, texts or Python's objects is.

    Raises DataError for anything else.
    """
    kind = values.dtype.kind
    if kind in "iuf":
        return Column(name, values, place)
    if kind == "b" and math.prod(values.shape[1:]) > 1:
        return Column(name, values.astype(np.uint8), place)  # a picture of truths, not a column of them
    if kind == "b":
        return Column(name, np.full(values.shape, np.nan), place, values.astype(np.int32), (False, True))
    if kind in "UT":
        words, codes = np.unique(values, return_inverse=True)
        found = codes.reshape(values.shape).astype(np.int32)
        return Column(name, np.full(values.shape, np.nan), place, found, tuple(words.tolist()))
    if kind == "O":
        return _of_objects(name, values, place)
    raise DataError(f"holds {values.dtype}, not real numbers", at=name, remedy=REMEDY)


def _of_objects(name: str, values: NDArray[Any], place: Callable[[int, int], str]) -> Column:
    found, codes = np.full(values.size, np.nan), np.full(values.size, -1, np.int32)
    words: dict[tuple[type, Word], int] = {}
    for position, value in enumerate(values.flat):
        if isinstance(value, str | bool | np.bool_):
            word = str(value) if isinstance(value, str) else bool(value)
            codes[position] = words.setdefault((type(word), word), len(words))
        elif isinstance(value, numbers.Real | decimal.Decimal):
            found[position] = float(value)
        elif value is not None and type(value).__name__ not in ("NAType", "NaTType"):
            entries = values.size // max(len(values), 1)
            at = place(*divmod(position, entries))
            raise DataError(f"holds {type(value).__name__}, not a number or word", at=at, remedy=REMEDY)
    shape = values.shape
    if not words:
        return Column(name, found.reshape(shape), place)
    return Column(name, found.reshape(shape), place, codes.reshape(shape), tuple(w for _, w in words))


def joined(parts: Sequence[Column]) -> Column:
    """One column of the parts, one below the other."""
    if len(parts) == 1:
        return parts[0]
    starts = [0, *accumulate(len(part.numbers) for part in parts)]
    places = [part.place for part in parts]

    def place(row: int, entry: int) -> str:
        part = bisect_right(starts, row) - 1
        return places[part](row - starts[part], entry)

    found = np.concatenate([part.numbers for part in parts])
    if all(part.codes is None for part in parts):
        return Column(parts[0].name, found, place)
    words: dict[tuple[type, Word], int] = {}
    codes = np.concatenate([_codes_in(words, part) for part in parts])
    return Column(parts[0].name, found, place, codes, tuple(word for _, word in words))


def _codes_in(words: dict[tuple[type, Word], int], part: Column) -> NDArray[np.int32]:
    """The codes of a part by its place in `words`, which its words are added to."""
    if part.codes is None:
        return np.full(part.numbers.shape, -1, np.int32)
    new = [words.setdefault((type(word), word), len(words)) for word in part.words]
    return np.array([*new, -1], np.int32)[part.codes]


def recoded(column: Column, names: Iterable[Word | None]) -> Column:
    """The column with each word called as `names` say, in sorted order; None for no word."""
    names = list(names)
    words = sorted(
        {name for name in names if name is not None}, key=lambda word: (isinstance(word, str), word)
    )
    index = {(type(word), word): code for code, word in enumerate(words)}
    new = [-1 if name is None else index[type(name), name] for name in names]
    codes = np.array([*new, -1], np.int32)[column.word_codes]
    return replace(column, codes=codes, words=tuple(words), raw=column.raw or column)
