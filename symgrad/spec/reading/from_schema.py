"""From the schema to a `Spec`: formulas are parsed, names checked, defaults filled in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, did_you_mean
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.known_numbers import (
    with_known_numbers,
    with_known_start,
    with_sizes_in_indices,
)
from symgrad.spec.language.names import check_module_name, check_name, shorten
from symgrad.spec.language.syntax import Boolean, Call, Name, Node, Number
from symgrad.spec.language.trees import is_number, signed_number
from symgrad.spec.model import (
    AxisSpec,
    EquationSpec,
    FunctionSpec,
    NetworkSpec,
    ParameterAxis,
    ParameterSpec,
    Spec,
    StartSpec,
    StateSpec,
    TensorSpec,
)
from symgrad.spec.reading.constant_block import constant_specs
from symgrad.spec.reading.declarations import check_declarations
from symgrad.spec.reading.derive_block import with_derive_block
from symgrad.spec.reading.equations.equation_texts import equations_at, equations_in
from symgrad.spec.reading.equations.network_block import networks_at
from symgrad.spec.reading.equations.recurrence_starts import starts_in
from symgrad.spec.reading.equations.repeats import equations_repeated, layers_at, repeated_names
from symgrad.spec.reading.equations.solved_equations import solved_in
from symgrad.spec.reading.located import call_at, check_key, formula_at, names_at
from symgrad.spec.reading.schema import (
    ParameterBlock,
    SolvedBlock,
    SpecBlock,
    StateBlock,
    TargetBlock,
    TensorBlock,
)
from symgrad.spec.reading.training.finishing import with_needed
from symgrad.spec.reading.training.train_block import train_spec
from symgrad.spec.taken_names import names_taken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.spec.reading.document import Document, Key
    from symgrad.spec.reading.equations.solved_equations import Solved
    from symgrad.spec.reading.schema import RepeatedBlock

_FUNCTION_REMEDY = "expected a name and its arguments, such as swish(x, beta)"


def build(block: SpecBlock, document: Document) -> Spec:
    """The spec a checked document stands for.

    Raises:
        SpecError: for names and formulas outside the language, and declarations that contradict each other.
    """
    starts = starts_in(block.equations or {}, _axes_named(block, document), document)
    solved = solved_in(block.equations or {}, _names_given(block, document), document)
    spec = Spec(
        name=_spec_name(block, document),
        dtype=block.dtype,
        axes=tuple((check_key(document, ("axes", name)), size) for name, size in block.axes.items()),
        inputs=_tensors("inputs", block.inputs, block.axes, document),
        targets=_tensors("targets", block.targets, block.axes, document),
        constants=constant_specs(block, document),
        parameters=(
            *(_parameter(("parameters", name), p, document) for name, p in block.parameters.items()),
            *(_parameter(("state", name), s, document) for name, s in block.state.items()),
        ),
        state=tuple(_state(name, s, document) for name, s in block.state.items()),
        functions=tuple(_function(key, text, document) for key, text in block.functions.items()),
        networks=networks_at(document, block.networks),
        layers=layers_at(document, ("layers",), block.layers or ()),
        equations=tuple(_all_equations(block.equations or {}, starts, solved, document)),
        starts=(*starts.values(), *(start for found in solved.values() for start in found.starts)),
        solved=tuple(found.spec for found in solved.values()),
        outputs=names_at(document, ("outputs",), block.outputs),
        loss=formula_at(document, ("loss",), block.loss) if block.loss is not None else None,
        gradients=names_at(document, ("gradients",), block.gradients),
        manual=equations_in(("manual",), block.manual, document),
        train=train_spec(block, document),
        sha256=document.sha256,
        text=document.text,
        path=document.path,
        at=Position(document.source, 1, 1),
        places=(
            *(("outputs", n, document.place(("outputs", i)).value) for i, n in enumerate(block.outputs)),
            *(
                ("gradients", n, document.place(("gradients", i)).value)
                for i, n in enumerate(block.gradients)
            ),
            *(("axes", n, document.place(("axes", n)).key) for n in block.axes),
            *(("train", n, document.place(("train", n)).value) for n in block.train.model_fields_set),
        ),
    )
    spec = with_derive_block(spec, block.derive, document)
    check_declarations(spec, _axes_named(block, document), repeated_names(block.equations or {}, document))
    return _with_known_numbers(with_needed(spec))


def _with_known_numbers(spec: Spec) -> Spec:
    """The spec with the names pi and e as numbers, where it does not define them."""
    taken = names_taken(spec) | {equation.name for equation in (*spec.equations, *spec.manual)}

    sizes = dict(spec.axes)

    def plain(formula: Node, indices: tuple[str, ...]) -> Node:
        return with_sizes_in_indices(with_known_numbers(formula, (*taken, *indices)), sizes, indices)

    def equations(found: tuple[EquationSpec, ...]) -> tuple[EquationSpec, ...]:
        return tuple(replace(e, formula=plain(e.formula, e.index_names)) for e in found)

    def start(found: StartSpec) -> StartSpec:
        own = tuple(index for index in found.indices if index is not None)
        known = with_known_start(found.formula, (*taken, *own))
        return replace(found, formula=with_sizes_in_indices(known, sizes, own))

    def function(found: FunctionSpec) -> FunctionSpec:
        own = (*found.arguments, *(name for name, _ in found.defaults))
        return replace(found, formula=with_known_numbers(found.formula, (*taken, *own)))

    def network(found: NetworkSpec) -> NetworkSpec:
        own = (*taken, *found.arguments, *(equation.name for equation in found.equations))
        body = (
            replace(e, formula=with_known_numbers(e.formula, (*own, *e.index_names))) for e in found.equations
        )
        return replace(found, equations=tuple(body))

    return replace(
        spec,
        networks=tuple(map(network, spec.networks)),
        functions=tuple(map(function, spec.functions)),
        equations=equations(spec.equations),
        state=tuple(replace(found, next=plain(found.next, ())) for found in spec.state),
        starts=tuple(map(start, spec.starts)),
        manual=equations(spec.manual),
        loss=spec.loss and plain(spec.loss, ()),
    )


def _spec_name(block: SpecBlock, document: Document) -> str:
    """The name given, or the file's; `model` for a text or a dict."""
    if block.name is not None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", block.name):
            at = document.place(("name",)).value
            remedy = "expected a letter, then letters, digits, '_' and '-', at most 64"
            raise SpecError(f"'{shorten(block.name)}' cannot name a spec", at=at, remedy=remedy)
        return check_module_name(block.name, document.place(("name",)).value)
    stem = document.path.stem if document.path else ""
    name = re.sub(r"[^A-Za-z0-9_-]|^(?![A-Za-z])", "_", stem, flags=re.ASCII).lstrip("_")[:64] or "model"
    return check_module_name(name, Position(document.source, 1, 1))


