"""Whether a column is of numbers or of words, and which of its cells are missing values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.cells import (
    LISTED_REMEDY,
    MISSING,
    MISSING_NUMBERS,
    is_meant_otherwise,
    is_number,
    not_a_number,
)
from symgrad.training.dataset.column import Column, recoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.spec.model import Word

_TRUTHS = {"true": True, "false": False}


def of_one_kind(column: Column) -> Column:
    """The column as numbers alone, with NaN for missing values, or as words alone, with code -1 for them.

    Words that are truths, in any spelling, become these. Raises DataError for a column that mixes numbers
    and words, and for words that are numbers, dates or times in a form that is not read.
    """
    if column.codes is None:
        return column
    has_numbers = not np.isnan(column.numbers).all()
    marks = MISSING_NUMBERS if has_numbers else MISSING
    words = [_unless_missing(word, marks) for word in column.words]
    used = set(np.unique(column.codes).tolist())
    real = {word for code, word in enumerate(words) if word is not None and code in used}
    if not real:
        return replace(column, codes=None, words=(), raw=column)
    if not has_numbers and (truths := _truths([word if word in real else None for word in words])):
        return _of_truths(column, truths)
    odd = real if has_numbers else {word for word in real if is_meant_otherwise(str(word))}
    if odd:
        raise _no_number(column, [code for code, word in enumerate(words) if word in odd])
    return recoded(column, words)


def of_words(column: Column) -> Column:
    """The column as words alone, whatever they look like; only what is empty is missing.

    Where every cell is a number, these are the words.
    """
    texts = [str(word).strip() for word in column.words]
    if all(not text or is_number(text) for text in texts):
        return _numbers_as_words(column, texts)
    return _of_texts(column, lambda text: text or None)


def of_known(column: Column, words: tuple[Word, ...]) -> Column:
    """The column as words where it may hold these, by their texts, by truths or by numbers.

    What marks a missing value is one, unless it is one of the words.
    """

    def known(text: str) -> Word | None:
        return None if text.lower() in MISSING and text not in words else text

    if any(isinstance(word, str) for word in words):
        return _of_texts(column, known)
    if column.codes is None:
        return column
    texts = [known(str(word).strip()) for word in column.words]
    return recoded(column, [None if text is None else _truth_or_number(str(text)) for text in texts])


def _truth_or_number(text: str) -> Word:
    return float(text) if is_number(text) else _TRUTHS.get(text.lower(), text)


def _of_texts(column: Column, name: Callable[[str], Word | None]) -> Column:
    """The column as texts, the numbers among them too; `name` says what a text is."""
    texts = [str(word).strip() for word in column.words]
    codes = column.word_codes
    if not np.isnan(column.numbers).all():
        numbers, places = np.unique(column.numbers, return_inverse=True)
        texts += [str(_plain(number)) for number in numbers.tolist()]
        found = places.reshape(codes.shape) + len(column.words)
        codes = np.where((codes < 0) & ~np.isnan(column.numbers), found, codes).astype(np.int32)
    bare = replace(column, numbers=np.full(codes.shape, np.nan), codes=codes, raw=column.raw or column)
    return recoded(bare, [name(text) for text in texts])


def of_labels(column: Column, is_listed: bool) -> Column:
    """The column as names of classes: numbers alone or words alone, but never numbers written as words."""
    if is_listed:
        return of_words(column)
    if column.codes is not None and np.isnan(column.numbers).all():
        texts = [str(word).strip() for word in column.words]
        if all(text.lower() in MISSING or is_number(text) for text in texts):
            _refuse_same_numbers(column, texts)
            return _as_numbers(column, texts)
        words = [_unless_missing(word, MISSING) for word in column.words]
        truths = _truths(words)
        return _of_truths(column, truths) if truths else recoded(column, words)
    return of_one_kind(column)


def _unless_missing(word: Word, marks: frozenset[str]) -> Word | None:
    text = word.strip() if isinstance(word, str) else word
    return None if str(text).lower() in marks else text


def _truths(words: list[Word | None]) -> list[Word | None]:
    """The words as truths; empty where some are none."""
    found = [None if word is None else _TRUTHS.get(str(word).lower(), word) for word in words]
    is_truth = all(word is None or isinstance(word, bool) for word in found)
    return found if is_truth and any(word is not None for word in found) else []


def _of_truths(column: Column, truths: list[Word | None]) -> Column:
    """Both truths are words of it, whether they occur or not."""
    codes = np.array([*(-1 if truth is None else int(truth) for truth in truths), -1], np.int32)
    return replace(column, codes=codes[column.word_codes], words=(False, True), raw=column.raw or column)


def _as_numbers(column: Column, texts: list[str]) -> Column:
    values = [float(text) if is_number(text) else np.nan for text in texts]
    codes = column.word_codes
    found = np.where(codes >= 0, np.array([*values, np.nan])[codes], column.numbers)
    return replace(column, numbers=found, codes=None, words=(), raw=column)


def _refuse_same_numbers(column: Column, texts: list[str]) -> None:
    """Raise DataError for names such as 01 and 1, which are two texts and one number."""
    seen: dict[float, str] = {}
    for code, text in enumerate(texts):
        if is_number(text) and seen.setdefault(float(text), text) != text:
            row, entry = column.first(column.word_codes == code)
            problem = f"'{text}' and '{seen[float(text)]}' are different names, but the same number"
            remedy = "write each class in one way, or as a word, such as c01"
            raise DataError(problem, at=column.place(row, entry), remedy=remedy)


def _numbers_as_words(column: Column, texts: list[str]) -> Column:
    if column.codes is not None:
        _refuse_same_numbers(column, texts)
    numbers = _as_numbers(column, texts) if column.codes is not None else column
    words, codes = np.unique(numbers.numbers, return_inverse=True)
    names = [None if np.isnan(word) else _plain(word) for word in words.tolist()]
    found = codes.reshape(numbers.numbers.shape).astype(np.int32)
    bare = replace(column, numbers=np.full(found.shape, np.nan), codes=found, raw=column)
    return recoded(bare, names)


def _plain(number: float) -> int | float:
    return int(number) if float(number).is_integer() else number


def _no_number(column: Column, codes: list[int]) -> DataError:
    row, entry = column.first(np.isin(column.word_codes, codes))
    problem, remedy = not_a_number(str(column.cell(row, entry)))
    return DataError(problem, at=column.place(row, entry), remedy=f"{remedy}, {LISTED_REMEDY}")
