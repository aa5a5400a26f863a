"""From plain data to the schema, with the first broken rule as one located error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from symgrad.errors import SpecError
from symgrad.spec.language.names import shorten
from symgrad.spec.language.wellformed import COMMA_IN_YAML
from symgrad.spec.reading.schema import SpecBlock
from symgrad.spec.reading.slips import as_number, call_text, glued, in_list

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from symgrad.spec.reading.document import Document, Key

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "literal_error": "{expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt:g}",
    "too_long": "at most {max_length}",
    "too_short": "at least {min_length}",
    "expected": "{expected}",
    "finite_number": "a finite number",
}


def validate(document: Document) -> SpecBlock:
    """The document as the schema sees it.

    Raises:
        SpecError: for an unknown or missing key, a wrong type or a value out of range.
    """
    try:
        return SpecBlock.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise _spec_error(_first(details, document), document) from None


def _first(details: list[ErrorDetails], document: Document) -> ErrorDetails:
    def order(detail: ErrorDetails) -> tuple[int, int]:
        at = document.place(detail["loc"]).value
        return at.line, at.column

    return min(details, key=order)


def _spec_error(detail: ErrorDetails, document: Document) -> SpecError:
    loc, context = detail["loc"], detail.get("ctx", {})
    if detail["type"] == "symgrad":
        return _own_error(loc, context, document)
    if detail["type"] == "missing":
        at = document.place(loc[:-1]).value
        return SpecError(f"the key '{loc[-1]}' is missing", at=at, remedy=f"add {loc[-1]}: ...")
    expected = _EXPECTED.get(detail["type"], detail["msg"]).format(**context)
    label, shown = _label(loc, document), _shown(detail["input"])
    problem = f"{label} is {shown}"
    if detail["type"] in ("too_long", "too_short"):
        problem = f"{label} has {len(detail['input'])} entries"
    # In `{f(a, b): a}` YAML sees the keys `f(a` and `b)`, the first without a value.
    is_cut = detail["input"] is None and label.count("(") != label.count(")")
    remedy = COMMA_IN_YAML if is_cut else _slip(detail["input"], detail["type"]) or f"expected {expected}"
    return SpecError(problem, at=document.place(loc).value, remedy=remedy)


def _slip(value: object, kind: str) -> str:
    """The remedy for a text where a mapping, a list or a number belongs, and for a list where a text does."""
    if isinstance(value, list):
        if kind in ("dict_type", "model_type") and all(isinstance(item, dict) for item in value):
            return "write it as a mapping, without '- '"
        return in_list(value) if kind in ("expected", "string_type") else ""
    if kind == "less_than" and isinstance(value, int) and 1 < value < 100:
        return f"write {value / 100:g} for {value} percent"
    if isinstance(value, dict) and len(value) == 1 and kind == "expected":
        return f"write {call_text(*next(iter(value.items())))}"
    if not isinstance(value, str):
        return ""
    if kind == "list_type":
        item = value.removeprefix("-").strip()
        return f"write a list: [{item}], or '- {item}' on a line of its own"
    if kind in ("float_type", "int_type"):
        return f"write {number}" if (number := as_number(value)) else ""
    return glued(value) if kind in ("dict_type", "model_type", "expected") else ""


def _own_error(loc: Key, context: dict[str, Any], document: Document) -> SpecError:
    place = document.place((*loc, context["key"]) if context["key"] else loc)
    at = place.key if context["key"] else place.value
    return SpecError(context["problem"], at=at, remedy=context["remedy"])


def _label(loc: Key, document: Document) -> str:
    """The keys of the document that lead to the value, such as `train.batch_size`."""
    return ".".join(shorten(str(part)) for part in document.known(loc)) or "the spec"


def _shown(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case str():
            return f"'{shorten(value)}'"
    return shorten(str(value))
