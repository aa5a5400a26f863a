"""Rows as they stand in the data: columns by name, words, missing values."""

from typing import Any

import numpy as np

from symgrad.runtime.smallest_model import AXES, INPUTS, PREDICTED_FROM

_MARKS = ("", "na", "n/a", "#n/a", "nan", "null", "?", "-", "--", ".", "<na>", "nat")  # of what is missing
_MARKS_AMONG_NUMBERS = ("none", "nil", "missing", "unknown")
_TRUTHS = {"true": True, "false": False}


def _inputs_of_rows(given: tuple[Any, ...], preparation: dict[str, Any]) -> dict[str, Any]:
    """The inputs, words as numbers: from an array each, or from one table of the columns in training.

    A table is a dict or data frame of columns, or a list of dicts, a row each.
    """
    records = preparation.get("inputs", {})
    table = given[0] if len(given) == 1 else None
    if isinstance(table, (list, tuple)) and table and isinstance(table[0], dict):
        table = {key: [row.get(key) for row in table] for key in {key: 0 for row in table for key in row}}
    if isinstance(table, dict) or hasattr(table, "columns"):
        return {name: _from_table(name, records.get(name, {}), table) for name in PREDICTED_FROM}
    names = INPUTS if len(given) == len(INPUTS) else PREDICTED_FROM
    if len(given) != len(names):
        expected = f"expected {len(names)} inputs, {', '.join(names)}, or a dict of columns"
        raise TypeError(f"predict: {expected}; got {len(given)}")
    return {n: _in_numbers(n, records.get(n, {}), value) for n, value in zip(names, given, strict=True)}


def _from_table(name: str, record: dict[str, Any], table: Any) -> Any:
    columns = record.get("columns") or [name]
    if name in table and not all(column in table for column in columns):
        columns = [name]
    for column in columns:
        if column not in table:
            raise ValueError(f"{name}: there is no column {column!r}")
        if not getattr(getattr(table, "columns", None), "is_unique", True):  # pandas has them
            count = [*table.columns].count(column)
            if count > 1:
                raise ValueError(f"{name}: {count} columns are called {column!r}; give each its own name")
    if len(columns) == 1:
        found = _in_numbers(name, record, table[columns[0]])
        return np.reshape(found, (-1, 1)) if np.ndim(found) == 1 and AXES[name][1:] == (1,) else found
    return _encoded(name, record, [table[column] for column in columns])


def _in_numbers(name: str, record: dict[str, Any], value: Any) -> Any:
    """An array of numbers as it is; one of words, or with gaps, column by column."""
    words, columns = record.get("categories") or record.get("classes") or [], record.get("columns") or [name]
    array = np.asarray(value, object if isinstance(value, (list, tuple)) else None)
    if array.dtype == object and not words and not any(map(_is_no_number, array.flat)):
        return value
    is_raw = array.ndim < 2 or array.shape[1] == len(columns)
    if array.dtype.kind in "fiu" and not (words and is_raw):
        return value
    if array.ndim > 2:
        raise ValueError(f"{name}: expected columns, got {array.ndim} axes")
    return _encoded(name, record, [array] if array.ndim < 2 else list(array.T))


def _is_no_number(cell: Any) -> bool:
    return isinstance(cell, str) or _is_gap(cell)


def _is_gap(cell: Any) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or bool(cell != cell)


def _encoded(name: str, record: dict[str, Any], cells: list[Any]) -> np.ndarray:
    """Columns as the rows of an input: one-hot where they are words, NaN where a value is missing."""
    shape, columns = record.get("shape", ()), record.get("columns") or [name]
    if record.get("classes"):
        labels = _codes(cells[0], record["classes"], f"{name}: {{!r}} in row {{}} is no class", False)
        return labels.reshape(-1, *shape)
    size, categories = int(np.prod(shape)), record.get("categories") or [[]] * len(cells)
    if len(cells) != len(categories):
        raise ValueError(
            f"{name}: expected {len(categories)} columns, {', '.join(columns)}; got {len(cells)}"
        )
    blocks = []
    for number, (column, words) in enumerate(zip(cells, categories, strict=True)):
        at = f"{name}: {{!r}} in row {{}} of {columns[number % len(columns)]!r} is no "
        if not words:
            blocks.append(_numbers(column, at + "number"))
            continue
        alone = size if len(cells) == 1 and len(words) == 2 and size in (1, 2) else 0
        width = alone or (1 if isinstance(words[0], bool) else len(words))
        is_one_hot = width == len(words)
        ignored = is_one_hot and record.get("unseen") == "ignore"
        codes = _codes(
            column, words, f"{at}category; those in training were {', '.join(map(str, words))}", ignored
        )
        table = np.eye(len(words)) if is_one_hot else np.arange(len(words), dtype=np.float64)[:, None]
        blocks.append(np.vstack([table, np.zeros(width), np.full(width, np.nan)])[codes])
    if len({len(block) for block in blocks}) > 1:
        raise ValueError(f"{name}: columns of different lengths")
    return np.hstack(blocks).reshape(-1, *shape)


def _numbers(cells: Any, problem: str) -> np.ndarray:
    cells = np.atleast_1d(np.asarray(cells, object))
    are_words = all(isinstance(cell, str) or _is_gap(cell) for cell in cells)
    marks = _MARKS if are_words else _MARKS + _MARKS_AMONG_NUMBERS
    found = np.full((len(cells), 1), np.nan)
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and cell.strip().lower() in marks:
            continue
        if isinstance(cell, (str, bool, np.bool_)):
            raise ValueError(problem.format(cell, row + 1))
        if not _is_gap(cell):
            try:
                found[row] = float(cell)
            except (TypeError, ValueError, OverflowError):  # 1j, 10**400, a list
                raise ValueError(problem.format(cell, row + 1)) from None
    return found


def _codes(cells: Any, words: list[Any], problem: str, ignored: bool) -> np.ndarray:
    """Which of the words each cell is; of what is none of them that behind the last, if that is `ignored`,
    and the one behind that, -1, where a value is missing."""
    index = {word if isinstance(word, str) else float(word): code for code, word in enumerate(words)}
    cells = np.atleast_1d(np.asarray(cells, object))
    codes = np.full(len(cells), -1)
    for row, cell in enumerate(cells):
        word = None if _is_gap(cell) else _word(cell, index)
        if word is None:
            continue
        codes[row] = index.get(word, len(words))
        if codes[row] == len(words) and not ignored:
            raise ValueError(problem.format(cell, row + 1))
    return codes


def _word(cell: Any, index: dict[Any, int]) -> Any:
    """A cell as the words are: a text, or where these are numbers or truths a number; None for a gap."""
    is_text = isinstance(cell, (str, bool, np.bool_))
    text = str(cell).strip() if is_text else ""
    if any(isinstance(word, str) for word in index):
        if not is_text:
            number = float(cell)
            text = str(int(number)) if number.is_integer() else str(number)
        return None if text.lower() in _MARKS and text not in index else text
    if not is_text:
        return float(cell)
    if text.lower() in _MARKS:
        return None
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return float(_TRUTHS[text.lower()]) if text.lower() in _TRUTHS else text
