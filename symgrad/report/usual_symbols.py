"""The symbols that a notation has of itself: `ζ¹` for the first net input of a chain, `ζ_h` for that of h."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symgrad.explain.roles import roles
from symgrad.notation.typesetting.text import TEXT, TextStyle
from symgrad.notation.typesetting.typeset import Formula, Symbol, Transposed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.calculus.program import Program
    from symgrad.report.notations import Notation

OWNED = re.compile(r"(?:(?P<owner>\w+)_)?(?P<letter>[A-Za-z])(?P<number>\d*)")


def usual_symbols(
    notation: Notation,
    program: Program,
    names: Collection[str],
    own: Mapping[str, Symbol],
    *,
    samples: str,
    chain: bool,
) -> dict[str, Formula]:
    """Symbols for those of `names` that have no `own`; each gives way to a name or symbol that is taken."""
    found: dict[str, Formula] = {}
    taken = {*names, *(symbol.text for symbol in own.values())}
    proposed = (
        *_of_data(notation, program, samples),
        *_of_layers(notation, program, chain),
        *_of_parameters(notation, program, own),
    )
    for name, symbol in proposed:
        text = TEXT.spell(symbol)
        if name in names and name not in own and name not in found and text not in taken:
            found[name] = symbol
            taken.add(text)
    return found


def _of_data(notation: Notation, program: Program, samples: str) -> Iterator[tuple[str, Formula]]:
    targets = program.of_kind("target")
    for tensor in targets if "target" in notation.letters else ():
        yield tensor.name, _symbol(notation, "target", "" if len(targets) == 1 else tensor.name)
    if program.loss and "loss" in notation.letters:
        yield program.loss, _symbol(notation, "loss", "")
    if "samples" in notation.letters:
        yield samples, _symbol(notation, "samples", "")


def _of_layers(notation: Notation, program: Program, chain: bool) -> Iterator[tuple[str, Formula]]:
    """Net inputs and activations, and the gradients with respect to them."""
    of_layer = {name: (role, _index(name, role, chain)) for name, role in roles(program).items()}
    inputs = program.of_kind("input")
    if chain and inputs:
        of_layer[inputs[0].name] = ("activation", "0")
    for name, (role, index) in of_layer.items():
        gradient = f"gradient of {role}"
        if role in notation.letters:
            yield name, _symbol(notation, role, index)
        cotangent = program.cotangent.get(name)
        if gradient not in notation.letters or cotangent is None:
            continue
        if role == "activation" and notation.by_sender and index.isdigit():
            yield cotangent, Transposed(_symbol(notation, gradient, str(int(index) + 1)))
        else:
            yield cotangent, _symbol(notation, gradient, index)


def _of_parameters(
    notation: Notation, program: Program, own: Mapping[str, Symbol]
) -> Iterator[tuple[str, Formula]]:
    """The library's weights and biases, and the gradients with respect to them."""
    for parameter in program.of_kind("parameter"):
        match = OWNED.fullmatch(parameter.name)
        if match is None or match["letter"] not in notation.letters:
            continue
        index = "_".join(filter(None, (match["owner"], match["number"])))
        symbol = own.get(parameter.name) or _symbol(notation, match["letter"], index)
        yield parameter.name, symbol
        if parameter.name in program.cotangent:
            gradient = Symbol(notation.letters["gradient of parameter"] + symbol.text)
            yield program.cotangent[parameter.name], gradient


def _index(name: str, role: str, chain: bool) -> str:
    """`1` of a chain's Z1, `h` of a graph's h_Z and h."""
    if chain:
        return name[1:]
    match = re.fullmatch(r"(\w+)_Z(\d*)", name) if role == "net input" else None
    return "_".join(filter(None, match.groups())) if match else name


def _symbol(notation: Notation, what: str, index: str) -> Symbol:
    letter = notation.letters[what]
    if index.isdigit():
        return Symbol(
            letter + index.translate(TextStyle.superscripts if notation.raised else TextStyle.subscripts)
        )
    return Symbol(f"{letter}_{index}" if index else letter)
