"""The numbers in a graph: values forward, gradients backward, both from the derived program.

The stages are those of every spec, but that nothing reaches across the uses of a value, so that each keeps
a gradient of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.program import Equation, Program, check
from symgrad.calculus.simplify import fold_bodies
from symgrad.graphs.interpret import Numbers, interpret
from symgrad.passes.stabilise import stabilise
from symgrad.pipeline import Stages, stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from symgrad.graphs.trace import Trace
    from symgrad.spec.model import Model


@dataclass(frozen=True)
class Flow:
    """Values and gradients by the name of a tensor or of a use."""

    values: Mapping[str, Numbers]
    gradients: Mapping[str, Numbers]


@dataclass(frozen=True)
class TracedStages(Stages):
    """The stages of a traced model: `stable` formula by formula, gradients of all that varies, uses kept."""

    uses: Collection[str] = ()

    @stage("Program → Program")
    def stable(self) -> Program:
        """Forms that neither overflow nor lose digits, each formula by itself."""
        return replace(_stable(self.formulas, self.uses), loss=goal_of(self.formulas))

    @stage("Program → Program")
    def adjoint(self) -> Program:
        """The gradient of the loss with respect to everything it can flow into."""
        return differentiate(self.stable, _varying(self.stable) if self.stable.loss is not None else [])

    @stage("Program → Program")
    def derived(self) -> Program:
        """Folded, equation by equation."""
        return fold_bodies(self.adjoint)


def flow(model: Model, traced: Trace, given: Mapping[str, Numbers], sizes: Mapping[str, int]) -> Flow:
    """What flows through the graph where the inputs, targets and parameters are `given`.

    Raises:
        DataError: an equation has too many terms to compute with.
    """
    derived = TracedStages(model, traced.program, traced.uses.keys()).derived
    arrays = interpret(derived, given, sizes)
    return Flow(arrays, {gradient.of: arrays[gradient.name] for gradient in derived.gradients})


def goal_of(program: Program) -> str | None:
    """What is differentiated: the loss, or the only output where that is one number."""
    if program.loss is not None or len(program.outputs) != 1:
        return program.loss
    (output,) = program.outputs
    return None if program.tensor[output].axes else output


def _stable(program: Program, uses: Collection[str]) -> Program:
    """The program with each formula in stable form by itself: no rewriting reaches across a use."""
    copies = {e.target: e for e in program.equations if e.target in uses}
    others = tuple(e for e in program.equations if e.target not in copies)
    tensors = tuple(replace(t, kind="state") if t.name in copies else t for t in program.tensors)
    stable = stabilise(replace(program, tensors=tensors, equations=others))
    back = tuple(replace(t, kind="temporary") if t.name in copies else t for t in stable.tensors)
    return check(replace(stable, tensors=back, equations=tuple(_with_copies(stable.equations, copies))))


def _with_copies(equations: Iterable[Equation], copies: dict[str, Equation]) -> Iterable[Equation]:
    """Every copy before the first equation that reads it."""
    for equation in equations:
        for name in sorted(equation.reads & copies.keys()):
            yield copies.pop(name)
        yield equation


def _varying(program: Program) -> list[str]:
    """What a gradient can flow into: numbers given as inputs or parameters, and all computed from them."""
    given = ("input", "parameter")
    found = {t.name: None for t in program.tensors if t.kind in given and not t.is_integer}
    for equation in program.equations:
        if equation.reads & found.keys():
            found[equation.target] = None
    return list(found)
