"""Chains and layer calls become equations and parameters of their own."""

from __future__ import annotations

from dataclasses import replace

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.calls import bind, calls, substitute, transform
from symgrad.spec.model import AxisSpec, EquationSpec, LastAxis, ParameterDecl, Spec
from symgrad.spec.resolve import ZERO, resolve_init
from symgrad.spec.syntax import Boolean, Call, Name, Node, Number

MAX_UNITS = 10**9


def chain_equations(spec: Spec) -> tuple[EquationSpec, ...]:
    """One equation per layer: net inputs Z1, Z2, ... and activations A1, A2, ...

    Raises:
        SpecError: not exactly one input, or an unknown layer.
    """
    if len(spec.inputs) != 1:
        raise SpecError(
            f"a chain of layers has one input, this spec has {len(spec.inputs)}",
            at=spec.at,
            remedy="write equations instead of layers",
        )
    equations: list[EquationSpec] = []
    previous, depth = spec.inputs[0].name, 0
    taken = _names_taken(spec)
    for layer in spec.layers:
        depth += layer.function in library.layers or depth == 0
        for prefix, formula in _chain_steps(spec, layer):
            name = unused(f"{prefix}{depth}", taken)
            taken.add(name)
            value = substitute(formula, {"_": Name(previous, layer.at)})
            equations.append(EquationSpec(name, None, value, layer.at))
            previous = name
    return tuple(equations)


def _chain_steps(spec: Spec, layer: Call) -> list[tuple[str, Node]]:
    """(name prefix, formula of `_`) for a layer and the activation it asks for."""
    operand = Name("_", layer.at)
    call = replace(layer, arguments=(operand, *layer.arguments))
    if layer.function not in library.layers:
        return [("A", _activation(spec, call, "layer"))]
    activation = dict(layer.keywords).get("activation")
    bare = replace(call, keywords=tuple(k for k in layer.keywords if k[0] != "activation"))
    if activation is None:
        return [("Z", bare)]
    return [("Z", bare), ("A", applied(spec, activation, operand))]


def _activation(spec: Spec, call: Call, kind: str = "activation") -> Call:
    users = {f.name for f in spec.functions}
    if call.function in users or call.function in library.activations:
        return call
    known = (*(library.layers if kind == "layer" else ()), *library.activations, *users)
    remedy = did_you_mean(call.function, known) or "`symgrad list` shows what there is"
    raise SpecError(f"unknown {kind} '{call.function}'", at=call.at, remedy=remedy)


def applied(spec: Spec, activation: Node, operand: Node) -> Call:
    """`activation=elu(alpha=2)` applied to an operand."""
    match activation:
        case Name(name, at):
            return _activation(spec, Call(name, (operand,), (), at))
        case Call(arguments=arguments):
            return _activation(spec, replace(activation, arguments=(operand, *arguments)))
    raise SpecError(
        "an activation is a name or a call", at=activation.at, remedy="write activation=relu, for example"
    )


def unused(name: str, taken: set[str]) -> str:
    """`name`, or with the first free suffix `_2`, `_3`, ..."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _names_taken(spec: Spec) -> set[str]:
    """What the user has named: no layer's tensor may bear such a name, not even an axis's."""
    tensors = [t.name for t in (*spec.inputs, *spec.targets, *spec.constants, *spec.parameters)]
    listed = [t.axes for t in (*spec.inputs, *spec.targets)] + [p.axes for p in spec.parameters]
    axes = [axis for of in listed for axis in of if isinstance(axis, str)]
    return {*tensors, *axes, *(name for name, _ in spec.axes), *(f.name for f in spec.functions)}


class LayerExpander:
    """Replaces layer calls by equations, collecting the parameters they bring along."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.chain = bool(spec.layers)
        self.declared = chain_equations(spec) if self.chain else spec.equations
        self.parameters = [ParameterDecl(p.name, p.axes, resolve_init(p.init), p.at) for p in spec.parameters]
        self.equations: list[EquationSpec] = []
        self.taken = _names_taken(spec) | {e.name for e in self.declared}

    def run(self) -> None:
        """Fill `equations` and `parameters`."""
        for equation in self.declared:
            self._expand(equation)

    def _expand(self, equation: EquationSpec) -> None:
        found = [c for c in calls(equation.formula) if c.function in library.layers]
        if found and equation.indices is not None:
            raise SpecError(
                f"{found[0].function} cannot stand in index notation",
                at=found[0].at,
                remedy="give the layer an equation of its own",
            )
        numbering = iter(range(1, len(found) + 1))

        def change(node: Node) -> Node:
            if not (isinstance(node, Call) and node.function in library.layers):
                return node
            suffix = str(next(numbering)) if len(found) > 1 else ""
            return self._layer(node, equation, suffix)

        formula = transform(equation.formula, change)
        self.equations.append(replace(equation, formula=formula))

    def _layer(self, call: Call, equation: EquationSpec, suffix: str) -> Node:
        entry, owner = library.layers[call.function], equation.name
        values = bind(call, entry.signature)
        operand = self._named(values["x"], owner, f"X{suffix}")
        names = self._create_parameters(entry, values, operand, owner, suffix)
        formula = substitute(entry.body, {"x": operand, **names})
        formula = transform(formula, lambda n: replace(n, at=call.at))
        activation = values["activation"]
        is_linear = isinstance(activation, Name) and activation.id == "identity"
        whole = equation.formula
        if self.chain or (is_linear and isinstance(whole, Call) and whole.at == call.at):
            return formula
        net = self._named(formula, owner, f"Z{suffix}", always=True)
        return net if is_linear else applied(self.spec, activation, net)

    def _named(self, node: Node, owner: str, suffix: str, always: bool = False) -> Name:
        if isinstance(node, Name) and not always:
            return node
        name = unused(f"{owner}_{suffix}", self.taken)
        self.taken.add(name)
        self.equations.append(EquationSpec(name, None, node, node.at))
        return Name(name, node.at)

    def _create_parameters(
        self, entry: library.Layer, values: dict[str, Node], operand: Name, owner: str, suffix: str
    ) -> dict[str, Node]:
        names: dict[str, Node] = {}
        for parameter in entry.parameters:
            if parameter.unless_false and not _flag(values[parameter.unless_false]):
                names[parameter.name] = Number(ZERO, operand.at)
                continue
            wanted = parameter.name + owner[1:] if self.chain else f"{owner}_{parameter.name}{suffix}"
            name = unused(wanted, self.taken)
            self.taken.add(name)
            axes = tuple(_axis(axis, values, operand) for axis in parameter.axes)
            init = resolve_init(values[parameter.init])
            self.parameters.append(ParameterDecl(name, axes, init, operand.at))
            names[parameter.name] = Name(name, operand.at)
        return names


def _axis(axis: str, values: dict[str, Node], operand: Name) -> AxisSpec | LastAxis:
    if axis == "in":
        return LastAxis(operand.id)
    value = values[axis]
    match value:
        case Name(name):
            return name
        case Number(size) if size.denominator == 1 and 1 <= size <= MAX_UNITS:
            return int(size)
    raise SpecError(
        f"'{axis}' must be a whole number from 1 to {MAX_UNITS:,} or the name of an axis",
        at=value.at,
        remedy="write dense(32), for example",
    )


def _flag(node: Node) -> bool:
    if isinstance(node, Boolean):
        return node.value
    raise SpecError("expected true or false", at=node.at, remedy="write bias=false, for example")
