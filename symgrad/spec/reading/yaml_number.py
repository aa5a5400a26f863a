"""Numbers as YAML writes them, within the limits of a spec."""

from __future__ import annotations

import math
from typing import Literal

from symgrad.errors import Position, SpecError
from symgrad.spec.language.names import shorten
from symgrad.spec.reading.document import MAX_INTEGER

MAX_CHARACTERS = 100


def yaml_number(text: str, kind: Literal["int", "float"], at: Position) -> int | float:
    """The value of a YAML scalar that is a number.

    Raises:
        SpecError: when it is too long, too large or not finite.
    """
    plain = text.replace("_", "")
    if len(plain) > MAX_CHARACTERS:
        problem = f"a number of {len(plain)} characters"
        raise SpecError(problem, at=at, remedy=f"expected at most {MAX_CHARACTERS}")
    if kind == "int":
        whole = int(plain) if plain.lstrip("+-").isdigit() else int(plain, 0)
        if abs(whole) >= MAX_INTEGER:
            raise SpecError("a number that is too large", at=at, remedy="expected less than 1e100")
        return whole
    value = float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(value):
        raise SpecError(f"{shorten(text)} is not a finite number", at=at, remedy="float64 ends at 1.8e308")
    return value
