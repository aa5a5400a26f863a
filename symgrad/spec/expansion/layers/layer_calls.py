"""What the layers of a spec are, and how they take an activation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.language.builtins import LANGUAGE_FUNCTIONS
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.unparse import unparse
from symgrad.spec.other_names import meant

if TYPE_CHECKING:
    from symgrad.spec.model import FunctionSpec, Spec


def known_layers(spec: Spec) -> dict[str, library.Layer]:
    """The library's layers, less those that a function of the user's replaces."""
    users = _users(spec)
    return {name: entry for name, entry in library.layers.items() if name not in users}


def _users(spec: Spec) -> set[str]:
    return {function.name for function in spec.functions}


def replaced_inside(function: FunctionSpec, entry: str) -> SpecError:
    """The error for a user's function of the name of one that a library entry is built on."""
    problem = (
        f"'{function.name}' is defined here, but the library's {entry} is built on its own {function.name}"
    )
    return SpecError(problem, at=function.at, remedy="choose another name")


def is_activation(name: str) -> bool:
    """Whether a layer is an activation with parameters: it does not count as a layer of a network."""
    return name in library.learned_activations


def check_named(call: Call, entry: library.Layer) -> None:
    """Refuse numbers without names that stand elsewhere in other libraries: `conv2d(x, 1, 6, 5)`.

    Raises:
        SpecError: with what is meant, written out.
    """
    if not entry.unnamed or len(call.arguments) <= entry.unnamed:
        return
    names = (*entry.signature.arguments, *(name for name, _ in entry.signature.defaults))
    given, name = call.arguments[entry.unnamed], names[entry.unnamed]
    if not entry.x_says:
        remedy = f"write {name}={unparse(given)}, if that is meant"
        raise SpecError(f"{call.function}: {unparse(given)} has no name", at=given.at, remedy=remedy)
    first, *rest = call.arguments[2 : entry.unnamed + 1]
    named = zip(names[2 : entry.unnamed], rest, strict=True)
    meant_by_others = ", ".join((unparse(first), *(f"{n}={unparse(value)}" for n, value in named)))
    raise SpecError(
        f"{call.function}: {unparse(given)} has no name",
        at=given.at,
        remedy=f"the input says {entry.x_says}: write {call.function}({meant_by_others}), "
        f"or {name}={unparse(given)} if that is meant",
    )


def without_activation(call: Call, entry: library.Layer) -> tuple[Call, Node | None]:
    """The layer alone, and the activation it asks for: `activation=f` is short for f of the layer.

    The library's default, identity, is none: not what a user's function of that name does.

    Raises:
        SpecError: as `bind` and `check_named` do.
    """
    check_named(call, entry)
    values = bind(call, entry.signature)
    activation = values.pop("activation", None)
    bare = replace(call, arguments=(), keywords=tuple(values.items()))
    default = dict(entry.signature.defaults).get("activation")
    return bare, None if activation is default else activation


def activation_call(spec: Spec, call: Call, kind: str = "activation") -> Call:
    """The call, if it is one of an activation; `kind` says what else was expected there.

    Raises:
        SpecError: it is not.
    """
    activations = (*library.activations, *library.learned_activations, *_users(spec))
    activations += tuple(library.noises) if kind == "layer" else ()
    if call.function in activations:
        return call
    if call.function in library.layers:
        remedy = "give it a line of its own"
        raise SpecError(f"'{call.function}' is a layer and no activation", at=call.at, remedy=remedy)
    if kind == "layer" and (call.function in LANGUAGE_FUNCTIONS or call.function in library.functions):
        problem, remedy = f"'{call.function}' is a function and no layer", "write equations instead of layers"
        raise SpecError(problem, at=call.at, remedy=remedy)
    known = (*(library.layers if kind == "layer" else ()), *activations)
    remedy = meant(call.function, known, "`symgrad list` shows what there is")
    raise SpecError(f"unknown {kind} '{call.function}'", at=call.at, remedy=remedy)


def applied(spec: Spec, activation: Node, operand: Node) -> Call:
    """`activation=elu(alpha=2)` applied to an operand."""
    match activation:
        case Name(name, at):
            return activation_call(spec, Call(name, (operand,), (), at))
        case Call(arguments=arguments):
            return activation_call(spec, replace(activation, arguments=(operand, *arguments)))
    raise SpecError(
        "an activation is a name or a call", at=activation.at, remedy="write activation=relu, for example"
    )
