"""The stages of a spec as a compiler's `-v` shows them: what came in, and what each stage made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from symgrad.calculus.axes import show_axes
from symgrad.calculus.program import Program
from symgrad.compiler.planning.plan import LoopNest, Phase, Plan, Product, Scalar, Step
from symgrad.displayed import Displayed
from symgrad.elaborate.starting.first_values import FirstValues
from symgrad.notation.convention import Convention
from symgrad.notation.equations import Writing
from symgrad.notation.update_rules import hyper_symbols
from symgrad.pipeline import STAGES, Stage, Stages
from symgrad.spec.expand import expand
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    import sympy as sp

    from symgrad.spec.model import Model, Spec


@dataclass(frozen=True)
class StageRow:
    """One stage. `lines` is all that it gives; `changes` are lines removed (-) and added (+) to a program."""

    name: str
    way: str
    about: str
    lines: tuple[str, ...]
    changes: tuple[str, ...] | None = None

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(line[2:] for line in self.changes or () if line[0] == "-")

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(line[2:] for line in self.changes or () if line[0] == "+")


class StageView(Stages, Displayed):
    """The stages of a spec for its reader: `str` is the page, `rows` has every stage with its lines."""

    @cached_property
    def rows(self) -> tuple[StageRow, ...]:
        """Every stage in order, from the model that the spec stands for to the text of the module."""
        first = StageRow("model", "Spec → Model", _MODEL, _lines(self.model))
        return (first, *(self._row(stage) for stage in STAGES))

    def _row(self, stage: Stage[Any]) -> StageRow:
        name = str(stage.attrname)
        lines = _lines(getattr(self, name))
        row = StageRow(name, stage.way, " ".join(str(stage.__doc__).split()), lines)
        before = _PROGRAMS.get(name)
        return row if before is None else _with_changes(row, _lines(getattr(self, before)))

    def __repr__(self) -> str:
        return f"<StageView of {self.model.spec.name}: {len(self.rows)} stages>"

    def __str__(self) -> str:
        parts = []
        for row in self.rows:
            shown = row.lines if row.changes is None else row.changes or ("nothing changed",)
            parts += [f"{row.name}: {row.way}", f"  {row.about}", *(f"    {line}" for line in shown), ""]
        return "\n".join(parts[:-1])

    def as_dict(self) -> dict[str, Any]:
        """Texts, lists and dicts, ready for JSON."""
        return {
            "name": self.model.spec.name,
            "stages": [
                {
                    "name": row.name,
                    "way": row.way,
                    "about": row.about,
                    "lines": list(row.lines),
                    "removed": list(row.removed),
                    "added": list(row.added),
                }
                for row in self.rows
            ],
        }


_MODEL = "Chains, layers and what the library names, written out as equations."
_OF_PROGRAMS = [str(stage.attrname) for stage in STAGES if stage.way == "Program → Program"]
_PROGRAMS = {after: before for before, after in pairwise(["formulas", *_OF_PROGRAMS])}
"""The stage whose program each stage from program to program changes."""


def stage_view(spec: Spec) -> StageView:
    """The stages of a spec for its reader.

    Raises:
        SpecError: the spec does not describe a network.
    """
    return StageView(expand(spec))


def _with_changes(row: StageRow, before: tuple[str, ...]) -> StageRow:
    """The row with the lines that differ from those before, as a difference is written."""
    changes: list[str] = []
    for kind, start, end, first, last in SequenceMatcher(None, before, row.lines, False).get_opcodes():
        if kind != "equal":
            changes += [f"- {line}" for line in before[start:end]]
            changes += [f"+ {line}" for line in row.lines[first:last]]
    return replace(row, changes=tuple(changes))


def _lines(
    value: Model | Program | Mapping[str, FirstValues | sp.Expr] | tuple[Phase, ...] | Plan | str,
) -> tuple[str, ...]:
    """What a stage gave, line by line."""
    match value:
        case Program():
            return _of_program(value)
        case Plan():
            return _of_plan(value)
        case str():
            return (f"{value.count(chr(10)):,} lines of Python",)
        case Mapping():
            return tuple(f"{name}: {_start(start)}" for name, start in value.items())
        case tuple():
            return tuple(f"{phase.name}: {_step(step)}" for phase in value for step in phase.steps)
    return _of_model(value)


def _start(start: FirstValues | sp.Expr) -> str:
    """What a parameter is drawn from, or what a state of the optimiser starts from."""
    return f"{start.distribution}, {start.scale:g}" if isinstance(start, FirstValues) else str(start)


def _of_model(model: Model) -> tuple[str, ...]:
    equations = [f"{equation.name} = {unparse(equation.formula)}" for equation in model.equations]
    return (*equations, *([f"loss = {unparse(model.loss)}"] if model.loss is not None else []))


def _of_program(program: Program) -> tuple[str, ...]:
    writing = Writing(program, convention=Convention(symbols=hyper_symbols(program)))
    return tuple(writing.index(e) + _axes(program, e.target, "   ") for e in program.equations)


def _axes(program: Program, tensor: str, before: str) -> str:
    axes = program.tensor[tensor].axes
    return f"{before}{show_axes(axes)}" if axes else ""


def _step(step: Step) -> str:
    targets = ", ".join(equation.target for equation in step.equations)
    match step:
        case Product():
            return f"product {targets}"
        case Scalar():
            return f"number {targets}"
        case LoopNest():
            inside = f" ({', '.join(sorted(step.local))} in no memory)" if step.local else ""
            return f"loops {targets}{inside}"
    return f"gradient added {targets}"


def _of_plan(plan: Plan) -> tuple[str, ...]:
    """Where every tensor lies: `theta[0·1]`, or a place in the workspace that it may share."""
    found = []
    for name, place in plan.places.items():
        unit = "·".join(place.unit)
        offset = f"{place.offset}·{unit}" if unit else str(place.offset)
        where = "argument" if place.vector == "argument" else f"{place.vector} from {offset}"
        shares = f", the memory of {plan.memory_name(name)}" if name in plan.shared else ""
        found.append(f"{name}{_axes(plan.program, name, ' ')}: {where}{shares}")
    return tuple(found)
