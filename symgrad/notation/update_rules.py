"""Update rules as mathematics: the optimiser's equations, and their composition with the gradients."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, entries
from symgrad.elaborate.optimizer import AHEAD, LENGTH, POSITION, Update, update_tensors
from symgrad.notation.arrange import ONE, fraction_first, negated, product, signed
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.matrix_writer import MatrixWriter
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.text import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.notation.typesetting.style import Style
    from symgrad.notation.typesetting.typeset import Formula


def update_rule(update: Update, style: Style = TEXT) -> tuple[str, ...]:
    """The equations of one step: `v ← 0.9·v + g`, `theta ← theta − 0.1·v`."""
    lines = list(_of_step(update))
    if _clips(update):
        lines.append(_assigned("g", _clipped(update)))
    return _spelled([*lines, *_assignments(update, {}, {})], style)


def look_ahead_rule(update: Update, style: Style = TEXT) -> tuple[str, ...]:
    """Where the gradient is taken, `ahead ← theta + 0.9·v`; nothing where that is theta."""
    return _spelled(_point(update, _ahead(update), {}), style)


def reading_note(update: Update) -> str:
    """How the equations of one step are to be read."""
    taken = ", taken with all parameters at their ahead" if update.look_ahead else ""
    notes = [f"theta is any parameter and g its gradient{taken}"]
    equations = (*update.numbers, *update.look_ahead, *update.updates)
    if any(e.tensor == "t" for _, body in equations for e in entries(body)):
        notes.append("t counts the steps from 1")
    if update.clip_norm is not None:
        notes.append("the norm is that of all gradients together")
    return f"{'; '.join(notes)}."


def rule_of_step(update: Update, style: Style = TEXT) -> tuple[str, ...]:
    """What is the same for all parameters: the numbers of the step, and how gradients are clipped."""
    lines = list(_of_step(update))
    if _clips(update):
        lines.append(ts.Relation(ts.CallText("clip", (ts.NameText("g"),)), "=", _clipped(update)))
    return _spelled(lines, style)


def composed_rule(
    update: Update,
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
    writer = MatrixWriter if at is None else _OfOneEntry
    used = gradient if puts_gradient_in(update) else short
    if _clips(update):
        used = ts.CallText("clip", (used,))
    own = [name for name, _ in update.states] + [n for n in update.quantities if n not in update.temporaries]
    written = convention.symbols.get(parameter, ts.NameText(parameter))
    targets = {name: _entry(_belonging(name, written), at) for name in ("g", *own)}
    targets["theta"] = _entry(written, at)
    point = _point(update, _entry(_belonging(_ahead(update).text, written), at), targets, writer)
    lines = [*point, *_assignments(update, targets, {**targets, "g": used}, writer)]
    return _spelled(map(fraction_first, lines) if convention.samples == "columns" else lines, style)


class _OfOneEntry(MatrixWriter):
    """For a single entry every product is one of numbers; its gradient stands apart: `0.1·(2/N)·Σ_n …`."""

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return product("numbers", [self.write(f) for f in factors])

    def _product(self, expr: sp.Expr) -> Formula:
        gradients = [f for f in sp.Mul.make_args(expr) if isinstance(f, Entry) and f.tensor == "g"]
        rate = expr / sp.Mul(*gradients)
        if len(gradients) != 1 or any(e.indices for e in entries(rate)):
            return super()._product(expr)
        (minus, before), (negative, gradient) = signed(self.write(rate)), signed(self.write(gradients[0]))
        found = ts.ProductText("numbers", (before, gradient)) if before != ONE else gradient
        return negated(found) if minus != negative else found


def _entry(written: Formula, at: tuple[Formula, ...] | None) -> Formula:
    return ts.Subscripted(written, at) if at else written


def _belonging(state: str, parameter: Formula) -> Formula:
    """`v_W1`, the state v of W1."""
    if not isinstance(parameter, ts.Symbol):
        return ts.NameText(f"{state}_{TEXT.spell(parameter)}")
    is_word = re.fullmatch(r"\w+", parameter.text)
    return ts.Symbol(f"{state}_{parameter.text}" if is_word else f"{state}_{{{parameter.text}}}")


def puts_gradient_in(update: Update) -> bool:
    """Whether the composed rule holds the gradient's formula: its equations read it once."""
    names = [name for name, _ in update.updates]
    last = names.index("g") if "g" in names else len(names)
    nodes = (n for _, body in update.updates[: last + 1] for n in sp.preorder_traversal(body))
    return sum(isinstance(node, Entry) and node.tensor == "g" for node in nodes) == 1


