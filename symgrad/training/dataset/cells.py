"""A cell that is no number: what it is instead, and what to write."""

from __future__ import annotations

import re

from symgrad.runtime.given_rows import _MARKS, _MARKS_AMONG_NUMBERS

MISSING = frozenset(_MARKS)
"""What marks a missing value in any column."""
MISSING_NUMBERS = MISSING.union(_MARKS_AMONG_NUMBERS)
"""What does so among numbers, and may be a word among words."""
MISSING_REMEDY = (
    "fill in or leave out such rows, or say 'missing: drop', mean or median under 'train', "
    "for words drop or most_frequent"
)
_SAY_COMMA = "where a CSV file has decimal commas throughout, say 'decimal: \",\"' under 'data'"
LISTED_REMEDY = "or list the column under 'categorical', if every cell is the name of a category"
_TRUTHS = {"true": 1, "false": 0, "yes": 1, "no": 0, "t": 1, "f": 0}
_CURRENCIES = "$€£¥₹"
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}([,. '\u00a0\u202f]\d{3})+([.,]\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_UNIT = re.compile(r"([-+]?\d+(\.\d+)?)\s*([^\W\d_]+)")


def is_number(cell: str) -> bool:
    """Whether Python and people take a cell for the same number; Python's float takes 1_000 too."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_meant_as_number(cell: str) -> bool:
    """Whether a cell that is not a number was written as one: `1,5`, `50%`, `$5`."""
    text = cell.strip().strip(_CURRENCIES + "% ")
    plain = text.lstrip("+-").replace(".", "", 1).isdigit()
    return plain or bool(_DECIMAL_COMMA.fullmatch(text) or _THOUSANDS.fullmatch(text))


def has_decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a comma before its decimals, and none that could divide thousands."""
    return bool(_DECIMAL_COMMA.fullmatch(cell)) and not _THOUSANDS.fullmatch(cell)


def not_a_number(cell: str) -> tuple[str, str]:
    """The problem with a cell that is not a number, and the remedy."""
    text = cell.strip()
    if not text:
        return "the cell is empty", MISSING_REMEDY
    if text.lower() in MISSING_NUMBERS:
        return f"{text!r} marks a missing value", MISSING_REMEDY
    return f"{text[:40]!r} is not a number", _remedy(text)


def is_meant_otherwise(text: str) -> bool:
    """Whether a word is a number, a date or a time in a form that is not read as one."""
    has_unit = _UNIT.fullmatch(text) is not None and not text.isalnum()
    return is_number(text) or is_meant_as_number(text) or bool(_DATE.fullmatch(text)) or has_unit


def _remedy(text: str) -> str:
    if is_number(text):  # among words, or where a comma is said to stand before decimals
        comma = f"; {text.replace('.', ',')} in a file of 'decimal: \",\"'" if "." in text else ""
        return f"write numbers alone, or words alone{comma}"
    bare = text.strip(_CURRENCIES + "% ")
    if text.endswith("%"):
        return f"write {bare} or its hundredth in the whole column, without the sign"
    if bare != text:
        return f"write {bare}, without the sign of a currency"
    if text[0] in "'`" and is_number(text.strip("'`")):
        bare = text.strip("'`")
        return f"write {bare}, without quotes"
    if _THOUSANDS.fullmatch(text) and _DECIMAL_COMMA.fullmatch(text):
        either = f"write {text.replace(',', '')} or {text.replace(',', '.')}: its comma could mean either"
        return f"{either}; {_SAY_COMMA}"
    if _THOUSANDS.fullmatch(text):
        return "write numbers without marks between thousands, and with a decimal point"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"write a decimal comma as a point: {text.replace(',', '.')}; {_SAY_COMMA}"
    if _DATE.fullmatch(text):
        return "write dates and times as numbers, such as days or seconds"
    if text.lower() in _TRUTHS:
        return f"write {_TRUTHS[text.lower()]} for {text}"
    if "\u2212" in text:
        return "write the minus sign as '-'"
    if unit := _UNIT.fullmatch(text):
        return f"write {unit[1]}, without the unit"
    return "write numbers alone, or words alone"
