"""Several names on the left, `"q, k, v": split(z, 3)`: an equation for each part.

Every other equation defines one tensor. Parts get names so because nobody wants them numbered.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Call, Name, Node, Number, Tuple
from symgrad.spec.model import EquationSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.errors import Position

_FORM = 'write "a, b": split(x, 2), of a tensor by name'


def named_parts(left: str, formula: Node, at: Position) -> Iterator[EquationSpec]:
    """The equations of the parts of a split.

    Raises:
        SpecError: another formula, or another number of parts than of names.
    """
    names = [check_name(name.strip(), at) for name in left.split(",")]
    if not isinstance(formula, Call) or formula.function != "split" or "part" in dict(formula.keywords):
        raise SpecError("only split gives several tensors", at=formula.at, remedy=_FORM)
    given = dict(formula.keywords)
    parts = given.get("parts", formula.arguments[1] if len(formula.arguments) > 1 else None)
    count = len(parts.items) if isinstance(parts, Tuple) else None
    count = int(parts.value) if isinstance(parts, Number) else count
    if count is not None and count != len(names):
        problem = f"split into {count} parts, and {len(names)} names on the left"
        raise SpecError(problem, at=formula.at, remedy="name every part")
    if formula.arguments and not isinstance(formula.arguments[0], Name):
        raise SpecError("split of a formula would compute it for each part", at=formula.at, remedy=_FORM)
    for number, name in enumerate(names):
        part = ("part", Number(Fraction(number), formula.at))
        yield EquationSpec(name, None, replace(formula, keywords=(*formula.keywords, part)), at)
