"""Programs in the making: what a pass makes of another program, equation by equation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from symgrad.calculus.program import (
    Equation,
    Kind,
    Program,
    Rewrite,
    Tensor,
    canonical,
    check,
    letters_of,
    with_places_told,
)
from symgrad.calculus.terms import with_indices
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sympy as sp

    from symgrad.calculus.axes import Axes


def with_equations(program: Program, equations: Iterable[Equation]) -> Program:
    """The program with equations of the same tensors in place of its own.

    Raises:
        InternalError: they break what programs promise.
    """
    told = (with_places_told(equation, program.tensor) for equation in equations)
    return check(replace(program, equations=tuple(told)), program)


class ProgramEditor:
    """Collects the equations of a new program; tensors, rewrites and all else begin as in the old one."""

    def __init__(self, program: Program) -> None:
        self.before = program
        self.tensors = dict(program.tensor)
        self.equations: list[Equation] = []
        self.rewrites = list(program.rewrites)

    def fresh(self, wanted: str) -> str:
        """A name that no tensor bears: `wanted`, or with a suffix."""
        return unused(wanted, self.tensors)

    def new_tensor(self, wanted: str, axes: Axes, kind: Kind = "temporary", of: str = "") -> str:
        """The name of a new tensor, as `fresh` gives it."""
        name = self.fresh(wanted)
        self.tensors[name] = Tensor(name, axes, kind, of=of)
        return name

    def add(self, equation: Equation) -> Equation:
        """The equation with standard index names, which is the next one."""
        self.equations.append(canonical(with_places_told(equation, self.tensors)))
        return self.equations[-1]

    def record(self, rule: str, equation: Equation, before: sp.Expr, after: sp.Expr) -> None:
        """Note that a rule was applied in an equation."""
        names = letters_of(equation, {*self.before.names, *self.tensors})
        told = (with_indices(expr, names) for expr in (before, after))
        self.rewrites.append(Rewrite(rule, equation.target, *told))

    def program(self, **changes: Any) -> Program:
        """The new program; `changes` are those of other fields.

        Raises:
            InternalError: it breaks what programs promise.
        """
        made = {
            "tensors": tuple(self.tensors.values()),
            "equations": tuple(self.equations),
            "rewrites": tuple(self.rewrites),
        }
        return check(replace(self.before, **(made | changes)), self.before)
