"""Take the sugar out of a spec: chains, layers, bare losses, library optimisers and schedules.

What is left are parameters and equations, which the compiler elaborates and the verifier evaluates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.builtins import LANGUAGE_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.calls import bind, calls, names_in, substitute, transform
from symgrad.spec.layers import LayerExpander
from symgrad.spec.learning_rate import resolve_schedule
from symgrad.spec.model import EquationSpec, FunctionSpec, Model, Spec
from symgrad.spec.resolve import resolve_optimizer
from symgrad.spec.syntax import Call, Name, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.errors import Position

Task = Literal["values", "binary", "classes", "sign"]


def expand(spec: Spec) -> Model:
    """The model a spec describes.

    Raises:
        SpecError: an unknown function, layer, optimiser, schedule or initialiser, or a wrong call of one.
    """
    _check_functions(spec)
    layers = LayerExpander(spec)
    layers.run()
    equations = tuple(replace(e, formula=_reduced_losses(e.formula)) for e in layers.equations)
    after_targets = _depending_on_targets(spec, equations)
    outputs = _outputs(spec, equations, after_targets)
    raw_loss = _loss(spec, outputs)
    prediction, task = _prediction(raw_loss, after_targets)
    loss = _reduced_losses(raw_loss) if raw_loss is not None else None
    manual = _manual(spec, {*(p.name for p in layers.parameters), *(e.name for e in equations)})
    used = [*(e.formula for e in (*equations, *manual)), *(n for n in (loss, prediction) if n is not None)]
    optimizer = resolve_optimizer(spec.train)
    return Model(
        spec=spec,
        parameters=tuple(layers.parameters),
        functions=_needed_functions(spec, used),
        equations=equations,
        outputs=outputs,
        loss=loss,
        prediction=prediction,
        task=task,
        optimizer=optimizer,
        schedule=resolve_schedule(spec.train, optimizer, spec.at),
        manual=manual,
    )


def _check_functions(spec: Spec) -> None:
    """A user's function may replace a library function, but no layer and no loss: these are more."""
    for function in spec.functions:
        kind = "layer" if function.name in library.layers else "loss"
        if function.name in library.layers or function.name in library.losses:
            raise SpecError(
                f"'{function.name}' is a {kind} of the library",
                at=function.at,
                remedy=f"choose another name, such as 'my_{function.name}'",
            )


def _depending_on_targets(spec: Spec, equations: Iterable[EquationSpec]) -> set[str]:
    """The targets, and what is computed from them: no part of a forward pass."""
    found = {t.name for t in spec.targets}
    inside = _tensors_in_functions(spec)
    for equation in equations:
        called = {name for call in calls(equation.formula) for name in inside.get(call.function, ())}
        if (names_in(equation.formula) | called) & found:
            found.add(equation.name)
    return found


def _tensors_in_functions(spec: Spec) -> dict[str, set[str]]:
    """What each of the user's functions reads besides its arguments, itself or through those it calls."""
    reads = {}
    for function in spec.functions:
        own = {*function.arguments, *(name for name, _ in function.defaults)}
        reads[function.name] = names_in(function.formula) - own
    for _ in spec.functions:
        for function in spec.functions:
            for call in calls(function.formula):
                reads[function.name] |= reads.get(call.function, set())
    return reads


def _outputs(spec: Spec, equations: tuple[EquationSpec, ...], after_targets: set[str]) -> tuple[str, ...]:
    """What `forward` returns: what the spec says, or the last equation that needs no target."""
    for name in spec.outputs:
        if name in after_targets:
            raise SpecError(
                f"the output '{name}' depends on a target",
                at=spec.place_of("outputs", name),
                remedy="an output is computed from inputs and parameters",
            )
    possible = [e.name for e in equations if e.name not in after_targets]
    return spec.outputs or tuple(possible[-1:])


def _loss(spec: Spec, outputs: tuple[str, ...]) -> Node | None:
    """The loss; one named without arguments is applied to the output and the target."""
    loss = spec.loss
    if loss is None:
        return None
    if isinstance(loss, Name) and (loss.id not in library.losses or loss.id in _tensor_names(spec)):
        return _named_loss(spec, loss)
    if isinstance(loss, Name):
        loss = Call(loss.id, (), (), loss.at)
    if not isinstance(loss, Call) or loss.function not in library.losses or loss.arguments:
        return _without_layers(loss, "the loss")
    if len(outputs) != 1 or len(spec.targets) != 1:
        raise SpecError(
            f"'{loss.function}' alone needs one output and one target, "
            f"this spec has {len(outputs)} and {len(spec.targets)}",
            at=loss.at,
            remedy=f"say which: {loss.function}(y, t)",
        )
    pair = (Name(outputs[0], loss.at), Name(spec.targets[0].name, loss.at))
    return replace(loss, arguments=pair)


