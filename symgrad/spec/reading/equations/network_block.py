"""The networks block: functions with parameters of their own, `u(x, t): [dense(20), dense(1)]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.names import check_name, shorten
from symgrad.spec.language.syntax import Call, Name
from symgrad.spec.language.wellformed import COMMA_IN_YAML
from symgrad.spec.model import EquationSpec, NetworkSpec
from symgrad.spec.reading.equations.equation_texts import equations_in
from symgrad.spec.reading.equations.repeats import layers_at
from symgrad.spec.reading.located import formula_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Branch
    from symgrad.spec.reading.document import Document, Key
    from symgrad.spec.reading.schema import CalledNetworkBlock, Layer

_REMEDY = "expected a name and its arguments, such as u(x, t)"


def networks_at(
    document: Document, blocks: Mapping[str, str | list[Layer] | CalledNetworkBlock]
) -> tuple[NetworkSpec, ...]:
    """The networks of a spec.

    Raises:
        SpecError: a key that is no call of names, a name that stands twice, or formulas outside the language.
    """
    found: dict[str, NetworkSpec] = {}
    for key, block in blocks.items():
        network = _network(key, block, document)
        if network.name in found:
            problem = f"the network '{network.name}' stands twice, first at {found[network.name].at}"
            raise SpecError(problem, at=network.at, remedy="choose another name")
        found[network.name] = network
    return tuple(found.values())


def _network(text: str, block: str | list[Layer] | CalledNetworkBlock, document: Document) -> NetworkSpec:
    key: Key = ("networks", text)
    at = document.place(key).key
    if text.count("(") != text.count(")"):
        raise SpecError(f"'{shorten(text)}' is no network", at=at, remedy=COMMA_IN_YAML)
    head = parse_formula(text, at)
    if not isinstance(head, Call) or not head.arguments or head.keywords:
        raise SpecError(f"'{shorten(text)}' is no network with arguments", at=at, remedy=_REMEDY)
    arguments = tuple(a.id for a in head.arguments if isinstance(a, Name))
    if len(arguments) < len(head.arguments) or len({*arguments}) < len(arguments):
        problem = "the arguments of a network are different names"
        raise SpecError(problem, at=at, remedy=_REMEDY)
    for name in arguments:
        check_name(name, at)
    layers, equations = _body(head.function, block, document, key)
    return NetworkSpec(check_name(head.function, at), arguments, layers, equations, at)


def _body(
    name: str, block: str | list[Layer] | CalledNetworkBlock, document: Document, key: Key
) -> tuple[tuple[Call | Branch, ...], tuple[EquationSpec, ...]]:
    """The layers of a network, or its equations."""
    if isinstance(block, str):
        formula = formula_at(document, key, block)
        return (), (EquationSpec(name, None, formula, document.place(key).value),)
    if isinstance(block, list):
        return layers_at(document, key, block), ()
    if block.layers is not None:
        return layers_at(document, (*key, "layers"), block.layers), ()
    equations = equations_in((*key, "equations"), block.equations or {}, document)
    for number, equation in enumerate(equations):
        if any(equation.name == before.name for before in equations[:number]):
            problem = f"two equations of the network define '{equation.name}'"
            raise SpecError(problem, at=equation.at, remedy="choose another name")
    return (), equations
