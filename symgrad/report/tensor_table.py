"""The table of tensors at the head of a report."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from symgrad.explain.roles import Role, roles
from symgrad.notation.visibility import shown_equations
from symgrad.report.content import TensorRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.program import Program, Tensor
    from symgrad.notation.equations import Writing
    from symgrad.notation.typesetting.style import Style
    from symgrad.report.derived import Derived

SHOWN = 6
"""How many values of a constant are shown."""


def tensor_rows(derived: Derived, style: Style) -> tuple[TensorRow, ...]:
    """What is declared; in a notation other than the usual one, what is computed too, by what it is."""
    program = derived.program
    values = {c.name: c.values for c in derived.spec.constants}
    writing = derived.writing(style)
    kinds = dict.fromkeys(derived.stages.model.states, "state")
    rows = [
        _row(writing, t, kinds.get(t.name, t.kind), _note(t, values.get(t.name, ())))
        for t in program.declared
    ]
    rows += [_row(writing, t, "carried", str(t.carried)) for t in program.handed_on]
    if derived.convention.name != "rows":
        rows += _computed(writing)
    return tuple(rows)


def parameter_count(program: Program) -> int:
    """How many entries all parameters have."""
    return sum(map(entry_count, program.of_kind("parameter")))


def entry_count(tensor: Tensor) -> int:
    """How many entries a tensor has for each product of its free axes."""
    return prod(axis.size or 1 for axis in tensor.axes)


def _row(writing: Writing, tensor: Tensor, kind: str, note: str) -> TensorRow:
    axes = ", ".join(writing.convention.written(str(axis)) for axis in tensor.axes)
    symbol = writing.convention.symbols.get(tensor.name)
    written = writing.style.spell(symbol) if symbol is not None else ""
    return TensorRow(tensor.name, kind, f"[{axes}]" if axes else "a number", note, written)


def _note(tensor: Tensor, values: tuple[float, ...]) -> str:
    """`values` are those of a constant; only the first are shown."""
    note = f"labels 0 … {tensor.classes - 1}" if tensor.classes is not None else ""
    if tensor.ignore is not None:
        note += f", {tensor.ignore} for none"
    if values:
        note = ", ".join([*(f"{v:g}" for v in values[:SHOWN]), *(["…"] if len(values) > SHOWN else [])])
    if tensor.kind == "parameter":
        size = entry_count(tensor)
        note = f"{size:,} {'entry' if size == 1 else 'entries'}"
    return note


def _computed(writing: Writing) -> Iterator[TensorRow]:
    program = writing.program
    known = roles(program)
    for equation in shown_equations(program, writing.hidden):
        tensor = program.tensor[equation.target]
        if tensor.kind != "cotangent":
            yield _row(writing, tensor, _kind(program, tensor, known), "")
        elif tensor.of not in program.tensor:
            yield _row(writing, tensor, "gradient", "")
        else:
            row = _row(writing, tensor, "gradient", _of(program.tensor[tensor.of], known))
            yield replace(row, of=writing.style.spell(writing.indices.tensor(tensor.of)))


def _kind(program: Program, tensor: Tensor, known: Mapping[str, Role]) -> str:
    if tensor.name in known:
        return known[tensor.name]
    if tensor.name == program.loss:
        return "loss"
    if tensor.kind == "temporary":
        return "intermediate"
    is_extra = tensor.name in program.prediction and tensor.name not in program.outputs
    return "prediction" if is_extra else tensor.kind


def _of(tensor: Tensor, known: Mapping[str, Role]) -> str:
    what = known.get(tensor.name) or (tensor.kind if tensor.kind in ("input", "parameter") else "")
    return f"with respect to the {what}" if what else "with respect to"