def _tensors(
    kind: str, blocks: Mapping[str, TensorBlock], sizes: Mapping[str, int], document: Document
) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            check_key(document, (kind, name)),
            _axes(block.axes, document, (kind, name)),
            _class_count(block.classes, sizes, document, (kind, name, "classes")),
            document.place((kind, name)).key,
            block.ignore if isinstance(block, TargetBlock) else None,
            tuple(block.classes) if isinstance(block.classes, list) else (),
        )
        for name, block in blocks.items()
    )


def _class_count(
    classes: int | str | list[str | bool | int | float] | None,
    sizes: Mapping[str, int],
    document: Document,
    key: Key,
) -> int | None:
    """How many classes there are: so many, as many as have names, or as an axis is long."""
    if not isinstance(classes, str):
        return len(classes) if isinstance(classes, list) else classes
    if sizes.get(classes, 0) < 2:
        expected = f"expected a number from 2, names, or axes: {{{classes}: 10}}"
        what, remedy = f"the axis '{classes}' is 1 long", expected
        if classes not in sizes:
            what, remedy = f"no axis '{classes}' has a size", did_you_mean(classes, sizes) or expected
        raise SpecError(f"{what}, so it is no number of classes", at=document.place(key).value, remedy=remedy)
    return sizes[classes]


def _axes(axes: list[AxisSpec], document: Document, key: Key) -> tuple[AxisSpec, ...]:
    for i, axis in enumerate(axes):
        if isinstance(axis, str):
            check_name(axis, _axis_place(document, key, i))
    return tuple(axes)


def _axis_place(document: Document, key: Key, number: int) -> Position:
    return document.place((*key, "axes", number)).value


def _axes_named(block: SpecBlock, document: Document) -> dict[str, Position]:
    """Where each axis is first named."""
    places = {name: document.place(("axes", name)).key for name in block.axes}
    for kind, tensors in (
        ("inputs", block.inputs),
        ("targets", block.targets),
        ("parameters", block.parameters),
        ("state", block.state),
    ):
        for name, tensor in tensors.items():
            for i, axis in enumerate(tensor.axes):
                if isinstance(axis, str) and not (kind in ("parameters", "state") and _is_formula(axis)):
                    places.setdefault(axis, _axis_place(document, (kind, name), i))
    return places


