"""Networks by themselves: each a function of tensors that are none of the model's, as a module offers it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import Call, Name
from symgrad.spec.model import NetworkFunction
from symgrad.spec.taken_names import names_taken, unused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.expansion.layers.network_calls import NetworkExpander
    from symgrad.spec.model import Model, NetworkSpec, TensorSpec


def functions_of(networks: NetworkExpander) -> tuple[NetworkFunction, ...]:
    """Every network by itself, where one of its calls gives it nothing but tensors, each of them once."""
    found = ((network, _like(networks, network.name)) for network in networks.known.values())
    return tuple(_by_itself(networks, network, like) for network, like in found if like)


def model_of(
    model: Model, function: NetworkFunction, given: Sequence[TensorSpec], shapes: Mapping[str, Sequence[int]]
) -> Model:
    """A network as a model of its own: of what it is `given`, with all parameters, of these shapes."""
    spec = replace(
        model.spec,
        inputs=tuple(given),
        targets=(),
        layers=(),
        equations=(),
        networks=(),
        outputs=(function.value,),
        loss=None,
        gradients=(),
        manual=(),
        derive=(),
        state=(),
        starts=(),
    )
    return replace(
        model,
        spec=spec,
        parameters=tuple(replace(p, axes=tuple(shapes[p.name])) for p in model.parameters),
        equations=function.equations,
        outputs=spec.outputs,
        loss=None,
        prediction=None,
        manual=(),
        frozen=(),
        groups=(),
        next_values=(),
        evaluation=None,
        in_training=(),
        demands=(),
        hiding=(),
        carried=(),
        networks=(),
    )


def _like(networks: NetworkExpander, name: str) -> tuple[str, ...]:
    """What a call gives it, if that is tensors alone: of several calls the first that decides no rows."""
    declared = {t.name: t for t in (*networks.spec.inputs, *networks.spec.targets)}
    sizes = dict(networks.spec.axes)

    def fixed(given: Sequence[str]) -> int:
        axes = [declared[tensor].axes for tensor in given if tensor in declared]
        return sum(1 for along in axes if along[:1] and (isinstance(along[0], int) or along[0] in sizes))

    known = {*declared, *(c.name for c in networks.spec.constants), *(e.name for e in networks.equations)}
    known |= {parameter.name for parameter in networks.parameters}
    several = [
        given
        for given in networks.given.get(name, ())
        if known.issuperset(given) and max(Counter(given).values()) == 1
    ]
    return min(several, key=fixed, default=())


def _by_itself(networks: NetworkExpander, network: NetworkSpec, like: tuple[str, ...]) -> NetworkFunction:
    spec = networks.spec
    taken = names_taken(spec) | {parameter.name for parameter in networks.parameters}
    held = taken - {tensor.name for tensor in (*spec.inputs, *spec.targets)}
    arguments = tuple(unused(argument, held) for argument in network.arguments)
    call = Call(network.name, tuple(Name(argument, network.at) for argument in arguments), (), network.at)
    equations = networks.by_itself(call, dict(zip(arguments, like, strict=True)), taken)
    return NetworkFunction(network.name, arguments, like, equations, network.at)
