"""Calls of networks become equations of their own, over parameters that all calls of a network share."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.layers.layer_expansion import LayerExpander
from symgrad.spec.expansion.layers.layer_writing import stated, written
from symgrad.spec.expansion.own_steps import brought_along
from symgrad.spec.language.builtins import DERIVATIVE, UNIFORM
from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.syntax import Call, Compare, Name, Node
from symgrad.spec.language.trees import calls, is_number, transform, values_in
from symgrad.spec.model import EachStep, EquationSpec, HidingTensor, ShapeDemand, SizeDemand, TensorSpec
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from symgrad.errors import Position
    from symgrad.spec.model import NetworkSpec, Spec

_COLUMNS = "X"
"""What layers of a network are given: its arguments side by side."""


@dataclass(frozen=True)
class _Body:
    """A network's equations, with names of their own; `shared` is what its parameters are called."""

    equations: tuple[EquationSpec, ...]
    demands: tuple[ShapeDemand | SizeDemand, ...]
    hiding: tuple[HidingTensor, ...]
    shared: Mapping[str, Name]


class NetworkExpander:
    """Replaces calls of networks by equations, after those of layers; adds the parameters to these."""

    def __init__(self, spec: Spec, layers: LayerExpander) -> None:
        self.spec = spec
        self.known = {network.name: network for network in spec.networks}
        self.functions = {function.name: function.formula for function in spec.functions}
        self.parameters, self.demands, self.hiding = layers.parameters, layers.demands, layers.hiding
        self.taken = layers.taken | {e.name for e in (*layers.equations, *spec.manual)}
        self.indices = layers.indices
        self.equations: list[EquationSpec] = []
        self.bodies: dict[str, _Body] = {}
        self.values: dict[tuple[str, tuple[Node, ...], EquationSpec | None], Name] = {}
        self.open: list[str] = []
        self.given: dict[str, list[tuple[str, ...]]] = {}
        """What calls of a network give it, of those that give nothing but tensors."""
        self.alike: Mapping[str, str] = {}
        """Tensors that are none of the model's, each with one that it is like."""
        self.outer: EquationSpec | None = None
        """The equation at hand, if that is one of each step."""

    def run(self, equations: Iterable[EquationSpec], loss: Node | None) -> Node | None:
        """Fill `equations`, and add to parameters, demands and hiding; the loss without calls of networks.

        Raises:
            SpecError: a wrong call, or a network that calls itself or reads what it is not given.
        """
        _check_names(self.spec)
        for equation in equations:
            self.outer = equation if equation.each is not None else None
            self._equation(equation)
        self.outer = None
        return self._without_calls(loss) if loss is not None else None

    def check_called(self) -> None:
        """Refuse a network that nothing calls.

        Raises:
            SpecError: naming it.
        """
        for network in self.known.values():
            if network.name not in self.bodies:
                called = f"{network.name}({', '.join(network.arguments)})"
                remedy = f"write {called} in an equation or in the loss, or leave it out"
                raise SpecError(f"nothing calls the network '{network.name}'", at=network.at, remedy=remedy)

    def by_itself(
        self, call: Call, alike: Mapping[str, str], taken: Collection[str]
    ) -> tuple[EquationSpec, ...]:
        """The equations of a call of tensors that are `alike` some of the model's, and none of it.

        No equation bears a name that is `taken`; those of the model are free.
        """
        alone = copy(self)
        alone.equations, alone.demands, alone.hiding = [], [], []
        alone.values, alone.given = {}, {}
        alone.taken, alone.alike, alone.outer = {*taken, *alike}, alike, None
        alone._called(call)
        return tuple(alone.equations)

    def _equation(self, equation: EquationSpec) -> None:
        """The equation, after those of the calls in it; one that is a call gives its value this name."""
        formula = equation.formula
        if equation.indices is not None:
            for call in (call for call in calls(formula) if call.function in self.known):
                problem = f"{call.function} cannot stand in index notation"
                remedy = "give the call an equation of its own, of each step "
                remedy += f'"z[:, t]": {call.function}(h[:, t-1])'
                raise SpecError(problem, at=call.at, remedy=remedy)
        if isinstance(formula, Call) and formula.function in self.known:
            arguments = tuple(map(self._without_calls, formula.arguments))
            value = self._called(replace(formula, arguments=arguments), equation.name)
            if value.id == equation.name:
                return
            self.equations.append(replace(equation, formula=value))
        else:
            self.equations.append(replace(equation, formula=self._without_calls(formula)))

    def _without_calls(self, formula: Node) -> Node:
        """The formula over the values of calls, after the equations of these."""

        def change(node: Node) -> Node:
            return self._called(node) if isinstance(node, Call) and node.function in self.known else node

        return transform(formula, change)

    def _called(self, call: Call, name: str = "") -> Name:
        """The value of a call, under this name where it is a new one; equal calls have one value, unless they
        draw numbers, each its own.
        """
        network = self.known[call.function]
        _check_call(call, network)
        if network.name in self.open:
            way = " -> ".join((*self.open[self.open.index(network.name) :], network.name))
            problem = f"the network '{network.name}' calls itself: {way}"
            raise SpecError(problem, at=call.at, remedy="write it without recursion")
        key = (network.name, call.arguments, self.outer)
        if key in self.values:
            return self.values[key]
        name = name or self._unused(_name_of(call, network))
        self.open.append(network.name)
        value = self._instance(call, network, name)
        self.open.pop()
        if not self._draws(call, frozenset()):
            self.values[key] = value
        return value

    def _draws(self, formula: Node, seen: frozenset[str]) -> bool:
        """Whether a formula draws numbers, itself or by functions and networks that it calls."""
        named = {call.function for call in calls(formula)} - seen
        inside = (found for name in named for found in self._formulas_of(name))
        return UNIFORM in named or any(self._draws(found, seen | named) for found in inside)

    def _formulas_of(self, name: str) -> Iterator[Node]:
        """What a function or a network that was called is made of."""
        if name in self.bodies:
            yield from (equation.formula for equation in self.bodies[name].equations)
        elif name in self.functions:
            yield self.functions[name]
        elif name in library.functions:
            yield library.functions[name].body

    def _instance(self, call: Call, network: NetworkSpec, name: str) -> Name:
        """The equations of one call. What is wrong with a later one is said at the call."""
        given = {
            argument: self._given(value, f"{name}_{argument}")
            for argument, value in zip(network.arguments, call.arguments, strict=True)
        }
        tensors = tuple(value.id for value in given.values() if isinstance(value, Name))
        if len(tensors) == len(given) and self.outer is None:
            self.given.setdefault(network.name, []).append(tensors)
        if network.layers:
            given = {_COLUMNS: self._columns(tuple(given.values()), name, call.at)}
        is_first = network.name not in self.bodies
        if is_first:
            self.bodies[network.name] = self._body(network, given)
        body, at = self.bodies[network.name], None if is_first else call.at
        *before, _ = (equation.name for equation in body.equations)
        tails = {local: local.removeprefix(f"{network.name}_") for local in before}
        own = {local: Name(self._unused(f"{name}_{tail}"), call.at) for local, tail in tails.items()}
        own[body.equations[-1].name] = Name(name, call.at)
        known: dict[str, Node] = {**body.shared, **given, **own}
        if is_first:
            self._measure(body, known)
        self.demands += [asked for demand in body.demands for asked in _demanded(demand, known, at)]
        self.hiding += (hidden for hiding in body.hiding for hidden in _hidden(hiding, known))
        taken = self.taken | known.keys() | {*(self.outer.index_names if self.outer is not None else ())}
        for equation in body.equations:
            made = written(replace(equation, label=""), known, taken, at)
            inner = own[equation.name].id
            self._equation(replace(made, name=inner, each=self._steps_of(inner)))
        return Name(name, call.at)

    def _given(self, value: Node, name: str) -> Node:
        """An argument as a tensor with a name, or a number."""
        if isinstance(value, Name) or is_number(value):
            return value
        return self._define(self._unused(name), value)

    def _columns(self, values: Sequence[Node], name: str, at: Position) -> Node:
        """The arguments side by side, each of them one column or several; one that has columns, as it is."""
        alone = self._declared(values[0]) if len(values) == 1 else None
        if alone is not None and (alone.classes or len(alone.axes) > 1):
            return values[0]
        return self._define(self._unused(f"{name}_{_COLUMNS}"), Call("column_stack", (*values,), (), at))

    def _declared(self, value: Node) -> TensorSpec | None:
        named = self.alike.get(value.id, value.id) if isinstance(value, Name) else ""
        return next((t for t in (*self.spec.inputs, *self.spec.targets) if t.name == named), None)

    def _body(self, network: NetworkSpec, given: Mapping[str, Node]) -> _Body:
        """A network's equations without layers; their parameters are added to those of the model."""
        formal = []
        for name, value in given.items():
            declared = self._declared(value) or TensorSpec(name, ("batch",), None, network.at)
            formal.append(replace(declared, name=name))
        inside = replace(
            self.spec,
            inputs=tuple(formal),
            targets=(),
            layers=network.layers,
            equations=network.equations,
            networks=(),
        )
        layers = LayerExpander(inside)
        layers.run()
        _check_reads(self.spec, network, layers.equations, given)
        begun = [start.at for start in layers.starts[len(self.spec.starts) :]]
        for at in (*begun, *(e.at for e in network.equations if e.each is not None)):
            problem = f"the network '{network.name}' goes through steps, which equations of the spec alone do"
            remedy = "give the steps an equation of their own, h: lstm(x, 8), and call the network on it"
            raise SpecError(problem, at=at, remedy=remedy)
        for state in layers.states:
            problem = (
                f"the network '{network.name}' may be called several times, and '{state.name}' lives on once"
            )
            remedy = f"write {state.instead}, or the layers in equations of the spec"
            raise SpecError(problem, at=state.at, remedy=remedy)
        shared: dict[str, Name] = {}
        for parameter in layers.parameters[len(self.spec.parameters) :]:
            name = self._unused(f"{network.name}_{parameter.name.removeprefix(f'{network.name}_')}")
            shared[parameter.name] = Name(name, parameter.at)
            self.parameters.append(replace(parameter, name=name))
        return _Body(tuple(layers.equations), tuple(layers.demands), tuple(layers.hiding), shared)

    def _measure(self, body: _Body, known: Mapping[str, Node]) -> None:
        """Say the sizes of a network's parameters by those of the tensors of its first call."""
        own = {name.id for name in body.shared.values()}
        for number, parameter in enumerate(self.parameters):
            if parameter.name in own:
                axes = (a if isinstance(a, int | str) else stated(a, known, None) for a in parameter.axes)
                self.parameters[number] = replace(parameter, axes=tuple(axes))

    def _define(self, name: str, formula: Node) -> Name:
        self.equations.append(EquationSpec(name, None, formula, formula.at, each=self._steps_of(name)))
        return Name(name, formula.at)

    def _steps_of(self, name: str) -> EachStep | None:
        """The steps of what a call defines: those of the equation at hand, if that is given its name."""
        if self.outer is None:
            return None
        return self.outer.each if name == self.outer.name else brought_along(self.outer.each)

    def _unused(self, name: str) -> str:
        found = unused(name, self.taken | self.indices)
        self.taken.add(found)
        return found


