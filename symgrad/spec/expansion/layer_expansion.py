"""Layer calls become equations and parameters of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.chain import chain_equations
from symgrad.spec.expansion.layer_calls import (
    applied,
    is_activation,
    known_layers,
    replaced_inside,
    takes_activation,
    without_activation,
)
from symgrad.spec.expansion.resolve import ZERO, resolve_init
from symgrad.spec.language.syntax import Boolean, Call, Name, Node, Number
from symgrad.spec.language.trees import calls, substitute, transform
from symgrad.spec.language.whole_numbers import size_of
from symgrad.spec.model import EquationSpec, ParameterAxis, ParameterDecl, ShapeDemand, Spec
from symgrad.spec.taken_names import names_taken, unused

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_UNITS = 10**9


class LayerExpander:
    """Replaces layer calls by equations, collecting the parameters they bring along."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.known = known_layers(spec)
        self.chain = bool(spec.layers)
        self.declared = chain_equations(spec) if self.chain else spec.equations
        self.parameters = [ParameterDecl(p.name, p.axes, resolve_init(p.init), p.at) for p in spec.parameters]
        self.equations: list[EquationSpec] = []
        self.demands: list[ShapeDemand] = []
        self.taken = names_taken(spec) | {e.name for e in self.declared}

    def run(self) -> None:
        """Fill `equations` and `parameters`."""
        for equation in self.declared:
            self._expand(equation)

    def _expand(self, equation: EquationSpec) -> None:
        for call in calls(equation.formula):
            self._activated(call)  # from the outside in: what is wrong with a call is said of the whole of it
        equation = replace(equation, formula=transform(equation.formula, self._activated))
        found = [c for c in calls(equation.formula) if c.function in self.known]
        if found and equation.indices is not None:
            raise SpecError(
                f"{found[0].function} cannot stand in index notation",
                at=found[0].at,
                remedy="give the layer an equation of its own",
            )
        total = Counter(is_activation(c.function) for c in found)
        seen: Counter[bool] = Counter()

        def change(node: Node) -> Node:
            if not (isinstance(node, Call) and node.function in self.known):
                return node
            kind = is_activation(node.function)
            seen[kind] += 1
            return self._layer(node, equation, str(seen[kind]) if total[kind] > 1 else "")

        formula = transform(equation.formula, change)
        self.equations.append(replace(equation, formula=formula))

    def _activated(self, node: Node) -> Node:
        """`tanh(dense(x, 4))` for `dense(x, 4, activation=tanh)`."""
        if not isinstance(node, Call) or node.function not in self.known or is_activation(node.function):
            return node
        bare, activation = without_activation(node, self.known[node.function])
        return bare if activation is None else applied(self.spec, activation, bare)

    def _layer(self, call: Call, equation: EquationSpec, suffix: str) -> Node:
        entry, owner = self.known[call.function], equation.label or equation.name
        self._check_built_on(entry)
        values = bind(call, entry.signature)
        operand = self._named(values["x"], owner, f"X{suffix}")
        known = {"x": operand, **self._create_parameters(entry, values, operand, owner, suffix)}
        for name, part in entry.part_bodies:
            known[name] = self._define(self._claim(name, owner, suffix), _written(part, known, call))
        formula = _written(entry.body, known, call)
        whole = equation.formula
        if is_activation(call.function) or (isinstance(whole, Call) and whole.at == call.at):
            return formula
        return self._named(formula, owner, f"{'Z' if takes_activation(entry) else 'A'}{suffix}", always=True)

    def _check_built_on(self, entry: library.Layer) -> None:
        bodies = (entry.body, *(body for _, body in entry.part_bodies))
        inside = {call.function for body in bodies for call in calls(body)}
        for function in self.spec.functions:
            if function.name in inside:
                raise replaced_inside(function, entry.name)

    def _named(self, node: Node, owner: str, suffix: str, always: bool = False) -> Name:
        if isinstance(node, Name) and not always:
            return node
        name = unused(f"{owner}_{suffix}", self.taken)
        self.taken.add(name)
        return self._define(name, node)

    def _define(self, name: str, node: Node) -> Name:
        self.equations.append(EquationSpec(name, None, node, node.at))
        return Name(name, node.at)

    def _claim(self, name: str, owner: str, suffix: str) -> str:
        """A name for what a layer brings along: W2 in a chain, h_W in equations."""
        claimed = unused(name + owner[1:] if self.chain else f"{owner}_{name}{suffix}", self.taken)
        self.taken.add(claimed)
        return claimed

    def _create_parameters(
        self, entry: library.Layer, values: dict[str, Node], operand: Name, owner: str, suffix: str
    ) -> dict[str, Node]:
        names: dict[str, Node] = {}
        for parameter in entry.parameters:
            if parameter.unless_false and not _flag(parameter.unless_false, values):
                names[parameter.name] = Number(ZERO, operand.at)
                continue
            name = self._claim(parameter.name, owner, suffix)
            single = parameter.single_unless and not _flag(parameter.single_unless, values)
            axes = () if single else tuple(_axis(axis, values, operand) for axis in parameter.axes)
            init = resolve_init(values[parameter.init])
            self.parameters.append(ParameterDecl(name, axes, init, operand.at))
            if self.parameters[-1].measured:
                self.demands.append(ShapeDemand(entry.name, operand.id, ("...", "in"), operand.at))
            names[parameter.name] = Name(name, operand.at)
        return names


def _written(body: Node, known: Mapping[str, Node], call: Call) -> Node:
    """A formula of the library over what its names stand for, at the place of the call."""
    return transform(substitute(body, known), lambda n: replace(n, at=call.at))


def _axis(axis: str, values: dict[str, Node], operand: Name) -> ParameterAxis:
    if axis == "in":
        return size_of(operand.id, -1, operand.at)
    value = values[axis]
    match value:
        case Name(name):
            return name
        case Number(size) if size.denominator == 1 and 1 <= size <= MAX_UNITS:
            return int(size)
    raise SpecError(
        f"'{axis}' must be a whole number from 1 to {MAX_UNITS:,} or the name of an axis",
        at=value.at,
        remedy=f"write {axis}=32, for example",
    )


def _flag(name: str, values: Mapping[str, Node]) -> bool:
    node = values[name]
    if isinstance(node, Boolean):
        return node.value
    given = node.id if isinstance(node, Name) else ""
    remedy = (
        f"write activation={given}" if given in library.activations else f"write {name}=false, for example"
    )
    raise SpecError(f"{name}: expected true or false", at=node.at, remedy=remedy)
