"""The optimiser's equations and the learning-rate schedule as one loop over the parameter vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    from collections.abc import Callable, Mapping

    from symgrad.calculus.program import Axes
    from symgrad.spec.model import Model, OptimizerSpec
    from symgrad.spec.syntax import Node

LENGTH = Axis("size", None)
POSITION = index_symbol("i")


@dataclass(frozen=True)
class Update:
    """One step of the optimiser: `updates` in order, over theta, g, the states and numbers of the step.

    `numbers` are computed once a step, in order, the `learning_rate` of a schedule among them.
    `temporaries` are the names, in both, of what a formula is too long to hold in one line.
    """

    states: tuple[tuple[str, float], ...]
    numbers: tuple[tuple[str, sp.Expr], ...]
    updates: tuple[tuple[str, sp.Expr], ...]
    clip_norm: float | None
    temporaries: frozenset[str] = frozenset()

    @property
    def counts_epochs(self) -> bool:
        """Whether the schedule looks at how many epochs there will be."""
        return any(entry.tensor == "epochs" for _, body in self.numbers for entry in entries(body))


class _Undifferentiated(Evaluator):
    """Nothing takes the slope of an update, so max and min may stay what they are."""

    extrema: ClassVar[Mapping[str, Callable[..., sp.Expr]]] = {"max": sp.Max, "min": sp.Min}


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
        own = (*self.optimizer.hyper, *self.optimizer.state)
        self.builder = Builder(reserved=[name for name, _ in own])
        self.evaluator = _Undifferentiated(self.builder, {}, {})
        self.hyper = {name: self._number(node) for name, node in self.optimizer.hyper}
        self.temporaries: set[str] = set()

    def run(self) -> Update:
        numbers = self._schedule() if "learning_rate" in self.hyper else []
        states = tuple((name, self._start(name, node)) for name, node in self.optimizer.state)
        bound: dict[str, Value] = {
            "t": scalar(Entry("t")),
            **{name: scalar(value) for name, value in self.hyper.items()},
        }
        for name in ("theta", "g", *(n for n, _ in states)):
            bound[name] = Value((LENGTH,), (POSITION,), Entry(name, (POSITION,)))
        updates: list[tuple[str, sp.Expr]] = []
        for name, node in self.optimizer.update:
            value, temporaries = self._evaluated(node, "update", bound)
            numbers += [(n, body) for n, axes, body in temporaries if not axes]
            updates += [(n, body) for n, axes, body in temporaries if axes]
            updates.append((name, value))
        clip_norm = self.model.spec.train.clip_norm
        return Update(states, tuple(numbers), tuple(updates), clip_norm, frozenset(self.temporaries))

    def _number(self, node: Node) -> sp.Expr:
        return self.evaluator.evaluate(node, "hyper").body

    def _start(self, name: str, node: Node) -> float:
        if name == "step":
            raise SpecError("a state cannot be called 'step'", at=node.at, remedy="choose another name")
        value = self._number(node)
        if not value.is_number:
            raise SpecError(f"the state '{name}' must start from a number", at=node.at)
        return float(value)

    def _schedule(self) -> list[tuple[str, sp.Expr]]:
        """The numbers a step computes for its learning rate; none where the rate is always the same."""
        bound = {name: scalar(Entry(name)) for name in ("epoch", "epochs", "step")}
        bound["learning_rate"] = scalar(self.hyper["learning_rate"])
        rate, temporaries = self._evaluated(self.model.schedule, "schedule", bound)
        if not entries(rate):
            self.hyper["learning_rate"] = rate
            return []
        self.hyper["learning_rate"] = Entry("learning_rate")
        return [*((name, body) for name, _, body in temporaries), ("learning_rate", rate)]

    def _evaluated(
        self, node: Node, owner: str, bound: Mapping[str, Value]
    ) -> tuple[sp.Expr, list[tuple[str, Axes, sp.Expr]]]:
        """The value of a formula at POSITION, and the temporaries it needs: name, axes, value."""
        start = len(self.builder.equations)
        value = self.evaluator.evaluate(node, owner, bound)
        found = [
            (e.target, self.builder.tensors[e.target].axes, fold(e.at((POSITION,)[: len(e.place)])))
            for e in self.builder.equations[start:]
        ]
        self.temporaries |= {name for name, _, _ in found}
        return fold(value.at((POSITION,)[: len(value.axes)])), found


def update_tensors(update: Update) -> tuple[Tensor, ...]:
    """The vectors and numbers of the update, for those who write its equations down."""
    names = dict.fromkeys(("theta", "g", *(n for n, _ in (*update.states, *update.updates))))
    numbers = dict.fromkeys(("t", "epoch", "epochs", "step", *(n for n, _ in update.numbers)))
    vectors = tuple(Tensor(n, (LENGTH,), "state") for n in names)
    return (*vectors, *(Tensor(n, (), "state") for n in numbers))


def update_lines(update: Update) -> tuple[str, ...]:
    """The body of the compiled update. Numbers of the step are computed in double precision."""
    lines = ["real = theta.dtype.type", "step[0] += 1", "t = float(step[0])"]
    scalars = Printer(_scalar_entry, {}, cast=False)
    lines += [f"{name} = {scalars(body)}" for name, body in update.numbers]
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
    names = {name: name for name, _ in update.updates} | {
        name: f"{identifier}[i]" for name, identifier in (*state_names(update).items(), ("theta", "theta"))
    }
    spelled = {**names, "g": "g"}
    if update.updates[-1][0] != "theta":
        lines.append("    before = theta[i]")
        spelled["theta"] = "before"
    vectors = Printer(lambda e: spelled[e.tensor], symbols)
    lines += [f"    {names[name]} = {vectors(body)}" for name, body in update.updates]
    return tuple(lines)


def state_names(update: Update) -> dict[str, str]:
    """The Python name of every state."""
    return identifiers(name for name, _ in update.states)


def _scalar_entry(entry: Entry) -> str:
    spelled = {"step": "(t - 1.0)", "epoch": "float(epoch)", "epochs": "float(epochs)"}
    return spelled.get(entry.tensor, entry.tensor)


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
