"""A chain of layers as equations, each over the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.expansion.layer_calls import (
    activation_call,
    applied,
    is_activation,
    known_layers,
    takes_activation,
    without_activation,
)
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.trees import substitute
from symgrad.spec.model import EquationSpec, Spec
from symgrad.spec.taken_names import names_taken, unused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec import library


def chain_equations(spec: Spec) -> tuple[EquationSpec, ...]:
    """One equation per layer: net inputs Z1, Z2, ... and activations A1, A2, ...

    What is no affine map, as a gated unit, counts as an activation.

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
    known, taken = known_layers(spec), names_taken(spec)
    for layer in spec.layers:
        depth += (layer.function in known and not is_activation(layer.function)) or depth == 0
        for prefix, formula in _chain_steps(spec, layer, known):
            name = unused(f"{prefix}{depth}", taken)
            taken.add(name)
            value = substitute(formula, {"_": Name(previous, layer.at)})
            equations.append(EquationSpec(name, None, value, layer.at))
            previous = name
    return tuple(equations)


def _chain_steps(spec: Spec, layer: Call, known: Mapping[str, library.Layer]) -> list[tuple[str, Node]]:
    """(name prefix, formula of `_`) for a layer and the activation it asks for."""
    operand = Name("_", layer.at)
    call = replace(layer, arguments=(operand, *layer.arguments))
    entry = known.get(layer.function)
    if entry is None or is_activation(layer.function):
        return [("A", activation_call(spec, call, "layer"))]
    if not takes_activation(entry):
        return [("A", call)]
    bare, activation = without_activation(call, entry)
    if activation is None:
        return [("Z", bare)]
    return [("Z", bare), ("A", applied(spec, activation, operand))]
