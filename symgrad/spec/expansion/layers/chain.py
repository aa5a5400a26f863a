"""A chain of layers as equations, each over the one before."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.layers.image_layouts import CHANNELS_FIRST, CHANNELS_LAST
from symgrad.spec.expansion.layers.layer_calls import (
    activation_call,
    applied,
    is_activation,
    known_layers,
    without_activation,
)
from symgrad.spec.language.arrays.placements import PLACEMENTS
from symgrad.spec.language.syntax import Binary, Call, Name, Negate, Node, Number
from symgrad.spec.language.trees import calls, substitute
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import Branch, EquationSpec, Spec
from symgrad.spec.taken_names import names_taken, unused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.errors import Position


def chain_equations(spec: Spec) -> tuple[EquationSpec, ...]:
    """One equation per layer: net inputs Z1, Z2, ... and activations A1, A2, ...

    What is no affine map, as a gated unit, counts as an activation. Layers are counted where they have
    parameters; by the number of the last of them pooled values are P, what only lies otherwise, as after
    flatten, F, and branches that join R and C.

    Raises:
        SpecError: not exactly one input, or an unknown layer.
    """
    if len(spec.inputs) != 1:
        raise SpecError(
            f"a chain of layers has one input, this spec has {len(spec.inputs)}",
            at=spec.at,
            remedy="write equations instead of layers",
        )
    chain = _Chain(spec)
    chain.run(spec.layers, spec.inputs[0].name)
    return tuple(chain.equations)


def layer_calls(layers: Iterable[Call | Branch]) -> Iterator[Call]:
    """All layers, those of branches too."""
    for layer in layers:
        yield from layer_calls(layer.layers) if isinstance(layer, Branch) else (layer,)


class _Chain:
    """The equations so far, and how many layers they are."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.known, self.taken = spec, known_layers(spec), names_taken(spec)
        self.equations: list[EquationSpec] = []
        self.depth = 0
        layouts = (self._layout(layer) for layer in layer_calls(spec.layers))
        self.layout = next(filter(None, layouts), "")

    def run(self, layers: Iterable[Call | Branch], previous: str) -> str:
        """Add the equations of layers over the tensor `previous`; the name of the last."""
        for layer in layers:
            if isinstance(layer, Branch):
                previous = self._joined(layer, previous)
                continue
            self._check_operand(layer)
            self.depth += self._counts(layer) or self.depth == 0
            for prefix, formula in _chain_steps(self.spec, layer, self.known):
                value = substitute(formula, {"_": Name(previous, layer.at)})
                previous = self._define(prefix, value, layer.at)
            self._follow_layout(layer)
        return previous

    def _layout(self, layer: Call) -> str:
        """Where the channels of what a layer takes stand; empty where it has no say in that."""
        entry = self.known.get(layer.function)
        if entry is None or "layout" not in dict(entry.signature.defaults):
            return ""
        layout = dict(layer.keywords).get("layout")
        return layout.id if isinstance(layout, Name) else CHANNELS_LAST

    def _follow_layout(self, layer: Call) -> None:
        """Note where channels stand behind a layer; nobody knows once axes are put together or in order."""
        if layout := self._layout(layer):
            self.layout = "" if self.known[layer.function].joins_places else layout
        elif layer.function in PLACEMENTS:
            self.layout = ""

    def _check_operand(self, layer: Call) -> None:
        """Refuse `layer_norm(x)` among layers, where x would be the argument behind the operand.

        Raises:
            SpecError: a tensor is given where the operand stands in equations.
        """
        first = layer.arguments[0] if layer.arguments else None
        tensors = {t.name for t in (*self.spec.inputs, *self.spec.targets)}
        if not isinstance(first, Name) or first.id not in tensors | {e.name for e in self.equations}:
            return
        entry = self.known.get(layer.function)
        if entry is None and layer.function not in (*library.activations, *library.noises, *PLACEMENTS):
            return
        if entry is not None and {*entry.signature.arguments[1:2]} & {*entry.operands}:
            return
        rest = replace(layer, arguments=layer.arguments[1:])
        raise SpecError(
            f"{layer.function} among layers takes what the layer before it gives",
            at=first.at,
            remedy=f"leave '{first.id}' out: {unparse(rest).removesuffix('()')}",
        )

    def _counts(self, layer: Call) -> bool:
        """Whether it is one of the network's layers by number: it has parameters and is no activation."""
        entry = self.known.get(layer.function)
        if entry is None or is_activation(layer.function):
            return False
        formulas = [part.formula for part in (entry.result, *entry.part_equations)]
        is_built_of_layers = any(call.function in library.layers for f in formulas for call in calls(f))
        return bool(entry.parameters) or is_built_of_layers

    def _joined(self, branch: Branch, start: str) -> str:
        layout = self.layout
        sides = Name(start, branch.at), Name(self.run(branch.layers, start), branch.at)
        if branch.join == "residual":
            return self._define("R", Binary("+", *sides, branch.at), branch.at)
        _check_same_layout(branch, layout, self.layout)
        one = Number(Fraction(1), branch.at)
        axis = one if self.layout == CHANNELS_FIRST else Negate(one, branch.at)
        return self._define("C", Call("concat", sides, (("axis", axis),), branch.at), branch.at)

    def _define(self, prefix: str, value: Node, at: Position) -> str:
        name = unused(f"{prefix}{self.depth}", self.taken)
        self.taken.add(name)
        self.equations.append(EquationSpec(name, None, value, at))
        return name


def _check_same_layout(branch: Branch, before: str, behind: str) -> None:
    """Refuse to put channels of images behind others that have them elsewhere.

    Raises:
        SpecError: they stand first on one side, and last on the other.
    """
    if before and behind and before != behind:
        raise SpecError(
            f"concat joins {behind} to {before}",
            at=branch.at,
            remedy=f"write layout={CHANNELS_FIRST} in all layers of images, or in none",
        )


def _chain_steps(spec: Spec, layer: Call, known: Mapping[str, library.Layer]) -> list[tuple[str, Node]]:
    """(name prefix, formula of `_`) for a layer and the activation it asks for."""
    operand = Name("_", layer.at)
    call = replace(layer, arguments=(operand, *layer.arguments))
    entry = known.get(layer.function)
    if entry is None and layer.function in PLACEMENTS and not PLACEMENTS[layer.function].many:
        return [("F", call)]
    if layer.function in library.noises:
        return [("D", activation_call(spec, call, "layer"))]
    if entry is None or is_activation(layer.function):
        return [("A", activation_call(spec, call, "layer"))]
    if not entry.takes_activation:
        return [(entry.letter, call)]
    bare, activation = without_activation(call, entry)
    if activation is None:
        return [(entry.letter, bare)]
    return [(entry.letter, bare), ("A", applied(spec, activation, operand))]
