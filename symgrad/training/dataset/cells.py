"""A cell that is no number: what it is instead, and what to write."""

from __future__ import annotations

import re

MISSING = frozenset(
    [
        "na",
        "n/a",
        "#n/a",
        "nan",
        "null",
        "none",
        "nil",
        "?",
        "-",
        "--",
        ".",
        "missing",
        "unknown",
        "<na>",
        "nat",
    ]
)
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


def not_a_number(cell: str) -> tuple[str, str]:
    """The problem with a cell that is not a number, and the remedy."""
    text = cell.strip()
    if not text:
        return "the cell is empty", "fill in or leave out rows with missing values"
    if text.lower() in MISSING:
        return f"{text!r} marks a missing value", "fill in or leave out rows with missing values"
    return f"{text[:40]!r} is not a number", _remedy(text)


def _remedy(text: str) -> str:
    bare = text.strip(_CURRENCIES + "% ")
    if text.endswith("%"):
        return f"write {bare} or its hundredth in the whole column, without the sign"
    if bare != text:
        return f"write {bare}, without the sign of a currency"
    if text[0] in "'`" and is_number(text.strip("'`")):
        bare = text.strip("'`")
        return f"write {bare}, without quotes"
    if _THOUSANDS.fullmatch(text) and _DECIMAL_COMMA.fullmatch(text):
        return f"write {text.replace(',', '')} or {text.replace(',', '.')}: its comma could mean either"
    if _THOUSANDS.fullmatch(text):
        return "write numbers without marks between thousands, and with a decimal point"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"write a decimal comma as a point: {text.replace(',', '.')}"
    if _DATE.fullmatch(text):
        return "write dates and times as numbers, such as days or seconds"
    if text.lower() in _TRUTHS:
        return f"write {_TRUTHS[text.lower()]} for {text}"
    if "\u2212" in text:
        return "write the minus sign as '-'"
    if unit := _UNIT.fullmatch(text):
        return f"write {unit[1]}, without the unit"
    return "code words as numbers"