def _spelled(lines: Iterable[Formula], style: Style) -> tuple[str, ...]:
    return tuple(style.spell(line) for line in lines)


def _of_step(update: Update) -> Iterator[Formula]:
    for name, body in update.numbers:
        if name not in update.temporaries:
            yield _assigned(name, _right_side(update, name, body, {}))


def _point(
    update: Update,
    ahead: Formula,
    symbols: Mapping[str, Formula],
    writer: type[MatrixWriter] = MatrixWriter,
) -> Iterator[Formula]:
    for name, body in update.look_ahead:
        if name not in update.temporaries:
            yield ts.Relation(ahead, "←", _right_side(update, name, body, symbols, writer))


def _assignments(
    update: Update,
    targets: Mapping[str, Formula],
    symbols: Mapping[str, Formula],
    writer: type[MatrixWriter] = MatrixWriter,
) -> Iterator[Formula]:
    """One line per equation; a step that reads theta after changing it keeps the old one."""
    before = ts.NameText(_unused(update, "before"))
    if update.keeps_theta:
        yield ts.Relation(before, "←", symbols.get("theta", ts.NameText("theta")))
    for name, body in update.updates:
        if name in update.temporaries:
            continue
        target = targets.get(name, ts.NameText(name))
        yield ts.Relation(target, "←", _right_side(update, name, body, symbols, writer))
        if name == "g":
            symbols = {**symbols, "g": target}
        if name == "theta" and update.keeps_theta:
            symbols = {**symbols, "theta": before}


def _ahead(update: Update) -> ts.NameText:
    return ts.NameText(_unused(update, "ahead"))


def _unused(update: Update, name: str) -> str:
    """A name for the reader that the optimiser does not use."""
    used = {n for equations in (update.states, update.numbers, update.updates) for n, _ in equations}
    while name in used:
        name += "_"
    return name


def _right_side(
    update: Update,
    name: str,
    body: sp.Expr,
    symbols: Mapping[str, Formula],
    writer: type[MatrixWriter] = MatrixWriter,
) -> Formula:
    """The formula of one equation, its temporaries written out."""
    loop = (Loop(POSITION, LENGTH),)
    numbers = dict(update.numbers)
    vectors = (*update.look_ahead, *update.updates)
    defined = [*((n, (), b) for n, b in numbers.items()), *((n, loop, b) for n, b in vectors)]
    hidden = tuple(_equation(n, loops, b) for n, loops, b in defined if n in update.temporaries)
    program = Program(update_tensors(update), hidden, (), None)
    subject = "theta" if name == AHEAD else name
    equation = _equation(subject, () if name in numbers else loop, body)
    return writer(program, update.temporaries, Convention(symbols=symbols)).right_side(equation)


def _equation(name: str, loops: tuple[Loop, ...], body: sp.Expr) -> Equation:
    return Equation(name, tuple(loop.index for loop in loops), loops, "none", body)


def _assigned(name: str, right: Formula) -> Formula:
    return ts.Relation(ts.NameText(name), "←", right)


def _clips(update: Update) -> bool:
    return update.clip_norm is not None or update.clip_value is not None


def _clipped(update: Update) -> Formula:
    """The gradient with its norm bounded, then each of its entries."""
    gradient: Formula = ts.NameText("g")
    if update.clip_norm is not None:
        bound = ts.Quotient(_limit(update.clip_norm), ts.Norm(gradient))
        gradient = product("numbers", [gradient, ts.CallText("min", (ts.NumberText(Fraction(1)), bound))])
    if update.clip_value is not None:
        limit = _limit(update.clip_value)
        gradient = ts.CallText("max", (negated(limit), ts.CallText("min", (limit, gradient))))
    return gradient


def _limit(limit: float) -> Formula:
    return ts.NumberText(Fraction(repr(limit)))
