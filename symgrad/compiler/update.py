"""The optimiser's equations and the learning-rate schedule as one loop over the parameter vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.evaluate import Evaluator
from symgrad.calculus.program import Axis, Tensor
from symgrad.calculus.rules import fold
from symgrad.calculus.terms import Entry, entries, index_symbol
from symgrad.calculus.values import Builder, Value, scalar
from symgrad.compiler.identifiers import identifiers
from symgrad.compiler.printer import Printer
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from symgrad.spec.model import Model, OptimizerSpec
    from symgrad.spec.syntax import Node

LENGTH = Axis("size", None)
POSITION = index_symbol("i")


@dataclass(frozen=True)
class Update:
    """One step of the optimiser: `updates` in order, over theta, g, the states and numbers of the step.

    A number of the step is the step itself, `t`, or the learning rate of a schedule.
    """

    states: tuple[tuple[str, float], ...]
    updates: tuple[tuple[str, sp.Expr], ...]
    learning_rate: sp.Expr
    scheduled: bool
    clip_norm: float | None


def update_of(model: Model) -> Update:
    """The update rule of a model, entry by entry.

    Raises:
        SpecError: a state does not start from a number, or bears a name the module needs.
    """
    return _Update(model).run()


class _Update:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.optimizer: OptimizerSpec = model.optimizer
        self.evaluator = Evaluator(Builder(), {}, {})
        self.hyper = {name: self._number(node) for name, node in self.optimizer.hyper}

    def run(self) -> Update:
        learning_rate, scheduled = self._schedule()
        if "learning_rate" in self.hyper:
            self.hyper["learning_rate"] = learning_rate
        states = tuple((name, self._start(name, node)) for name, node in self.optimizer.state)
        bound: dict[str, Value] = {
            "t": scalar(Entry("t")),
            **{name: scalar(value) for name, value in self.hyper.items()},
        }
        if scheduled:
            bound["learning_rate"] = scalar(Entry("learning_rate"))
        for name in ("theta", "g", *(n for n, _ in states)):
            bound[name] = Value((LENGTH,), (POSITION,), Entry(name, (POSITION,)))
        updates = tuple((name, self._vector(node, bound)) for name, node in self.optimizer.update)
        return Update(states, updates, learning_rate, scheduled, self.model.spec.train.clip_norm)

    def _number(self, node: Node) -> sp.Expr:
        return self.evaluator.evaluate(node, "hyper").body

    def _start(self, name: str, node: Node) -> float:
        if name == "step":
            raise SpecError("a state cannot be called 'step'", at=node.at, remedy="choose another name")
        value = self._number(node)
        if not value.is_number:
            raise SpecError(f"the state '{name}' must start from a number", at=node.at)
        return float(value)

    def _schedule(self) -> tuple[sp.Expr, bool]:
        base = self.hyper.get("learning_rate", sp.Integer(0))
        bound = {
            "learning_rate": scalar(base),
            "epoch": scalar(Entry("epoch")),
            "step": scalar(Entry("step")),
        }
        rate = self.evaluator.evaluate(self.model.schedule, "schedule", bound).body
        return fold(rate), bool(entries(rate))

    def _vector(self, node: Node, bound: dict[str, Value]) -> sp.Expr:
        value = self.evaluator.evaluate(node, "update", bound)
        return fold(value.at((POSITION,)) if value.axes else value.body)


def update_tensors(update: Update) -> tuple[Tensor, ...]:
    """The vectors of the update, for those who write its equations down."""
    names = ("theta", "g", *(n for n, _ in update.states))
    numbers = ("t", "learning_rate", "epoch", "step")
    vectors = tuple(Tensor(n, (LENGTH,), "state") for n in names)
    return (*vectors, *(Tensor(n, (), "state") for n in numbers))


def update_lines(update: Update) -> tuple[str, ...]:
    """The body of the compiled update. Numbers of the step are computed in double precision."""
    lines = ["real = theta.dtype.type", "step[0] += 1", "t = float(step[0])"]
    scalars = Printer(_scalar_entry, {}, cast=False)
    if update.scheduled:
        lines.append(f"learning_rate = {scalars(update.learning_rate)}")
    gradient = "grad[i]"
    if update.clip_norm is not None:
        lines += [
            "norm = 0.0",
            "for i in range(grad.shape[0]):",
            "    norm += np.square(float(grad[i]))",
            f"norm = np.sqrt(norm) / {update.clip_norm!r}",
            "scale = real(1.0 / norm) if norm > 1.0 else real(1)",
        ]
        gradient = "scale * grad[i]"
    symbols: dict[sp.Basic, str] = {}
    for _, body in update.updates:
        for fixed in _fixed(body):
            if fixed not in symbols:
                symbols[fixed] = f"factor_{len(symbols) + 1}"
                lines.append(f"{symbols[fixed]} = real({scalars(fixed)})")
    lines += ["for i in range(theta.shape[0]):", f"    g = {gradient}"]
    names = {**state_names(update), "theta": "theta"}
    spelled = {name: f"{identifier}[i]" for name, identifier in names.items()} | {"g": "g"}
    if update.updates[-1][0] != "theta":
        lines.append("    before = theta[i]")
        spelled["theta"] = "before"
    vectors = Printer(lambda e: spelled[e.tensor], symbols)
    lines += [f"    {names[name]}[i] = {vectors(body)}" for name, body in update.updates]
    return tuple(lines)


def state_names(update: Update) -> dict[str, str]:
    """The Python name of every state."""
    return identifiers(name for name, _ in update.states)


def _scalar_entry(entry: Entry) -> str:
    return {"step": "(t - 1.0)", "epoch": "float(epoch)"}.get(entry.tensor, entry.tensor)


def _fixed(expr: sp.Expr) -> list[sp.Expr]:
    """The largest sub-expressions that depend on the step but not on the entry of the vector."""
    found = [e for e in entries(expr) if e.indices]
    if not found:
        return [expr] if entries(expr) else []
    if expr.is_Mul or expr.is_Add:
        fixed = [a for a in expr.args if not any(e.indices for e in entries(a))]
        changing = [a for a in expr.args if a not in fixed]
        return [f for a in (*fixed, *changing) for f in _fixed(a)]
    return [f for a in expr.args if isinstance(a, sp.Expr) for f in _fixed(a)]
