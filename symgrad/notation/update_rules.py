"""Update rules as mathematics: the optimiser's equations, and their composition with the gradients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, entries
from symgrad.elaborate.optimizer import AHEAD, CLIPPED, NORM
from symgrad.notation.arrange import ONE, fraction_first, negated, product, signed
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.matrix_writer import MatrixWriter
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import shown_equations, visible_reads
from symgrad.spec.library.hyper import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.calculus.program import Equation, Program
    from symgrad.notation.typesetting.style import Style
    from symgrad.notation.typesetting.typeset import Formula


def update_rule(update: Program, style: Style = TEXT) -> tuple[str, ...]:
    """The equations of one step: `v ← 0.9·v + g`, `theta ← theta − 0.1·v`."""
    rule = _Rule(update)
    return _spelled([*rule.numbers(), *rule.clipping(ts.NameText("g"), "←"), *rule.assignments()], style)


def look_ahead_rule(update: Program, style: Style = TEXT) -> tuple[str, ...]:
    """Where the gradient is taken, `ahead ← theta + 0.9·v`; nothing where that is theta."""
    return _spelled(_Rule(update).point(), style)


def reading_note(update: Program) -> str:
    """How the equations of one step are to be read."""
    taken = ", taken with all parameters at their ahead" if AHEAD in update.outputs else ""
    notes = [f"theta is any parameter and g its gradient{taken}"]
    if any("t" in equation.reads for equation in update.equations):
        notes.append("t counts the steps from 1")
    if NORM in update.definition:
        notes.append("the norm is that of all gradients together")
    return f"{'; '.join(notes)}."


def rule_of_step(update: Program, style: Style = TEXT) -> tuple[str, ...]:
    """What is the same for all parameters: the numbers of the step, and how gradients are clipped."""
    rule = _Rule(update)
    return _spelled([*rule.numbers(), *rule.clipping(_clip(ts.NameText("g")), "=")], style)


def composed_rule(
    update: Program,
    parameter: str,
    gradient: Formula,
    short: Formula,
    style: Style = TEXT,
    at: tuple[Formula, ...] | None = None,
    convention: Convention = ROWS,
) -> tuple[str, ...]:
    """The update of one parameter: `W1 ← W1 − 0.01·(xᵀ·dZ1)`; of its entry with the subscripts `at` if given.

    The gradient's formula stands where the optimiser uses it once, else its name, `short`.
    """
    used = gradient if puts_gradient_in(update) else short
    written = convention.symbols.get(parameter, ts.NameText(parameter))
    own = {
        name: _entry(written if name == "theta" else _belonging(name, written), at)
        for name in ("theta", "g", *(t.name for t in update.tensors if t.axes and not t.of))
    }
    given = {"g": used, CLIPPED: _clip(used), AHEAD: _entry(_belonging(_ahead(update), written), at)}
    rule = _Rule(update, own, given, MatrixWriter if at is None else _OfOneEntry)
    lines = [*rule.point(), *rule.assignments()]
    return _spelled(map(fraction_first, lines) if convention.samples == "columns" else lines, style)


def hyper_symbols(update: Program) -> dict[str, Formula]:
    """The hyper-parameters that are not written by their names: `β₁` for b1, which is a bias elsewhere."""
    return {t.name: ts.Symbol(SYMBOLS[t.name]) for t in update.of_kind("hyper") if t.name in SYMBOLS}


def puts_gradient_in(update: Program) -> bool:
    """Whether the composed rule holds the gradient's formula: its equations read it once."""
    gradient = CLIPPED if CLIPPED in update.definition else "g"
    bodies = (e.body for e in update.equations if e.target not in (CLIPPED, NORM))
    nodes = (node for body in bodies for node in sp.preorder_traversal(body))
    return sum(isinstance(node, Entry) and node.tensor == gradient for node in nodes) == 1