def _names_given(block: SpecBlock, document: Document) -> set[str]:
    """All names that a spec gives to something."""
    heads = (*(block.equations or {}), *block.manual, *block.functions, *block.networks)
    given = (part.strip() for head in heads for part in re.split(r"[\[(,\])]", head))
    tensors = (*block.inputs, *block.targets, *block.constants, *block.parameters, *block.state)
    return {*_axes_named(block, document), *tensors, *given}


def _parameter(key: Key, block: ParameterBlock | StateBlock, document: Document) -> ParameterSpec:
    at = document.place(key).key
    axes = _parameter_axes(block.axes, document, key)
    init = _init(block.init, document, (*key, "init")) if block.init is not None else _default_init(axes, at)
    return ParameterSpec(check_key(document, key), axes, init, at)


def _state(name: str, block: StateBlock, document: Document) -> StateSpec:
    key: Key = ("state", name)
    return StateSpec(name, formula_at(document, (*key, "next"), block.next), document.place(key).key)


def _parameter_axes(axes: list[AxisSpec], document: Document, key: Key) -> tuple[ParameterAxis, ...]:
    """Sizes, names and formulas of sizes."""

    def read(number: int, axis: AxisSpec) -> ParameterAxis:
        place = _axis_place(document, key, number)
        if isinstance(axis, str) and _is_formula(axis):
            return parse_formula(axis, place)
        return axis if isinstance(axis, int) else check_name(axis, place)

    return tuple(read(number, axis) for number, axis in enumerate(axes))


def _is_formula(axis: str) -> bool:
    return any(sign in axis for sign in "(+-*/%")


def _default_init(axes: tuple[ParameterAxis, ...], at: Position) -> Call:
    return Call("glorot_uniform" if len(axes) >= 2 else "zeros", (), (), at)


def _init(text: str, document: Document, key: Key) -> Call | Number:
    number = signed_number(formula_at(document, key, text))
    if isinstance(number, Number):
        return number
    return call_at(document, key, text, "an initial value that is not a number", "zeros or normal(std=0.1)")


def _function(key: str, text: str, document: Document) -> FunctionSpec:
    at = document.place(("functions", key)).key
    head = parse_formula(key, at)
    if not isinstance(head, Call):
        raise SpecError(f"'{shorten(key)}' is no function", at=at, remedy=_FUNCTION_REMEDY)
    arguments = tuple(_argument(argument) for argument in head.arguments)
    names = (*arguments, *(name for name, _ in head.keywords))
    for name in names:
        check_name(name, at)
        if names.count(name) > 1:
            raise SpecError(f"'{name}' names two arguments", at=at, remedy=_FUNCTION_REMEDY)
    for name, value in head.keywords:
        if not isinstance(value, Boolean) and not is_number(value):
            raise SpecError(
                f"the default of '{name}' is not a number",
                at=value.at,
                remedy=f"write {name}=0.1, for example",
            )
    formula = formula_at(document, ("functions", key), text)
    return FunctionSpec(check_name(head.function, at), arguments, formula, at, head.keywords)


def _argument(node: Node) -> str:
    if not isinstance(node, Name):
        raise SpecError("an argument of a function is a name", at=node.at, remedy=_FUNCTION_REMEDY)
    return node.id


def _all_equations(
    blocks: Mapping[str, str | RepeatedBlock | SolvedBlock],
    starts: Collection[str],
    solved: Mapping[str, Solved],
    document: Document,
) -> Iterator[EquationSpec]:
    """The equations of a graph but those of `starts`, repeated ones as often as they stand for, and in the
    place of those that are `solved` what stands for them.
    """
    for name, block in blocks.items():
        if name in starts:
            continue
        key: Key = ("equations", name)
        if isinstance(block, str):
            yield from equations_at(key, block, document)
            continue
        if isinstance(block, SolvedBlock):
            yield from solved[name].equations
            continue
        inside, repeated = (*key, "repeat"), block.repeat
        start = formula_at(document, (*inside, "start"), repeated.start)
        body = equations_in((*inside, "equations"), repeated.equations, document)
        yield from equations_repeated(check_key(document, key), start, repeated.times, body, document)
