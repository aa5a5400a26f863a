"""The scalar view in words and formulas: every weight's own update rule, with indices filled in."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from symgrad.calculus.terms import Entry, delta
from symgrad.explain.entry_gradients import MAX_RULES, EntryFormula, EntryGradient, ScalarRules
from symgrad.notation.entry_writer import EntryWriter
from symgrad.notation.index_writer import leading_tensors
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import composed_rule, puts_gradient_in, rule_of_step
from symgrad.report.content import FormulaRow, Section

if TYPE_CHECKING:
    from symgrad.notation.typesetting.style import Style
    from symgrad.notation.typesetting.typeset import Formula
    from symgrad.report.derived import Derived

FORWARD_NOTE = "What the rules read, entry by entry."
BACKWARD_NOTE = (
    "The derivatives of the loss with respect to single entries, from the loss back to the inputs."
)
RULES_NOTE = "Each weight with its own gradient."
WRITTEN_OUT_NOTE = (
    "The same with every derivative above put in: what is left are forward values, targets and weights."
)
WRITTEN_OUT_IN_TIME_NOTE = (
    "The same with every derivative above put in, but those that a recurrence carries from step to step: "
    "what is left are these, forward values, targets and weights."
)
LABEL_NOTE = "Labels count from 0, as in the data: δ(a, 0) is 1 where the label a is 0, else 0."


def scalar_sections(derived: Derived, style: Style) -> list[Section]:
    """The definitions, the rules in terms of them, and the rules written out."""
    rules = derived.requested_rules
    frozen = derived.stages.model.frozen
    rules = replace(rules, gradients=tuple(g for g in rules.gradients if g.parameter.tensor not in frozen))
    writer = _RuleWriter(derived, style)
    of_step = [FormulaRow(line) for line in rule_of_step(derived.update, style)] if rules.gradients else []
    changed = any(g.written_out not in (g.gradient.body, None) for g in rules.gradients)
    written_out = writer.rules(rules.gradients, written_out=True) if changed else ()
    kinds = {name: tensor.kind for name, tensor in derived.program.tensor.items()}
    carries = any(kinds[carried.source] == "cotangent" for carried in derived.program.carried.values())
    note = WRITTEN_OUT_IN_TIME_NOTE if carries else WRITTEN_OUT_NOTE
    return [
        Section("equations", "Scalar view: forward values", FORWARD_NOTE, writer.rows(rules.forward)),
        Section("equations", "Scalar view: derivatives", BACKWARD_NOTE, writer.rows(rules.backward)),
        Section(
            "updates", "Scalar view: rules", _rules_note(rules), (*of_step, *writer.rules(rules.gradients))
        ),
        Section("updates", "Scalar view: rules written out", note, written_out),
    ]


def scalar_legend(derived: Derived) -> list[str]:
    """How the scalar view is to be read."""
    rules = derived.requested_rules
    numbered = [
        g.parameter
        for g in rules.gradients
        if g.parameter.indices and not g.parameter.free_symbols - {g.parameter}
    ]
    lines = []
    if numbered:
        example = numbered[min(1, len(numbered) - 1)]
        symbol = TEXT.spell(EntryWriter(derived.program, derived.convention).entry(example))
        lines.append(
            f"In the scalar view subscripts count from 1: {symbol} is the array's {_array_entry(example)}."
        )
    else:
        lines.append("In the scalar view subscripts count from 1; the array's indices count from 0.")
    formulas = (*rules.forward, *rules.backward, *(g.gradient for g in rules.gradients))
    if any(f.body.has(delta) for f in formulas):
        lines.append(LABEL_NOTE)
    return lines


def scalar_data(derived: Derived) -> dict[str, Any]:
    """The scalar view as numbers, texts, lists and dicts."""
    rules = derived.requested_rules
    text, latex = _RuleWriter(derived, TEXT), _RuleWriter(derived, LATEX)
    return {
        "forward": [_formula_data(f, text, latex) for f in rules.forward],
        "derivatives": [_formula_data(f, text, latex) for f in rules.backward],
        "rules": [_rule_data(g, text, latex) for g in rules.gradients],
        "one_rule_for_all": dict(rules.shortened),
    }


def _formula_data(formula: EntryFormula, text: _RuleWriter, latex: _RuleWriter) -> dict[str, Any]:
    return {**_place(formula.entry), "text": text.formula(formula), "latex": latex.formula(formula)}


def _rule_data(gradient: EntryGradient, text: _RuleWriter, latex: _RuleWriter) -> dict[str, Any]:
    return {
        **_place(gradient.parameter),
        "rule": list(text.rule(gradient)),
        "written_out": list(text.rule_written_out(gradient)),
        "latex": list(latex.rule(gradient)),
        "latex_written_out": list(latex.rule_written_out(gradient)),
    }


def _place(entry: Entry) -> dict[str, Any]:
    """Numbers count from 0, letters stand for any."""
    indices = [int(i) if i.is_Integer else str(i) for i in entry.indices]
    return {"tensor": entry.tensor, "indices": indices}


def _array_entry(entry: Entry) -> str:
    return f"{entry.tensor}[{', '.join(map(str, entry.indices))}]"


def _rules_note(rules: ScalarRules) -> str:
    notes = [RULES_NOTE]
    for name, number in rules.shortened:
        place = "[" + ", ".join("0" for _ in _gradient_of(name, rules).parameter.indices) + "]"
        asked = (
            f"--parameter {name} writes them all"
            if number <= MAX_RULES
            else f"--parameter '{name}{place}' writes one"
        )
        notes.append(f"{name} has {number:,} entries and one rule, with letters for indices; {asked}.")
    if long := dict.fromkeys(g.parameter.tensor for g in rules.gradients if g.written_out is None):
        notes.append(f"Too long to be written out without the derivatives' names: {', '.join(long)}.")
    return " ".join(notes)


def _gradient_of(name: str, rules: ScalarRules) -> EntryGradient:
    return next(g for g in rules.gradients if g.parameter.tensor == name)


class _RuleWriter:
    """Spells the formulas of a scalar view in one style."""

    def __init__(self, derived: Derived, style: Style) -> None:
        self.program, self.update_of, self.style = derived.program, derived.stages.update_of, style
        self.convention, self.hidden = derived.convention, derived.hidden
        self.forward = EntryWriter(self.program, self.convention)
        self.backward = EntryWriter(self.program, self.convention)

    def rows(self, formulas: tuple[EntryFormula, ...]) -> tuple[FormulaRow, ...]:
        return tuple(FormulaRow(self.formula(f)) for f in formulas)

    def formula(self, formula: EntryFormula) -> str:
        """`A1ₙ₁ = tanh(Z1ₙ₁)`"""
        writer = self.backward
        if self.program.tensor[formula.entry.tensor].kind != "cotangent":
            writer = self.forward
            writer.leading = self._leading(formula.entry.tensor)
        return self.style.spell(ts.Relation(writer.entry(formula.entry), "=", writer.write(formula.body)))

    def _leading(self, tensor: str) -> tuple[str, ...]:
        """The tensors that come first in a forward formula: `x·W`, though the sum may have no name."""
        definition = self.program.definition[tensor]
        inner = [name for name in sorted(definition.reads) if name in self.hidden]
        return (*leading_tensors(definition), *(lead for name in inner for lead in self._leading(name)))

    def rules(
        self, gradients: tuple[EntryGradient, ...], written_out: bool = False
    ) -> tuple[FormulaRow, ...]:
        """The lines of all rules; the first of every parameter bears its name."""
        rows: list[FormulaRow] = []
        for tensor, of_tensor in groupby(gradients, key=lambda g: g.parameter.tensor):
            line_of = self.rule_written_out if written_out else self.rule
            lines = [line for gradient in of_tensor for line in line_of(gradient)]
            label = self.convention.written(tensor)
            rows += [FormulaRow(line, label="" if number else label) for number, line in enumerate(lines)]
        return tuple(rows)

    def rule(self, gradient: EntryGradient) -> tuple[str, ...]:
        """The rule in terms of the derivatives: `W1₁₁ ← W1₁₁ − 0.1·Σ_n dZ1ₙ₁·xₙ₁`."""
        lines = self._composed(gradient, self.backward.gradient(gradient.gradient.body))
        update = self.update_of(gradient.parameter.tensor)
        return lines if puts_gradient_in(update) else (self.formula(gradient.gradient), *lines)

    def rule_written_out(self, gradient: EntryGradient) -> tuple[str, ...]:
        """The rule, or the gradient where the optimiser uses it more than once, over forward values alone."""
        if gradient.written_out is None:
            return ()
        formula = self.backward.gradient(gradient.written_out)
        if puts_gradient_in(self.update_of(gradient.parameter.tensor)):
            return self._composed(gradient, formula)
        return (self.style.spell(ts.Relation(self.backward.entry(gradient.gradient.entry), "=", formula)),)

    def _composed(self, gradient: EntryGradient, formula: Formula) -> tuple[str, ...]:
        at = self.backward.subscripts(gradient.parameter)
        short = self.backward.entry(gradient.gradient.entry)
        name = gradient.parameter.tensor
        return composed_rule(self.update_of(name), name, formula, short, self.style, at, self.convention)