@dataclass(frozen=True)
class _Rule:
    """The equations of a step as lines; temporaries are written out where they are used.

    A tensor is written as it is in `given`, or as the one that it is of in `own`, or by its name.
    """

    update: Program
    own: Mapping[str, Formula] = field(default_factory=dict)
    given: Mapping[str, Formula] = field(default_factory=dict)
    writer: type[MatrixWriter] = MatrixWriter

    @cached_property
    def symbols(self) -> dict[str, Formula]:
        special = {AHEAD: ts.NameText(_ahead(self.update)), **self.given}
        named = ((t.name, t.of or t.name) for t in self.update.tensors)
        plain = {name: self.own.get(of, ts.NameText(of)) for name, of in named}
        return plain | hyper_symbols(self.update) | special

    @cached_property
    def hidden(self) -> frozenset[str]:
        return frozenset(t.name for t in self.update.of_kind("temporary"))

    @cached_property
    def shown(self) -> tuple[Equation, ...]:
        return shown_equations(self.update, self.hidden)

    def numbers(self) -> Iterator[Formula]:
        """What is the same for every entry."""
        return (self._line(e) for e in self.shown if not e.indices)

    def clipping(self, target: Formula, operator: str) -> Iterator[Formula]:
        """The gradient with its norm and its entries bounded."""
        return (
            ts.Relation(target, operator, self._right_side(e, {})) for e in self.shown if e.target == CLIPPED
        )

    def point(self) -> Iterator[Formula]:
        """Where the gradient is taken."""
        return (self._line(e) for e in self.shown if e.target == AHEAD)

    def assignments(self) -> Iterator[Formula]:
        """One line per equation; a step that reads theta after changing it keeps the old one."""
        equations = [e for e in self.shown if e.indices and e.target not in (AHEAD, CLIPPED)]
        changed = [self.update.tensor[e.target].of for e in equations].index("theta") + 1
        later = [visible_reads(self.update, e, self.hidden) for e in equations[changed:]]
        symbols: dict[str, Formula] = {}
        if any("theta" in reads for reads in later):
            symbols = {"theta": ts.NameText(_unused(self.update, "before"))}
            yield ts.Relation(symbols["theta"], "←", self.symbols["theta"])
        for number, equation in enumerate(equations):
            yield self._line(equation, symbols if number >= changed else {})

    def _line(self, equation: Equation, symbols: Mapping[str, Formula] = ROWS.symbols) -> Formula:
        return ts.Relation(self.symbols[equation.target], "←", self._right_side(equation, symbols))

    def _right_side(self, equation: Equation, symbols: Mapping[str, Formula]) -> Formula:
        """The formula of an equation; what it changes leads its terms: `theta − 0.1·g`."""
        of = "theta" if equation.target == AHEAD else self.update.tensor[equation.target].of
        leading = (n for n in sorted(equation.reads) if of and of in (n, self.update.tensor[n].of))
        subject = replace(equation, target=next(leading, equation.target))
        convention = Convention(symbols={**self.symbols, **symbols})
        return self.writer(self.update, self.hidden, convention).right_side(subject)


class _OfOneEntry(MatrixWriter):
    """For a single entry every product is one of numbers; its gradient stands apart: `0.1·(2/N)·Σ_n …`."""

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return product("numbers", [self.write(f) for f in factors])

    def _product(self, expr: sp.Expr) -> Formula:
        gradients = [f for f in sp.Mul.make_args(expr) if isinstance(f, Entry) and self._is_gradient(f)]
        rate = expr / sp.Mul(*gradients)
        if len(gradients) != 1 or any(e.indices for e in entries(rate)):
            return super()._product(expr)
        (minus, before), (negative, gradient) = signed(self.write(rate)), signed(self.write(gradients[0]))
        found = ts.ProductText("numbers", (before, gradient)) if before != ONE else gradient
        return negated(found) if minus != negative else found

    def _is_gradient(self, entry: Entry) -> bool:
        return "g" in (entry.tensor, self.program.tensor[entry.tensor].of)


def _entry(written: Formula, at: tuple[Formula, ...] | None) -> Formula:
    return ts.Subscripted(written, at) if at else written


def _belonging(state: str, parameter: Formula) -> Formula:
    """`v_W1`, the state v of W1."""
    if not isinstance(parameter, ts.Symbol):
        return ts.NameText(f"{state}_{TEXT.spell(parameter)}")
    is_word = re.fullmatch(r"\w+", parameter.text)
    return ts.Symbol(f"{state}_{parameter.text}" if is_word else f"{state}_{{{parameter.text}}}")


def _clip(gradient: Formula) -> Formula:
    return ts.CallText("clip", (gradient,))


def _spelled(lines: Iterable[Formula], style: Style) -> tuple[str, ...]:
    return tuple(style.spell(line) for line in lines)


def _ahead(update: Program) -> str:
    return _unused(update, "ahead")


def _unused(update: Program, name: str) -> str:
    """A name for the reader that the optimiser does not use."""
    while name in update.tensor:
        name += "_"
    return name
