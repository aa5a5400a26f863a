"""What is repeated in a spec, written out: each time it has parameters of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Index, Name, Node
from symgrad.spec.language.trees import transform, walk
from symgrad.spec.model import Branch, EquationSpec
from symgrad.spec.reading.located import call_at
from symgrad.spec.reading.schema import (
    MAX_EQUATIONS,
    ConcatBlock,
    RepeatBlock,
    RepeatedBlock,
    ResidualBlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Call
    from symgrad.spec.reading.document import Document, Key
    from symgrad.spec.reading.schema import Layer


def layers_at(document: Document, key: Key, items: Sequence[Layer]) -> tuple[Call | Branch, ...]:
    """The layers in the list at `key`, repeated ones as often as they stand for.

    Raises:
        SpecError: an item is no call, or there are more layers than a spec may have.
    """
    found: list[Call | Branch] = []
    for number, item in enumerate(items):
        here = (*key, number)
        match item:
            case RepeatBlock(repeat=block):
                once = layers_at(document, (*here, "repeat", "layers"), block.layers)
                _check_count(sum(map(_count, once)) * block.times, document, (*here, "repeat", "times"))
                found += once * block.times
            case ResidualBlock(residual=inside):
                found.append(_branch("residual", inside, document, here))
            case ConcatBlock(concat=inside):
                found.append(_branch("concat", inside, document, here))
            case str():
                found.append(call_at(document, here, item, "a layer", "dense(32, activation=relu)"))
    return tuple(found)


def _branch(join: str, items: Sequence[Layer], document: Document, key: Key) -> Branch:
    layers, at = layers_at(document, (*key, join), items), document.place((*key, join)).key
    return Branch("residual" if join == "residual" else "concat", layers, at)


def _count(layer: Call | Branch) -> int:
    return 1 + sum(map(_count, layer.layers)) if isinstance(layer, Branch) else 1


def _check_count(number: int, document: Document, key: Key) -> None:
    if number > MAX_EQUATIONS:
        raise SpecError(
            f"{number:,} layers or equations are repeated ones, a spec may have {MAX_EQUATIONS:,}",
            at=document.place(key).value,
            remedy="repeat fewer, or fewer times",
        )


def repeated_names(blocks: Mapping[str, object], document: Document) -> dict[str, Position]:
    """The names inside blocks of repeated equations, for which others stand, each where it stands first."""
    found: dict[str, Position] = {}
    for name, block in blocks.items():
        for inner in block.repeat.equations if isinstance(block, RepeatedBlock) else ():
            key = ("equations", name, "repeat", "equations", inner)
            found.setdefault(inner.partition("[")[0].strip(), document.place(key).key)
    return {name: at for name, at in found.items() if name not in blocks}


def equations_repeated(
    name: str, start: Node, times: int, body: Sequence[EquationSpec], document: Document
) -> Iterator[EquationSpec]:
    """`body` over and over, where `name` is its value of the time before, at first that of `start`.

    Of the k-th time `a` is called `ak`; the last value of `name` has that name itself.

    Raises:
        SpecError: the last equation gives `name` no new value, or there are more than a spec may have.
    """
    key = ("equations", name, "repeat")
    _check_count(times * len(body), document, (*key, "times"))
    if body[-1].name != name:
        at = document.place((*key, "equations", body[-1].name)).key
        problem = f"the last of the repeated equations is '{body[-1].name}'"
        raise SpecError(problem, at=at, remedy=f"expected '{name}', which the next time goes on from")
    before = start.id if isinstance(start, Name) else f"{name}0"
    if not isinstance(start, Name):
        yield EquationSpec(check_name(before, start.at), None, start, start.at)
    for time in range(1, times + 1):
        names = {equation.name: f"{equation.name}{time}" for equation in body}
        for equation in body:
            label = check_name(names[equation.name], equation.at)
            is_last = equation is body[-1]
            given = name if is_last and time == times else label
            formula = _renamed(equation, {**names, name: before})
            yield replace(equation, name=given, formula=formula, label=label)
        before = given


def _renamed(equation: EquationSpec, names: Mapping[str, str]) -> Node:
    """The formula over tensors of other names; what runs over an axis keeps its own."""
    indices = (place for node in walk(equation.formula) if isinstance(node, Index) for place in node.indices)
    running = {*equation.index_names, *(n.id for i in indices for n in walk(i) if isinstance(n, Name))}
    known = {old: new for old, new in names.items() if old not in running}

    def change(node: Node) -> Node:
        match node:
            case Name(name) if name in known:
                return replace(node, id=known[name])
            case Index(tensor) if tensor in names:
                return replace(node, tensor=names[tensor])
        return node

    return transform(equation.formula, change)
