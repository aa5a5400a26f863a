"""The optimiser as a program: one step over the entries of all parameters, gradient and states, and time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import sympy as sp

from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Program, Tensor, check
from symgrad.calculus.rules import fold
from symgrad.calculus.terms import Entry, entries
from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.operands import EquationBuilder, Value, scalar
from symgrad.spec.expansion.parameter_groups import of_group
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.model import AFTER_STEP
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import HyperParameter, Model, ParameterGroup

ENTRIES = (Axis("size", None),)
"""The axis of all entries of all parameters."""

AHEAD = "theta ahead"
"""The point where the gradient is taken; no name of a user holds a space."""
CLIPPED = "g clipped"
NORM = "norm of g"
SCALE = "scale of g"
SCALE_OF_NORM = "limit / max(limit, norm)"
CLIP_VALUE = "max(-limit, min(limit, g))"
TIME = ("epoch", "epochs", "step")


class _Undifferentiated(Evaluator):
    """Nothing takes the slope of an update, so max, min and 0**t may stay what they are."""

    extrema: ClassVar[Mapping[str, Callable[..., sp.Expr]]] = {"max": sp.Max, "min": sp.Min}

    def check_zero_base(self, base: Value, exponent: Value, at: Position) -> None:
        """0 to any power is a number."""


def elaborate_optimizer(model: Model, *, named: bool = False, group: ParameterGroup | None = None) -> Program:
    """One step of the optimiser of a model, for one `group` of parameters or those that are in none: what
    theta and every state become.

    Its hyper-parameters are the numbers of the spec, or where they are `named`, tensors without axes.

    What a step gives to X is a tensor of its own, `of` X; it is an output where X is theta or a state, and so
    is AHEAD, where the gradient is taken elsewhere than at theta. Numbers of the step have no axes, the
    learning rate of a schedule among them; t counts the steps from 1, and `step` from 0.

    Raises:
        SpecError: a formula that the language does not have, or that gives no real number.
    """
    return _Elaborator(model, named, group).run()


def hyper_parameters(model: Model) -> Mapping[str, Value]:
    """The numbers of the optimiser by name; each may be a formula over those before it."""
    evaluator, found = _Undifferentiated(EquationBuilder(), {}, {}), dict[str, Value]()
    for name, node in model.optimizer.hyper:
        found[name] = scalar(evaluator.evaluate(node, "hyper", found).body)
    return found


def after_gradient(update: Program) -> Program:
    """What a step does once it has its gradient."""
    return update.giving(name for name in update.outputs if name != AHEAD)


def never_zero(update: Program) -> tuple[str, ...]:
    """The hyper-parameters whose 0 makes another step: they divide something, alone or in a sum."""
    quotients = (p for e in update.equations for p in e.body.atoms(sp.Pow) if p.exp.is_negative)
    read = {
        e.tensor for quotient in quotients for part in _kept_above_0(quotient.base) for e in entries(part)
    }
    return tuple(t.name for t in update.of_kind("hyper") if t.name in read)


def _kept_above_0(base: sp.Expr) -> Iterator[sp.Expr]:
    """What is the same for every entry of what is divided by, as a factor, or added to what differs."""
    parts = base.args if base.is_Add else sp.Mul.make_args(base)
    same = [part for part in parts if not any(e.indices for e in entries(part))]
    if len(same) < len(parts) or not base.is_Add:
        yield from same


def counts_epochs(update: Program) -> bool:
    """Whether a step looks at how many epochs there will be."""
    return any(update.tensor[name].of == "epochs" for equation in update.equations for name in equation.reads)


class _Elaborator:
    def __init__(self, model: Model, named: bool, group: ParameterGroup | None) -> None:
        self.changed = {} if group is None else {h.of: h for h in group.hyper}
        self.model = model if group is None else of_group(model, group)
        self.optimizer = self.model.optimizer
        self.kept = ("theta", *(name for name, _ in self.optimizer.state))
        self.hyper = model.hyper if named else ()
        names = (*self.optimizer.state, *self.optimizer.update)
        called = {h.key: self._called(h) for h in self.hyper}
        self.own = {"theta", "g", "t", *(name for name, _ in names), *called.values()}
        self.builder = EquationBuilder(reserved=self.own)
        self.evaluator = _Undifferentiated(self.builder, {}, {})
        times = (Tensor(unused(name, self.own), (), "input", of=name) for name in TIME)
        self.time = {tensor.of: self._given(tensor) for tensor in times}
        self.given = {key: self._given(Tensor(name, (), "hyper")) for key, name in called.items()}
        self.bound = {**hyper_parameters(self.model), **self._named("optimizer")}
        self.bound["t"] = self._given(Tensor("t", (), "input"))
        self.outputs: list[str] = []

    def run(self) -> Program:
        if "learning_rate" in self.bound:
            self._schedule()
        self.bound["theta"] = self._given(Tensor("theta", ENTRIES, "parameter"))
        self.bound["g"] = self._given(Tensor("g", ENTRIES, "input"))
        for name in self.kept[1:]:
            self.bound[name] = self._given(Tensor(name, ENTRIES, "state"))
        if self.optimizer.look_ahead is not None:
            self._vector(Tensor(AHEAD, ENTRIES, "value"), self._evaluated(self.optimizer.look_ahead))
            self.outputs.append(AHEAD)
        self._clip()
        for name, node in self.optimizer.update:
            self._set(name, node)
        return check(
            Program(
                tensors=tuple(self.builder.tensors.values()),
                equations=tuple(replace(e, body=fold(e.body)) for e in self.builder.equations),
                outputs=tuple(self.outputs),
                loss=None,
            )
        )

    def _given(self, tensor: Tensor) -> Value:
        self.builder.tensors[tensor.name] = tensor
        return self.builder.tensor_value(tensor)

    def _called(self, hyper: HyperParameter) -> str:
        """What a hyper-parameter is called in these equations: that of the group as the one it replaces."""
        if hyper in self.changed.values():
            return hyper.of
        is_replaced = hyper.key.startswith("optimizer.") and hyper.of in self.changed
        return f"{hyper.name} of others" if is_replaced else hyper.name

    def _named(self, part: str) -> dict[str, Value]:
        """The hyper-parameters of optimiser or schedule that have names."""
        own = [h for h in self.hyper if h.key.startswith(f"{part}.")]
        if part == "optimizer":
            own = [h for h in own if h.of not in self.changed]
            own += [h for h in self.hyper if h in self.changed.values()]
        return {h.of: self.given[h.key] for h in own}

    def _schedule(self) -> None:
        """The learning rate as a number of the step: none where the rate is always the same."""
        known = {"learning_rate": self.bound["learning_rate"], **self.time, **self._named("schedule")}
        formula = self.model.named_schedule if self.hyper else self.model.schedule
        rate = self._evaluated(formula, "schedule", known)
        if rate.body != self.bound["learning_rate"].body:
            name = unused("rate", self.own) if "learning_rate" in self.builder.tensors else "learning_rate"
            self.bound["learning_rate"] = self._number(name, rate.body)

    def _clip(self) -> None:
        """The gradient with its norm bounded, then each of its entries."""
        train, gradient = self.model.spec.train, self.bound["g"]
        clipped = gradient
        if train.clip_norm is not None:
            self.builder.define(Tensor(NORM, (), "temporary"), (), gradient.body, "norm", gradient.indices)
            scale = self._limited(SCALE_OF_NORM, clipped, "clip_norm", train.clip_norm)
            self.builder.define(Tensor(SCALE, (), "temporary"), (), scale.body)
            clipped = replace(gradient, body=gradient.body * Entry(SCALE))
        if train.clip_value is not None:
            clipped = self._limited(CLIP_VALUE, clipped, "clip_value", train.clip_value)
        if clipped is not gradient:
            self.bound["g"] = self._vector(Tensor(CLIPPED, ENTRIES, "value", of="g"), clipped)

    def _limited(self, formula: str, gradient: Value, key: str, number: float) -> Value:
        limit = self.given.get(key, scalar(sp.Rational(repr(number))))
        bound = {"g": gradient, "limit": limit, "norm": scalar(Entry(NORM))}
        return self._evaluated(parse_formula(formula, self.optimizer.at), "update", bound)

    def _set(self, name: str, node: Node) -> None:
        """An equation of the optimiser: of theta or a state, of the gradient anew, or of a quantity."""
        value = self._evaluated(node)
        if name not in (*self.kept, "g") and not any(e.indices for e in entries(value.body)):
            self.bound[name] = self._number(name, value.body)
            return
        before = self.bound.get(name)
        if name == "g" and before is not None and value.at(before.indices) == before.body:
            return
        tensor = Tensor(
            name if before is None else f"{name}'", ENTRIES, "value", of="" if before is None else name
        )
        now = self._vector(tensor, value)
        if name in self.kept:
            self.outputs.append(tensor.name)
        # On the right, theta is the parameter before the step.
        self.bound[AFTER_STEP if name == "theta" else name] = now

    def _number(self, name: str, body: sp.Expr) -> Value:
        """A quantity that is the same for every entry; one that never changes is written out."""
        if entries(body):
            self.builder.define(Tensor(name, (), "value"), (), body)
            body = Entry(name)
        return scalar(body)

    def _vector(self, tensor: Tensor, value: Value) -> Value:
        indices = value.indices or (self.builder.index(*ENTRIES),)
        self.builder.define(tensor, indices, value.body)
        return self.builder.tensor_value(tensor)

    def _evaluated(
        self, node: Node, owner: str = "update", bound: Mapping[str, Value] | None = None
    ) -> Value:
        value = self.evaluator.evaluate(node, owner, self.bound if bound is None else bound)
        return replace(value, body=fold(value.body))
