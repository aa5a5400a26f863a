"""Specs made of others: with other numbers of the optimiser, with weights of rows, with one half alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symgrad.arguments import finite
from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.expansion.loss_formulas import KEYWORDS
from symgrad.spec.language.syntax import Call, Name, Number
from symgrad.spec.language.trees import names_in, transform, values_in
from symgrad.spec.model import OptimizerSpec, Spec, TensorSpec
from symgrad.spec.numbers import number as value_in_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.language.syntax import Node

WEIGHTS = "sample_weight"
"""The target that holds a weight for every row."""

SOME_DECAY = 0.01
"""Stands in a spec for any number that is not 0 where the spec had 0."""


def with_hyper_parameters(spec: Spec, numbers: Mapping[str, float]) -> tuple[Spec, dict[str, float]]:
    """The spec of a module that can be told these hyper-parameters of its optimiser, and what to tell it.

    What stands in the spec is kept unless one of both is 0, which makes other steps: one module serves all.

    Raises:
        SpecError: the optimiser has no hyper-parameter of a name.
        SymgradError: one is no finite number.
    """
    known = dict(expand(spec).optimizer.hyper)
    stands: dict[str, float] = {}
    for name, number in numbers.items():
        finite(name, number)
        if name not in known:
            remedy = f"it has {', '.join(known) or 'none'}"
            problem = f"the optimiser has no hyper-parameter {name}"
            raise SpecError(problem, at=spec.train.optimizer.at, remedy=remedy)
        if not number or not value_in_spec(known[name], {}):
            stands[name] = SOME_DECAY if number else 0
    told = {name: float(number) for name, number in numbers.items() if stands.get(name) != 0}
    return (_with_numbers(spec, stands) if stands else spec), told


def _with_numbers(spec: Spec, numbers: Mapping[str, float]) -> Spec:
    optimizer = spec.train.optimizer
    given: dict[str, Node] = {n: Number(Fraction(repr(v)), optimizer.at) for n, v in numbers.items()}
    if isinstance(optimizer, OptimizerSpec):
        hyper = tuple({**dict(optimizer.hyper), **given}.items())
        return changed(spec, train=replace(spec.train, optimizer=replace(optimizer, hyper=hyper)))
    keywords = tuple({**dict(optimizer.keywords), **given}.items())
    return changed(spec, train=replace(spec.train, optimizer=replace(optimizer, keywords=keywords)))


def weighted(spec: Spec) -> Spec:
    """The spec with one more target, `sample_weight`, by which its loss is averaged: whole numbers count rows
    as if they stood there so often.

    A spec that declares such a target itself stays as it is.

    Raises:
        SpecError: what is averaged in the loss is no loss of the library: nobody knows how to weigh it.
    """
    if any(tensor.name == WEIGHTS for tensor in spec.targets) or spec.loss is None:
        return spec
    weights = TensorSpec(WEIGHTS, (expand(spec).batch_axis,), None, spec.at)
    return changed(spec, targets=(*spec.targets, weights), loss=_weighted_loss(spec, spec.loss))


def _weighted_loss(spec: Spec, loss: Node) -> Node:
    """Every call of a loss of the library with weights; beside those, a loss may look at parameters alone."""
    none = Number(Fraction(0), loss.at)
    model = expand(spec)
    tensors = {t.name for t in (*spec.inputs, *spec.targets)} | {e.name for e in model.equations}
    named = loss.id in library.losses and loss.id not in tensors if isinstance(loss, Name) else False
    call = Call(loss.id, (), (), loss.at) if isinstance(loss, Name) and named else loss

    def is_loss(node: Node) -> bool:
        return isinstance(node, Call) and node.function in library.losses

    rest = transform(call, lambda node: none if is_loss(node) else node)
    if rest == call or names_in(rest) & tensors:
        remedy = f"use a loss of the library, or declare a target {WEIGHTS}: [{model.batch_axis}] and use it"
        raise SpecError("this loss takes no weights of samples", at=loss.at, remedy=remedy)

    def change(node: Node) -> Node:
        return _with_weights(node) if isinstance(node, Call) and is_loss(node) else node

    return transform(call, change)


def _with_weights(call: Call) -> Call:
    given = dict(call.keywords)
    if given.keys() & {*KEYWORDS} - {"reduction"} or given.get("reduction") == Name("none", call.at):
        remedy = f"declare a target {WEIGHTS} and use it there"
        raise SpecError(f"the values of {call.function} are weighted already", at=call.at, remedy=remedy)
    return replace(call, keywords=(*call.keywords, ("weights", Name(WEIGHTS, call.at))))


def giving(spec: Spec, tensor: str) -> Spec:
    """The spec whose output is one of its tensors.

    Raises:
        SpecError: it has no such tensor.
    """
    known = [equation.name for equation in expand(spec).equations]
    if tensor not in known:
        remedy = f"expected one of {', '.join(known)}"
        raise SpecError(f"there is no tensor '{tensor}'", at=spec.at, remedy=remedy)
    return spec if spec.outputs == (tensor,) else changed(spec, outputs=(tensor,))


def after(spec: Spec, tensor: str, width: tuple[int, ...], outputs: tuple[str, ...]) -> Spec:
    """What a spec's equations make of one of its tensors, as a spec whose input that tensor is.

    Raises:
        SpecError: they need something that stands before the tensor.
    """
    model = expand(spec)
    later: list[Any] = []
    known = {tensor}
    for equation in spec.equations:
        if values_in(equation.formula) & known and equation.name not in known:
            known.add(equation.name)
            later.append(equation)
    missing = {t.name for t in (*spec.inputs, *spec.targets)} | {e.name for e in model.equations}
    starts = tuple(start for start in spec.starts if start.name in known)
    used = set[str]().union(*(values_in(part.formula) for part in (*later, *starts)))
    needed = used & missing - known
    if needed or not {*outputs} <= known:
        remedy = "write it as equations in which all that follows depends on this tensor alone"
        raise SpecError(f"nothing can be computed from '{tensor}' alone", at=spec.at, remedy=remedy)
    return changed(
        spec,
        inputs=(TensorSpec(tensor, (model.batch_axis, *width), None, spec.at),),
        targets=(),
        parameters=tuple(p for p in spec.parameters if p.name in used),
        equations=tuple(later),
        starts=starts,
        solved=tuple(found for found in spec.solved if found.name in known),
        outputs=outputs,
        loss=None,
        gradients=(),
        manual=(),
        train=replace(spec.train, data=None, validation=None, freeze=(), per_parameter=()),
    )


def changed(spec: Spec, **fields: Any) -> Spec:
    """Another spec, and so of another hash."""
    content = f"{spec.sha256} {sorted(fields.items())!r}"
    return replace(spec, **fields, sha256=hashlib.sha256(content.encode()).hexdigest())
