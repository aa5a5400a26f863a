"""What comes after the epochs of a training, in words and as a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.notation.typesetting.latex import LATEX
from symgrad.report.content import FormulaRow, Section
from symgrad.spec import library

if TYPE_CHECKING:
    from symgrad.notation.typesetting.style import Style
    from symgrad.spec.model import TrainSpec


def finish_section(train: TrainSpec, style: Style) -> tuple[Section, ...]:
    """The section, where there is something."""
    finish = train.finish
    if finish is None:
        return ()
    entry = library.finishes[finish.name]
    when = f"after {train.epochs} epochs of these steps" if train.epochs else "without any of these steps"
    note = f"{finish} on all rows, {when}: {entry.note} ({entry.source})."
    return (Section("updates", "Finish", note, tuple(map(FormulaRow, finish_rule(train, style)))),)


def finish_rule(train: TrainSpec, style: Style) -> tuple[str, ...]:
    """What an iteration does: θ is the vector of all parameters that are trained, L the loss on all rows."""
    rule = library.finishes[train.finish.name].rule if train.finish else ()
    return tuple(latex if style is LATEX else text for text, latex in rule)