def _demanded(
    demand: ShapeDemand | SizeDemand, known: Mapping[str, Node], at: Position | None
) -> Iterable[ShapeDemand | SizeDemand]:
    """What a layer demands of the tensors of one call."""
    place = at or demand.at
    if isinstance(demand, ShapeDemand):
        tensor = known.get(demand.tensor)
        if isinstance(tensor, Name):
            yield replace(demand, tensor=tensor.id, at=place)
        return
    condition = stated(demand.condition, known, at)
    problem = tuple(part if isinstance(part, str) else stated(part, known, at) for part in demand.problem)
    if isinstance(condition, Compare):
        yield replace(demand, condition=condition, problem=problem, at=place)


def _hidden(hiding: HidingTensor, known: Mapping[str, Node]) -> Iterable[HidingTensor]:
    """What says in one call which places are there."""
    tensor = known.get(hiding.tensor)
    if isinstance(tensor, Name):
        most = None if hiding.most is None else stated(hiding.most, known, None)
        yield replace(hiding, tensor=tensor.id, most=most)


def _name_of(call: Call, network: NetworkSpec) -> str:
    """What the value of a call is called: after its points, where they are not those of its definition."""
    names = [node.id for node in call.arguments if isinstance(node, Name)]
    is_plain = all(isinstance(node, Name) or is_number(node) for node in call.arguments)
    is_new = is_plain and names and not {*names} & {*network.arguments}
    return "_".join((network.name, *names)) if is_new else network.name


