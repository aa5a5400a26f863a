"""The optimiser's equations and the learning-rate schedule as one loop over the parameter vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import sympy as sp

from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Tensor
from symgrad.calculus.rules import fold
from symgrad.calculus.terms import Entry, entries, index_symbol
from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.operands import EquationBuilder, Value, scalar
from symgrad.errors import SpecError
from symgrad.spec.language.number_types import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Model, OptimizerSpec

Equations: TypeAlias = "tuple[tuple[str, sp.Expr], ...]"
LENGTH = Axis("size", None)
AHEAD = "_ahead"
"""The point where the gradient is taken; no name of a user starts with an underscore."""
POSITION = index_symbol("i")
TIME = ("epoch", "epochs", "step")


@dataclass(frozen=True)
class Update:
    """One step of the optimiser, over theta, g, the states and numbers of the step.

    `numbers` are computed once a step, in order, the `learning_rate` of a schedule among them. `updates`
    are computed for every entry, in order: theta, the states, and quantities of the step, such as g anew.
    `look_ahead` ends with the point where the gradient is taken; it is empty where that is theta.
    `in_pieces` says that a step sums the gradients of several pieces of its batch.
    `temporaries` are the names, in all of them, of what a formula is too long to hold in one line.
    """

    states: tuple[tuple[str, float], ...]
    numbers: Equations
    updates: Equations
    look_ahead: Equations = ()
    clip_norm: float | None = None
    clip_value: float | None = None
    full_batch: str = ""
    in_pieces: bool = False
    temporaries: frozenset[str] = frozenset()

    @property
    def counts_epochs(self) -> bool:
        """Whether the schedule looks at how many epochs there will be."""
        return any(entry.tensor == "epochs" for _, body in self.numbers for entry in entries(body))

    @property
    def keeps_theta(self) -> bool:
        """Whether an equation below theta's reads theta, which is the parameter before the step."""
        place = [name for name, _ in self.updates].index("theta")
        return any(e.tensor == "theta" for _, body in self.updates[place + 1 :] for e in entries(body))

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is set for every entry of the parameters and forgotten after the step."""
        kept = ("theta", "g", AHEAD, *(name for name, _ in self.states))
        return tuple(name for name, _ in (*self.look_ahead, *self.updates) if name not in kept)


class _Undifferentiated(Evaluator):
    """Nothing takes the slope of an update, so max and min may stay what they are."""

    extrema: ClassVar[Mapping[str, Callable[..., sp.Expr]]] = {"max": sp.Max, "min": sp.Min}


def update_of(model: Model) -> Update:
    """The update rule of a model, entry by entry.

    Raises:
        SpecError: a state does not start from a number, or something bears a name the module needs.
    """
    return _Update(model).run()


class _Update:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.optimizer: OptimizerSpec = model.optimizer
        own = (*self.optimizer.hyper, *self.optimizer.state, *self.optimizer.update)
        self.builder = EquationBuilder(reserved=[AHEAD, *(name for name, _ in own)])
        self.evaluator = _Undifferentiated(self.builder, {}, {})
        self.hyper: dict[str, sp.Expr] = {}
        self.hyper |= {name: self._number(node) for name, node in self.optimizer.hyper}
        self.numbers: list[tuple[str, sp.Expr]] = []
        self.temporaries: set[str] = set()

    def run(self) -> Update:
        states = tuple((name, self._start(name, node)) for name, node in self.optimizer.state)
        if "learning_rate" in self.hyper:
            self._schedule()
        bound = {"t": scalar(Entry("t")), **{name: scalar(value) for name, value in self.hyper.items()}}
        bound |= {name: _vector(name) for name in ("theta", "g", *(name for name, _ in states))}
        point = self.optimizer.look_ahead
        look_ahead = self._for_every_entry(((AHEAD, point),) if point is not None else (), bound)
        updates = self._for_every_entry(self.optimizer.update, bound)
        train = self.model.spec.train
        return Update(
            states=states,
            numbers=tuple(self.numbers),
            updates=updates,
            look_ahead=look_ahead,
            clip_norm=train.clip_norm,
            clip_value=train.clip_value,
            full_batch=self.optimizer.full_batch,
            in_pieces=train.micro_batches is not None,
            temporaries=frozenset(self.temporaries),
        )

    def _for_every_entry(self, formulas: tuple[tuple[str, Node], ...], bound: dict[str, Value]) -> Equations:
        """The equations of some formulas; `bound` gains the quantities of the step that they set."""
        found: list[tuple[str, sp.Expr]] = []
        for name, node in formulas:
            body, temporaries = self._evaluated(node, "update", bound)
            self.numbers += [(n, b) for n, axes, b in temporaries if not axes]
            found += [(n, b) for n, axes, b in temporaries if axes]
            varies = any(e.indices for e in entries(body))
            if name not in (*bound, AHEAD) and not varies:
                bound[name] = self._number_of_step(name, body, node)
            elif (name, body) != ("g", _vector("g").body):
                found.append((name, body))
                bound[name] = _vector(name)
        return tuple(found)

    def _number_of_step(self, name: str, body: sp.Expr, node: Node) -> Value:
        """A quantity that is the same for every entry; one that never changes is written out."""
        if not entries(body):
            return scalar(body)
        if name in TIME:
            raise SpecError(f"a number cannot be called '{name}'", at=node.at, remedy="choose another name")
        self.numbers.append((name, body))
        return scalar(Entry(name))

    def _number(self, node: Node) -> sp.Expr:
        bound = {name: scalar(value) for name, value in self.hyper.items()}
        return self.evaluator.evaluate(node, "hyper", bound).body

    def _start(self, name: str, node: Node) -> float:
        if name == "step":
            raise SpecError("a state cannot be called 'step'", at=node.at, remedy="choose another name")
        value = self._number(node)
        if not value.is_number:
            raise SpecError(f"the state '{name}' must start from a number", at=node.at)
        if not abs(value) <= LARGEST["float32"]:
            problem = f"the state '{name}' starts from {float(value):g}"
            raise SpecError(problem, at=node.at, remedy=f"expected at most {LARGEST['float32']:.2g}")
        return float(value)

    def _schedule(self) -> None:
        """Note what a step computes for its learning rate: nothing where the rate is always the same."""
        bound = {name: scalar(Entry(name)) for name in TIME}
        bound["learning_rate"] = scalar(self.hyper["learning_rate"])
        rate, temporaries = self._evaluated(self.model.schedule, "schedule", bound)
        if entries(rate):
            self.numbers += [*((name, body) for name, _, body in temporaries), ("learning_rate", rate)]
            rate = Entry("learning_rate")
        self.hyper["learning_rate"] = rate

    def _evaluated(
        self, node: Node, owner: str, bound: Mapping[str, Value]
    ) -> tuple[sp.Expr, list[tuple[str, Axes, sp.Expr]]]:
        """The value of a formula at POSITION, and the temporaries it needs: name, axes, value."""
        start = len(self.builder.equations)
        value = self.evaluator.evaluate(node, owner, bound)
        found = [
            (e.target, self.builder.tensors[e.target].axes, fold(e.at((POSITION,)[: len(e.indices)])))
            for e in self.builder.equations[start:]
        ]
        self.temporaries |= {name for name, _, _ in found}
        return fold(value.at((POSITION,)[: len(value.axes)])), found


def _vector(name: str) -> Value:
    return Value((LENGTH,), (POSITION,), Entry(name, (POSITION,)))


def update_tensors(update: Update) -> tuple[Tensor, ...]:
    """The vectors and numbers of the update, for those who write its equations down."""
    vectors = dict.fromkeys(("theta", "g", *(name for name, _ in update.states), *update.quantities))
    numbers = dict.fromkeys(("t", *TIME, *(name for name, _ in update.numbers)))
    return (
        *(Tensor(name, (LENGTH,), "state") for name in vectors),
        *(Tensor(name, (), "state") for name in numbers if name not in vectors),
    )
