"""Layer calls become equations and parameters of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.layers.chain import chain_equations
from symgrad.spec.expansion.layers.image_layouts import (
    channels_first,
    is_channels_first,
    with_channels_first,
    with_channels_last,
)
from symgrad.spec.expansion.layers.layer_calls import (
    applied,
    check_named,
    is_activation,
    known_layers,
    replaced_inside,
    without_activation,
)
from symgrad.spec.expansion.layers.layer_writing import stated, written
from symgrad.spec.expansion.own_steps import brought_along
from symgrad.spec.expansion.resolve import ZERO, resolve_init
from symgrad.spec.language.known_numbers import with_sizes_in_indices
from symgrad.spec.language.syntax import Binary, Boolean, Call, Compare, Name, Node, Number
from symgrad.spec.language.trees import calls, names_in, transform
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.layer_entries import is_absent
from symgrad.spec.library.settings.hidden_places import HIDING
from symgrad.spec.model import (
    EachStep,
    EquationSpec,
    HidingTensor,
    InitSpec,
    ParameterAxis,
    ParameterDecl,
    ShapeDemand,
    SizeDemand,
    Spec,
    StateSpec,
)
from symgrad.spec.reads import indices_of
from symgrad.spec.taken_names import axes_named, names_taken, tensors_named, unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.errors import Position
    from symgrad.spec.library.layer_entries import Arguments

MAX_UNITS = 10**9


class LayerExpander:
    """Replaces layer calls by equations, collecting the parameters and states they bring along."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.no_axes = tensors_named(spec) - axes_named(spec)
        self.known = known_layers(spec)
        self.chain = bool(spec.layers)
        self.declared = chain_equations(spec) if self.chain else spec.equations
        self.parameters = [ParameterDecl(p.name, p.axes, resolve_init(p.init), p.at) for p in spec.parameters]
        self.equations: list[EquationSpec] = []
        self.demands: list[ShapeDemand | SizeDemand] = []
        self.hiding: list[HidingTensor] = []
        self.starts = list(spec.starts)
        self.states: list[StateSpec] = []
        self.taken = names_taken(spec) | {e.name for e in self.declared}
        self.indices = set[str]().union(*map(indices_of, self.declared))
        """What equations call indices: no tensor that is brought along bears such a name."""
        self.formulas: dict[str, str] = {}
        self.each: EachStep | None = None
        """The steps of what is brought along by the equation at hand, if that is one of each step."""

    def run(self) -> None:
        """Fill `equations` and `parameters`."""
        for equation in self.declared:
            self.each = brought_along(equation.each)
            self._expand(equation)

    def _expand(self, equation: EquationSpec) -> None:
        for call in calls(equation.formula):
            self._activated(call)  # from the outside in: what is wrong with a call is said of the whole of it
        self.equations.append(self._without_layers(equation))

    def _without_layers(self, equation: EquationSpec) -> EquationSpec:
        """The equation over what its layers give, after the equations of these."""
        whole = transform(equation.formula, self._activated)
        found = [c for c in calls(whole) if c.function in self.known]
        if found and equation.indices is not None:
            raise SpecError(
                f"{found[0].function} cannot stand in index notation",
                at=found[0].at,
                remedy='give the layer an equation of its own, of each step "z[:, t]": dense(h[:, t-1], 8)',
            )
        owner = equation.label or equation.name
        total = Counter(is_activation(c.function) for c in found)
        seen: Counter[bool] = Counter()

        def given(call: Call) -> tuple[EquationSpec, str]:
            kind = is_activation(call.function)
            seen[kind] += 1
            suffix = str(seen[kind]) if total[kind] > 1 else ""
            return self._layer(call, owner, suffix), suffix

        def change(node: Node) -> Node:
            if not (isinstance(node, Call) and node.function in self.known):
                return node
            result, suffix = given(node)
            if is_activation(node.function) and result.indices is None:
                return result.formula
            name = self._unused(f"{owner}_{self.known[node.function].letter}{suffix}")
            return self._define(replace(result, name=name))

        if not (isinstance(whole, Call) and whole.function in self.known):
            return replace(equation, formula=transform(whole, change))
        arguments = tuple(transform(node, change) for node in whole.arguments)
        keywords = tuple((name, transform(node, change)) for name, node in whole.keywords)
        result, _ = given(replace(whole, arguments=arguments, keywords=keywords))
        return replace(equation, formula=result.formula, indices=result.indices, ranges=result.ranges)

    def _activated(self, node: Node) -> Node:
        """`tanh(dense(x, 4))` for `dense(x, 4, activation=tanh)`."""
        if not isinstance(node, Call) or node.function not in self.known or is_activation(node.function):
            return node
        entry = self.known[node.function]
        if not entry.takes_activation:
            check_named(node, entry)
            bind(node, entry.signature)
            return node
        bare, activation = without_activation(node, entry)
        return bare if activation is None else applied(self.spec, activation, bare)

    def _layer(self, call: Call, owner: str, suffix: str) -> EquationSpec:
        """The equation of what a layer gives, after those of its parts."""
        entry = self.known[call.function]
        values = bind(call, entry.signature)
        given = [name for name in entry.operands if not is_absent(values[name])]
        _check_tensors(entry, {name: values[name] for name in given})
        self._check_numbers(entry, {name: values[name] for name in given})
        values |= {name: self._operand(values[name], owner, f"X{suffix}") for name in given}
        turns = self._turned(entry, values, owner, suffix, call)
        values |= self._labels(values[entry.takes_labels], call) if entry.takes_labels else {}
        values |= entry.settings(call, values) if entry.settings is not None else {}
        form = entry.form(values)
        self._check_built_on(entry, form)
        known = values | self._create_parameters(entry.name, form, values, owner, suffix, call.at)
        states = self._create_states(form, values, owner, suffix, call.at)
        known |= states
        self._demand(entry, form, known, call.at)
        self.hiding += _hiding(form, known, call.at)
        if self.each is not None:
            _check_one_step(entry, form, call)
        for start in form.starts:
            name = self._claim(start.name, owner, suffix)
            known[start.name] = Name(name, call.at)
            self.starts.append(replace(start, name=name, at=call.at))
        begun = {start.name for start in form.starts}
        for part in form.part_equations:
            found = self._written(part, known, call.at)
            if isinstance(found.formula, Name) and found.indices is None:
                known[part.name] = found.formula
                continue
            claimed = known[part.name] if part.name in begun else None
            name = claimed.id if isinstance(claimed, Name) else self._claim(part.name, owner, suffix)
            named = replace(found, name=name, label=owner)
            known[part.name] = self._define(self._without_layers(named))
        for state in form.states:
            found = self._written(state.equation, known, call.at)
            name = states[state.name].id
            self.states.append(StateSpec(name, found.formula, call.at, entry.instead))
        result = self._without_layers(replace(self._written(form.result, known, call.at), label=owner))
        if not turns or entry.joins_places:
            return result
        last = self._define(replace(result, name=self._claim("T", owner, suffix)))
        return EquationSpec(owner, None, with_channels_first(last, len(entry.takes)), call.at, label=owner)

    def _turned(
        self, entry: library.Layer, values: dict[str, Node], owner: str, suffix: str, call: Call
    ) -> bool:
        """Whether x has its channels first; then `values` hold it with its channels last.

        A layer of any number of places has equations of its own for this.
        """
        if not is_channels_first(call, values):
            return False
        takes, x = channels_first(entry.takes), values["x"]
        if isinstance(x, Name):
            self.demands.insert(0, self._shape(entry.name, x.id, takes, call.at))
        if "..." in takes:
            return False
        values["x"] = self._operand(with_channels_last(x, len(takes)), owner, f"T{suffix}")
        return True

    def _written(self, equation: EquationSpec, known: Arguments, at: Position) -> EquationSpec:
        """An equation of the library over the tensors, numbers and sizes of this spec."""
        taken = self.taken if self.each is None else self.taken | {self.each.index}
        found = written(equation, known, taken, at)
        formula = with_sizes_in_indices(found.formula, dict(self.spec.axes), found.indices or ())
        return replace(found, formula=formula)

    def _labels(self, operand: Node, call: Call) -> dict[str, Node]:
        """How many classes there are, for a layer that takes labels.

        Raises:
            SpecError: it is given something else.
        """
        named = operand.id if isinstance(operand, Name) else ""
        declared = next((t for t in (*self.spec.inputs, *self.spec.targets) if t.name == named), None)
        if declared is None or declared.classes is None:
            axes = ", ".join(map(str, declared.axes)) if declared else "batch"
            shown = named if declared else "x"
            given = self.formulas.get(named, named)
            if self.each is not None:
                problem = f"{call.function} takes integer labels by their name, not '{given}'"
                raise SpecError(problem, at=call.at, remedy="give it an equation outside of the steps")
            raise SpecError(
                f"{call.function} takes integer labels, '{given}' has none",
                at=call.at,
                remedy=f"give it an input with classes: {shown}: {{axes: [{axes}], classes: 10}}",
            )
        return {"classes": Number(Fraction(declared.classes), call.at)}

    def _check_numbers(self, entry: library.Layer, operands: Arguments) -> None:
        """Refuse labels where numbers say what is hidden.

        Raises:
            SpecError: an operand that hides places is declared with classes.
        """
        labels = {t.name for t in (*self.spec.inputs, *self.spec.targets) if t.classes is not None}
        for name in operands.keys() & dict(HIDING).keys():
            node = operands[name]
            if isinstance(node, Name) and node.id in labels:
                problem = f"{entry.name}: {name} takes numbers, '{node.id}' holds integer labels"
                raise SpecError(problem, at=node.at, remedy=f"declare '{node.id}' without classes")

    def _check_built_on(self, entry: library.Layer, form: library.LayerForm) -> None:
        bodies = [equation.formula for equation in (form.result, *form.part_equations)]
        inside = {call.function for body in bodies for call in calls(body)}
        for function in self.spec.functions:
            if function.name in inside:
                raise replaced_inside(function, entry.name)

    def _operand(self, node: Node, owner: str, suffix: str) -> Name:
        if isinstance(node, Name):
            return node
        name = self._unused(f"{owner}_{suffix}")
        self.formulas[name] = unparse(node)
        return self._define(EquationSpec(name, None, node, node.at))

    def _shape(self, layer: str, tensor: str, axes: tuple[str, ...], at: Position) -> ShapeDemand:
        """How many axes a tensor has, which may be a formula without a name of the user's."""
        return ShapeDemand(layer, tensor, axes, at, self.formulas.get(tensor, ""))

    def _unused(self, name: str) -> str:
        claimed = unused(name, self.taken | self.indices)
        self.taken.add(claimed)
        return claimed

    def _define(self, equation: EquationSpec) -> Name:
        self.equations.append(replace(equation, each=self.each))
        return Name(equation.name, equation.at)

    def _claim(self, name: str, owner: str, suffix: str) -> str:
        """A name for what a layer brings along: W2 in a chain, h_W in equations."""
        return self._unused(name + owner[1:] if self.chain else f"{owner}_{name}{suffix}")

    def _create_parameters(
        self, layer: str, form: library.LayerForm, values: Arguments, owner: str, suffix: str, at: Position
    ) -> dict[str, Node]:
        """What the names of its parameters stand for: one of the model's each, or 0."""
        names: dict[str, Node] = {}
        for parameter in form.parameters:
            if parameter.unless_false and not _flag(parameter.unless_false, values):
                names[parameter.name] = Number(ZERO, at)
                continue
            name = self._claim(parameter.name, owner, suffix)
            single = parameter.single_unless and not _flag(parameter.single_unless, values)
            axes = () if single else tuple(_axis(size, values, at, self.no_axes) for size in parameter.sizes)
            self.parameters.append(ParameterDecl(name, axes, resolve_init(values[parameter.init]), at))
            names[parameter.name] = Name(name, at)
            measured = self.parameters[-1].measured
            self.demands += (self._shape(layer, tensor, ("...", "in"), at) for tensor in sorted(measured))
        return names

    def _create_states(
        self, form: library.LayerForm, values: Arguments, owner: str, suffix: str, at: Position
    ) -> dict[str, Name]:
        """What the names of its states stand for: parameters of the model that no optimiser changes."""
        names = {state.name: Name(self._claim(state.name, owner, suffix), at) for state in form.states}
        for state in form.states:
            axes = tuple(_axis(size, values, at, self.no_axes) for size in state.sizes)
            start = InitSpec("constant", Number(Fraction(state.start), at))
            self.parameters.append(ParameterDecl(names[state.name].id, axes, start, at))
        return names

    def _demand(self, entry: library.Layer, form: library.LayerForm, known: Arguments, at: Position) -> None:
        """Note what the layer demands of its operands, the number of its axes before all else."""
        takes = ((known[operand], axes) for operand, axes in (("x", entry.takes), *entry.others_take))
        found: list[ShapeDemand | SizeDemand] = [
            self._shape(entry.name, node.id, axes, at)
            for node, axes in takes
            if axes and isinstance(node, Name)
        ]
        for demand in form.demands:
            condition = stated(demand.compared, known, at)
            told = tuple(part if isinstance(part, str) else stated(part, known, at) for part in demand.told)
            if isinstance(condition, Compare):
                found.append(SizeDemand(entry.name, condition, told, demand.remedy, at))
        self.demands = [*found, *self.demands]


