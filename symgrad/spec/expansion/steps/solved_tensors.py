"""What may not stand in, around or beside an equation that is solved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.cycles import groups
from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.layers.layer_calls import known_layers
from symgrad.spec.language.builtins import TRAINING, UNIFORM
from symgrad.spec.language.trees import calls, values_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import EquationSpec, SolvedSpec, Spec


def refuse_in_solved(spec: Spec) -> None:
    """Refuse what has no place in an equation that is solved, as it is made again in every step of that.

    Raises:
        SpecError: a layer, numbers that are drawn, or a choice between training and inference;
            or a derivative of second order beside it.
    """
    for solved in spec.solved:
        for formula in _formulas(spec, solved):
            _refuse_calls(spec, solved, formula)
    for asked in spec.derive if spec.solved else ():
        if asked.kind in ("hvp", "hessian"):
            refuse_second_derivatives(spec, asked.at)


def refuse_second_derivatives(spec: Spec, at: Position) -> None:
    """Refuse derivatives of the gradient, which passes through the last step of a solver alone.

    Raises:
        SpecError: something is solved.
    """
    for solved in spec.solved[:1]:
        problem = f"no second derivatives are made where '{solved.name}' is solved for"
        remedy = "use the gradient, per_sample, gauss_newton or a Jacobian, which are of first order"
        raise SpecError(problem, at=at, remedy=remedy)


def refuse_around_solved(spec: Spec, equations: Sequence[EquationSpec]) -> None:
    """Refuse equations that go around a circle with one that is solved.

    Raises:
        SpecError: what is solved for is made of something that reads it.
    """
    for solved in spec.solved:
        own = {*solved.iterated, solved.held}
        reads = {e.name: values_in(e.formula) for e in equations if e.name not in own}
        reads[solved.name] = reads[solved.name].union(*map(values_in, _formulas(spec, solved))) - own
        circle = next(group for group in groups(reads) if solved.name in group)
        others = sorted({*circle} - {solved.name})
        if others or solved.name in reads[solved.name]:
            problem = f"'{solved.name}', which is solved for, reads '{others[0]}', which is made of it"
            remedy = f"write '{others[0]}' out in the formula of '{solved.name}', or as a function"
            raise SpecError(problem, at=solved.at, remedy=remedy)


def _formulas(spec: Spec, solved: SolvedSpec) -> Iterator[Node]:
    yield from (e.formula for e in spec.equations if e.name in solved.iterated)
    yield from (start.formula for start in spec.starts if start.name in solved.iterated)


def _refuse_calls(spec: Spec, solved: SolvedSpec, formula: Node) -> None:
    layers, drawing = known_layers(spec), _drawing(spec)
    for call in calls(formula):
        name, problem = call.function, ""
        remedy = f"compute it in an equation above, and read that in the one of '{solved.name}'"
        if name in layers and name not in library.functions:
            problem = f"'{name}' brings parameters along, others in each place where it is written out"
            remedy = f"write parameters of your own, {solved.name} @ W + b, or a network of networks"
        elif name in drawing:
            problem = f"'{name}' draws numbers, others in every step that solves for '{solved.name}'"
        elif name == TRAINING:
            problem = f"training and inference cannot solve other equations for '{solved.name}'"
        if problem:
            raise SpecError(problem, at=call.at, remedy=remedy)


def _drawing(spec: Spec) -> set[str]:
    """The functions that draw numbers, or choose between training and inference, as noises do."""
    users = {f.name: {call.function for call in calls(f.formula)} for f in spec.functions}
    found = {UNIFORM, *library.draws, *library.noises} - users.keys()
    for _ in users:
        found |= {name for name, called in users.items() if found & called}
    return found
