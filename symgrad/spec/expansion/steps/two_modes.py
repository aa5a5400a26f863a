"""A network in training and in inference: `training(a, b)` is a in one and b in the other.

What such a choice reaches stands twice in a model: an equation under its own name as inference has it, which
outputs and predictions are made of, and as training has it, which the loss and next values are made of. So
does what is carried from step to step of such an equation. All else stands once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from symgrad.errors import SpecError
from symgrad.spec.expansion.steps.streams import STREAM
from symgrad.spec.language.builtins import TRAINING
from symgrad.spec.language.syntax import Call, Index, Name
from symgrad.spec.language.trees import calls, replaced, values_in
from symgrad.spec.model import CarriedSpec, EquationSpec, FunctionSpec, StartSpec
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from symgrad.spec.language.syntax import Node

P = TypeVar("P", EquationSpec, FunctionSpec)


@dataclass(frozen=True)
class TwoModes:
    """Equations and functions without choices, and what training calls those that stand twice.

    `loss` is that of training; `evaluation`, that of inference, is None where it is the same.
    """

    equations: tuple[EquationSpec, ...]
    functions: tuple[FunctionSpec, ...]
    loss: Node | None
    evaluation: Node | None
    prediction: Node | None
    in_training: Mapping[str, str]
    carried: tuple[CarriedSpec, ...]


def in_two_modes(
    equations: Sequence[EquationSpec],
    functions: Sequence[FunctionSpec],
    carried: Sequence[CarriedSpec],
    loss: Node | None,
    prediction: Node | None,
    only_training: Collection[str],
    taken: Collection[str],
) -> TwoModes:
    """The same with every choice made; equations `only_training` are none of inference.

    What stands twice gets another name for training, none of those `taken`; without a loss, nothing does.

    Raises:
        SpecError: a choice that is not one of two formulas.
    """
    for formula in _formulas(equations, functions, carried, loss, prediction):
        _check_choices(formula)
    twice = _reached(equations, functions, carried, only_training) if loss is not None else []
    names: dict[str, str] = {}
    for name in twice:
        names[name] = unused(f"{name}_training", {*taken, *names.values()})
    own = {equation.name for equation in equations}
    written = {new: name for name, new in names.items()}

    def here(formula: Node, local: Collection[str] = ()) -> Node:  # noqa: ARG001  # as there
        return _chosen(formula, _inference, {})

    def there(formula: Node, local: Collection[str] = ()) -> Node:
        return _chosen(formula, _training, {name: new for name, new in names.items() if name not in local})

    changed = loss is not None and (_reads(loss) & names.keys() or _has_choice(loss))
    return TwoModes(
        equations=tuple(_both(equations, names, here, there, only_training)),
        functions=tuple(
            replace(f, written=written.get(f.name, "")) for f in _both(functions, names, here, there, ())
        ),
        loss=None if loss is None else there(loss),
        evaluation=here(loss) if loss is not None and changed else None,
        prediction=None if prediction is None else here(prediction),
        in_training={name: new for name, new in names.items() if name in own},
        carried=tuple(_both_carried(carried, names, here, there)),
    )


@dataclass(frozen=True)
class Chosen:
    """Equations, functions, what is carried and a prediction, in which every choice is made."""

    equations: tuple[EquationSpec, ...]
    functions: tuple[FunctionSpec, ...]
    carried: tuple[CarriedSpec, ...]
    prediction: Node | None


def in_draws(
    equations: Sequence[EquationSpec],
    functions: Sequence[FunctionSpec],
    carried: Sequence[CarriedSpec],
    prediction: Node | None,
) -> Chosen:
    """The same as training has it where it draws, and as inference has it elsewhere."""

    def made(formula: Node) -> Node:
        return _chosen(formula, _where_drawn, {})

    return Chosen(
        tuple(replace(e, formula=made(e.formula)) for e in equations),
        tuple(replace(f, formula=made(f.formula)) for f in functions),
        tuple(replace(c, start=replace(c.start, formula=made(c.start.formula))) for c in carried),
        None if prediction is None else made(prediction),
    )


def in_inference(equations: Iterable[EquationSpec]) -> tuple[EquationSpec, ...]:
    """Equations that stand for themselves, as inference has them."""
    return tuple(
        replace(equation, formula=_chosen(equation.formula, _inference, {})) for equation in equations
    )


def _formulas(
    equations: Iterable[EquationSpec],
    functions: Iterable[FunctionSpec],
    carried: Iterable[CarriedSpec],
    *results: Node | None,
) -> list[Node]:
    defined = [*(e.formula for e in equations), *(f.formula for f in functions)]
    defined += [c.start.formula for c in carried]
    return [*defined, *(node for node in results if node is not None)]


def _check_choices(formula: Node) -> None:
    for call in calls(formula):
        if call.function == TRAINING and (call.keywords or len(call.arguments) != 2):
            problem = "training takes two formulas: what holds in training, and what holds in inference"
            raise SpecError(problem, at=call.at, remedy="write training(mu, m), for example")


def _has_choice(formula: Node) -> bool:
    return any(call.function == TRAINING for call in calls(formula))


def _reads(formula: Node) -> set[str]:
    """The tensors and functions that a formula names."""
    return values_in(formula) | {call.function for call in calls(formula)}


def _local(part: EquationSpec | FunctionSpec | StartSpec) -> set[str]:
    """The names that stand for no tensor in it: a function's arguments, an equation's indices."""
    if isinstance(part, FunctionSpec):
        return {*part.arguments, *(name for name, _ in part.defaults)}
    if isinstance(part, EquationSpec):
        return {*part.index_names}
    return {name for name in part.indices if name is not None}


def _reached(
    equations: Sequence[EquationSpec],
    functions: Sequence[FunctionSpec],
    carried: Sequence[CarriedSpec],
    only_training: Collection[str],
) -> list[str]:
    """What a choice is made in, and what that has a say in: equations, functions, what is carried."""
    parts: list[tuple[str, EquationSpec | FunctionSpec | StartSpec]] = [(f.name, f) for f in functions]
    parts += [(equation.name, equation) for equation in equations if equation.name not in only_training]
    parts += [(c.name, c.start) for c in carried]
    sources = {c.name: {c.source} for c in carried}
    reads = {name: (_reads(p.formula) - _local(p)) | sources.get(name, set()) for name, p in parts}
    chosen = {name for name, part in parts if _has_choice(part.formula)}
    found: list[str] = []
    while True:
        more = [n for n, read in reads.items() if n not in found and (n in chosen or read & {*found})]
        if not more:
            return found
        found += more


def _training(_: Call) -> int:
    return 0


def _inference(_: Call) -> int:
    return 1


def _where_drawn(choice: Call) -> int:
    """That of training, where it draws: each call that does was told its stream."""
    drawing = (name for call in calls(choice.arguments[0]) for name, _ in call.keywords)
    return 0 if STREAM in drawing else 1


def _chosen(formula: Node, place: Callable[[Call], int], names: Mapping[str, str]) -> Node:
    """The formula with every choice made, over what bears other `names`; indices keep theirs."""

    def in_index(node: Node) -> Node | None:
        return None if isinstance(node, Name) else change(node)

    def change(node: Node) -> Node | None:
        match node:
            case Call(function, arguments) if function == TRAINING:
                return _chosen(arguments[place(node)], place, names)
            case Call(function, arguments, keywords) if function in names:
                inner = tuple(_chosen(a, place, names) for a in arguments)
                by_name = tuple((key, _chosen(a, place, names)) for key, a in keywords)
                return replace(node, function=names[function], arguments=inner, keywords=by_name)
            case Name(name) if name in names:
                return replace(node, id=names[name])
            case Index(tensor, indices):
                labels = tuple(replaced(index, in_index) for index in indices)
                return replace(node, tensor=names.get(tensor, tensor), indices=labels)
        return None

    return replaced(formula, change)


def _both(
    parts: Sequence[P],
    names: Mapping[str, str],
    here: Callable[[Node], Node],
    there: Callable[[Node, Collection[str]], Node],
    only_training: Collection[str],
) -> Iterator[P]:
    """Every part as inference has it, and behind it as training does, where that is another one."""
    for part in parts:
        if part.name in only_training:
            yield replace(part, formula=there(part.formula, _local(part)))
            continue
        yield replace(part, formula=here(part.formula))
        if part.name in names:
            yield replace(part, name=names[part.name], formula=there(part.formula, _local(part)))


def _both_carried(
    carried: Sequence[CarriedSpec],
    names: Mapping[str, str],
    here: Callable[[Node], Node],
    there: Callable[[Node, Collection[str]], Node],
) -> Iterator[CarriedSpec]:
    """What is carried in inference, and behind it what is in training, where that is another one."""
    for one in carried:
        start = one.start
        yield replace(one, start=replace(start, formula=here(start.formula)))
        if one.name in names:
            formula = there(start.formula, _local(start))
            source = names.get(one.source, one.source)
            yield CarriedSpec(names[one.name], source, replace(start, formula=formula))