def _hiding(form: library.LayerForm, known: Arguments, at: Position) -> Iterator[HidingTensor]:
    """What says to a layer which places are there."""
    for hiding in form.hiding:
        tensor, most = known[hiding.operand], hiding.size
        if isinstance(tensor, Name):
            yield HidingTensor(tensor.id, None if most is None else stated(most, known, at), at)


def _axis(size: Node, values: Arguments, at: Position, no_axes: Collection[str]) -> ParameterAxis:
    """An axis of a parameter: an argument, or a formula of sizes. Tensors are `no_axes`."""
    value = stated(size, values, at)
    match value:
        case Name(name) if name not in no_axes:
            return name
        case Number(number) if number.denominator == 1 and 1 <= number <= MAX_UNITS:
            return int(number)
        case Binary() | Call() if names_in(value) or not isinstance(size, Name):
            return value
    argument = size.id if isinstance(size, Name) else "units"
    place = values[argument].at if argument in values else at
    raise SpecError(
        f"'{argument}' must be a whole number from 1 to {MAX_UNITS:,} or the name of an axis",
        at=place,
        remedy=f"write {argument}=32, for example",
    )


def _check_tensors(entry: library.Layer, operands: Arguments) -> None:
    """Refuse a constant where a layer takes a tensor.

    Raises:
        SpecError: with the axes that are expected, where they are known.
    """
    takes = {"x": entry.takes, **dict(entry.others_take)}
    for name, node in operands.items():
        if not names_in(node):
            axes = f" [{', '.join(takes[name])}]" if takes.get(name) else ""
            problem = f"{entry.name}: {name} is {unparse(node)}"
            raise SpecError(
                problem, at=node.at, remedy=f"expected a tensor{axes}, by its name or as a formula"
            )


def _check_one_step(entry: library.Layer, form: library.LayerForm, call: Call) -> None:
    """Refuse what cannot be made anew at every step.

    Raises:
        SpecError: a layer whose states live on from batch to batch, or that goes through steps of its own.
    """
    if form.states:
        problem = (
            f"{entry.name} keeps '{form.states[0].name}' from batch to batch, and stands in a step of many"
        )
        has_choice = "momentum" in dict(entry.signature.defaults)
        remedy = f"write {entry.name}(momentum=false)" if has_choice else "take a layer without states"
        raise SpecError(problem, at=call.at, remedy=f"{remedy}, or give it an equation outside of the steps")
    if form.starts:
        problem = f"{entry.name} goes through steps of its own, and stands in one step"
        raise SpecError(problem, at=call.at, remedy="give it an equation outside of the steps")


def _flag(name: str, values: Arguments) -> bool:
    node = values[name]
    if isinstance(node, Boolean):
        return node.value
    given = node.id if isinstance(node, Name) else ""
    remedy = (
        f"write activation={given}" if given in library.activations else f"write {name}=false, for example"
    )
    raise SpecError(f"{name}: expected true or false", at=node.at, remedy=remedy)