def _check_call(call: Call, network: NetworkSpec) -> None:
    usage = f"{network.name}({', '.join(network.arguments)})"
    if call.keywords:
        name, value = call.keywords[0]
        problem = f"a network takes no argument by name, as '{name}' is given"
        raise SpecError(problem, at=value.at, remedy=f"write {usage}")
    count, takes = len(call.arguments), len(network.arguments)
    if count != takes:
        problem = f"{network.name} takes {takes} argument{'' if takes == 1 else 's'}, got {count}"
        raise SpecError(problem, at=call.at, remedy=f"write {usage}")


def _check_names(spec: Spec) -> None:
    """Refuse networks with names of the library, and calls of networks where none may stand."""
    named = {*library.functions, *library.layers, *library.losses, *library.averages, DERIVATIVE}
    known = {network.name for network in spec.networks}
    for network in spec.networks:
        if network.name in named:
            what = "the derivative" if network.name == DERIVATIVE else "a function of the library"
            remedy = f"choose another name, such as '{network.name}_net'"
            raise SpecError(f"'{network.name}' is {what}", at=network.at, remedy=remedy)
    for kind, formulas in (("a function", spec.functions), ("a manual formula", spec.manual)):
        for call in (call for formula in formulas for call in calls(formula.formula)):
            if call.function in known:
                problem = f"the network '{call.function}' cannot stand in {kind}"
                raise SpecError(problem, at=call.at, remedy="call it in an equation")


def _check_reads(
    spec: Spec, network: NetworkSpec, equations: Iterable[EquationSpec], given: Iterable[str]
) -> None:
    """A network reads its arguments, parameters and constants alone."""
    equations = tuple(equations)
    outside = {t.name for t in (*spec.inputs, *spec.targets)} | {e.name for e in spec.equations}
    outside -= {*given, *(equation.name for equation in equations)}
    for equation in equations:
        bound = {name for call in calls(equation.formula) for name in bound_names(call)}
        read = sorted(values_in(equation.formula) & outside - bound - {*equation.index_names})
        if read:
            with_it = f"{network.name}({', '.join((*network.arguments, read[0]))})"
            problem = f"the network '{network.name}' reads '{read[0]}', which is no argument of it"
            raise SpecError(problem, at=equation.at, remedy=f"make it one: {with_it}")