def _tensor_names(spec: Spec) -> set[str]:
    declared = {t.name for t in (*spec.inputs, *spec.targets)} | {p.name for p in spec.parameters}
    return declared | {e.name for e in spec.equations}


def _named_loss(spec: Spec, loss: Name) -> Node:
    """A loss that is one of the tensors, or a slip of the pen."""
    if loss.id in _tensor_names(spec):
        return loss
    remedy = did_you_mean(loss.id, library.losses) or f"there are {', '.join(library.losses)}"
    raise SpecError(f"unknown loss '{loss.id}'", at=loss.at, remedy=remedy)


def _without_layers(formula: Node, place: str) -> Node:
    for call in calls(formula):
        if call.function in library.layers:
            raise SpecError(
                f"{call.function} cannot stand in {place}", at=call.at, remedy="give it an equation"
            )
    return formula


def _manual(spec: Spec, taken: set[str]) -> tuple[EquationSpec, ...]:
    """The formulas of the `manual` block, whose names no layer has taken."""
    formulas = []
    for equation in spec.manual:
        if equation.name in taken:
            problem = f"the manual formula '{equation.name}' has the name of a tensor of the model"
            raise SpecError(problem, at=equation.at, remedy="choose another name")
        formula = _without_layers(equation.formula, "a manual formula")
        formulas.append(replace(equation, formula=_reduced_losses(formula)))
    return tuple(formulas)


def _prediction(loss: Node | None, after_targets: set[str]) -> tuple[Node | None, Task]:
    """What a user wants to see: decided by the first library loss that stands in the loss."""
    for call in calls(loss) if loss is not None else ():
        entry = library.losses.get(call.function)
        if entry is not None:
            values = bind(call, entry.signature, extra=("reduction",))
            node = substitute(entry.predicted, values) if entry.predicted is not None else None
            if node is not None and names_in(node) & after_targets:
                node = None
            return node, cast("Task", entry.task)
    return None, "values"


def _reduced_losses(node: Node) -> Node:
    """`mse(y, t, reduction=sum)` becomes `sum(mse(y, t))`; the mean is taken when nothing is said."""

    def change(node: Node) -> Node:
        if not isinstance(node, Call) or node.function not in library.losses:
            return node
        keywords = dict(node.keywords)
        reduction = keywords.pop("reduction", Name("mean", node.at))
        if not isinstance(reduction, Name) or reduction.id not in ("mean", "sum", "none"):
            raise SpecError(
                "reduction must be mean, sum or none", at=reduction.at, remedy="write reduction=sum"
            )
        inner = replace(node, keywords=tuple(keywords.items()))
        return inner if reduction.id == "none" else Call(reduction.id, (inner,), (), node.at)

    return transform(node, change)


def _needed_functions(spec: Spec, formulas: Iterable[Node]) -> tuple[FunctionSpec, ...]:
    """The user's and the library's functions that the formulas call, each after those it calls itself."""
    users = {f.name: f for f in spec.functions}
    found: dict[str, FunctionSpec] = {}

    def visit(call: Call, inside: tuple[str, ...]) -> None:
        name = call.function
        if name in STEPWISE_FUNCTIONS:
            remedy = "it may stand in a schedule or in an optimizer's update"
            raise SpecError(f"{name} has no slope to learn by", at=call.at, remedy=remedy)
        if name in LANGUAGE_FUNCTIONS:
            return
        if name in inside:
            raise SpecError(
                f"function '{name}' calls itself", at=call.at, remedy="write it without recursion"
            )
        if name in users and inside and inside[-1] not in users:
            raise SpecError(
                f"'{name}' is defined here, but the library's {inside[-1]} is built on its own {name}",
                at=users[name].at,
                remedy="choose another name",
            )
        if name in found:
            return
        function = users.get(name) or _library_function(name, call.at, users)
        for inner in calls(function.formula):
            visit(inner, (*inside, name))
        found[name] = function

    for function in spec.functions:
        visit(Call(function.name, (), (), function.at), ())
    for formula in formulas:
        for call in calls(formula):
            visit(call, ())
    return tuple(found.values())


def _library_function(name: str, at: Position, users: Iterable[str]) -> FunctionSpec:
    entry = library.functions.get(name)
    if entry is None:
        known = (*LANGUAGE_FUNCTIONS, *library.functions, *library.layers, *users)
        remedy = did_you_mean(name, known) or "`symgrad list` shows what there is"
        raise SpecError(f"unknown function '{name}'", at=at, remedy=remedy)
    signature = entry.signature
    return FunctionSpec(name, signature.arguments, entry.body, at, signature.defaults)
