"""Take the sugar out of a spec: chains, layers, networks, bare losses, library optimisers and schedules.

What is left are parameters and equations, which the compiler elaborates and the verifier evaluates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec import library
from symgrad.spec.expansion.averaging import with_average
from symgrad.spec.expansion.chosen_parameters import frozen_parameters
from symgrad.spec.expansion.hyper_parameters import of_clipping, of_optimizer
from symgrad.spec.expansion.layers.layer_calls import known_layers, replaced_inside
from symgrad.spec.expansion.layers.layer_expansion import LayerExpander
from symgrad.spec.expansion.layers.network_calls import NetworkExpander
from symgrad.spec.expansion.layers.network_functions import functions_of
from symgrad.spec.expansion.learning_rate import resolve_schedule
from symgrad.spec.expansion.loss_formulas import applied_loss, reduced_losses, scoring_of
from symgrad.spec.expansion.over_axes import function_over_axes, with_axes_named
from symgrad.spec.expansion.own_steps import OwnSteps
from symgrad.spec.expansion.parameter_groups import of_groups, parameter_groups
from symgrad.spec.expansion.resolve import resolve_optimizer
from symgrad.spec.expansion.steps.drawn_prediction import drawn_prediction
from symgrad.spec.expansion.steps.next_values import next_values
from symgrad.spec.expansion.steps.solved_tensors import refuse_around_solved, refuse_in_solved
from symgrad.spec.expansion.steps.streams import Streams
from symgrad.spec.expansion.steps.two_modes import in_draws, in_inference, in_two_modes
from symgrad.spec.expansion.steps_before import refuse_with_carried, with_carried, with_rows_said
from symgrad.spec.language.builtins import (
    DERIVATIVE,
    LANGUAGE_FUNCTIONS,
    STEPWISE_FUNCTIONS,
    STOP_GRADIENT,
    is_derivative,
)
from symgrad.spec.language.indexing.affine import CHOOSE
from symgrad.spec.language.syntax import Call, Node
from symgrad.spec.language.trees import calls
from symgrad.spec.model import CarriedSpec, EquationSpec, FunctionSpec, Model, NetworkFunction, Spec
from symgrad.spec.other_names import meant
from symgrad.spec.reads import draws_in, read_by, read_inside
from symgrad.spec.sense import refuse_nonsense
from symgrad.spec.taken_names import tensors_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def expand(spec: Spec) -> Model:
    """The model a spec describes.

    Raises:
        SpecError: an unknown function, layer, optimiser, schedule or initialiser, a wrong call of one, or
            something that is never meant.
    """
    _check_functions(spec)
    refuse_in_solved(spec)
    layers = LayerExpander(spec)
    layers.run()
    networks = NetworkExpander(spec, layers)
    lossy = replace(spec, loss=networks.run(layers.equations, spec.loss))
    steps = OwnSteps(networks.equations, {e.name for e in spec.equations})
    layers.parameters[:] = map(steps.parameter, layers.parameters)
    layers.demands[:] = map(steps.demand, layers.demands)
    hiding = tuple(map(steps.hiding, layers.hiding))
    equations = tuple(replace(e, formula=_plain(e.formula, spec)) for e in steps.equations)
    starts = tuple(replace(s, formula=_plain(s.formula, spec)) for s in layers.starts)
    equations = with_rows_said(spec, equations, starts)
    refuse_around_solved(spec, equations)
    equations, carried = with_carried(equations, starts, layers.taken)
    refuse_with_carried(spec, equations, carried)
    after_targets = _depending_on_targets(spec, equations, carried)
    outputs = _outputs(spec, equations, after_targets)
    loss = applied_loss(lossy, outputs)
    scoring = scoring_of(spec, loss, outputs, after_targets)
    loss = _plain(_without_layers(spec, loss, "the loss"), spec) if loss is not None else None
    manual = _manual(spec, {*(p.name for p in layers.parameters), *(e.name for e in equations)})
    taken = {*layers.taken, *(p.name for p in layers.parameters), *(e.name for e in (*equations, *manual))}
    nexts, of_nexts = next_values(
        (*spec.state, *layers.states) if loss is not None else (),
        taken,
        lambda formula: _plain(_without_layers(spec, formula, "a next value"), spec),
    )
    equations += of_nexts
    results = [node for node in (loss, scoring.prediction) if node is not None]
    used = [*(e.formula for e in (*equations, *manual)), *(s.formula for s in starts), *results]
    optimizer = with_average(resolve_optimizer(spec.train), spec)
    rate = resolve_schedule(spec.train, optimizer, spec.at)
    states = [found.state for found in nexts]
    names = [p.name for p in layers.parameters if p.name not in states]
    frozen = frozen_parameters(spec, names)
    groups = parameter_groups(spec.train, optimizer, names, frozen)
    only_training = [found.equation for found in nexts]
    functions = _needed_functions(spec, used)
    streams = Streams.of(functions)
    functions = tuple(map(streams.function, functions))
    equations = tuple(replace(e, formula=streams.formula(e.formula)) for e in equations)
    carried = tuple(
        replace(c, start=replace(c.start, formula=streams.formula(c.start.formula))) for c in carried
    )
    manual = tuple(replace(e, formula=streams.formula(e.formula)) for e in manual)
    loss = None if loss is None else streams.formula(loss)
    taken |= {*only_training, *(f.name for f in functions), *(c.name for c in carried)}
    modes = in_two_modes(equations, functions, carried, loss, scoring.prediction, only_training, taken)
    of_inference = [equation for equation in equations if equation.name not in only_training]
    chosen = in_draws(of_inference, functions, carried, scoring.prediction)
    model = Model(
        spec=spec,
        parameters=tuple(layers.parameters),
        functions=modes.functions,
        equations=modes.equations,
        outputs=outputs,
        loss=modes.loss,
        prediction=modes.prediction,
        task=scoring.task,
        scored=scoring.target,
        optimizer=optimizer,
        schedule=rate.formula,
        named_schedule=rate.named,
        hyper=(
            *of_optimizer(spec.train, optimizer),
            *rate.hyper,
            *of_clipping(spec.train, optimizer, spec.at),
            *of_groups(groups),
        ),
        manual=manual,
        frozen=(*frozen, *states),
        next_values=nexts,
        evaluation=modes.evaluation,
        in_training=tuple(modes.in_training.items()),
        groups=groups,
        demands=tuple(layers.demands),
        hiding=hiding,
        carried=modes.carried,
        networks=tuple(_networks(spec, networks, modes.functions)),
    )
    model = replace(model, drawn=drawn_prediction(model, chosen) if loss is not None else None)
    networks.check_called()
    _check_parameters(model)
    refuse_nonsense(model)
    return model


def _networks(
    spec: Spec, networks: NetworkExpander, functions: Sequence[FunctionSpec]
) -> Iterator[NetworkFunction]:
    """The networks by themselves, as inference has them; what draws there has no value of its own."""
    for found in functions_of(networks):
        plain = (replace(e, formula=_plain(e.formula, spec)) for e in found.equations)
        equations = in_inference(plain)
        if not any(draws_in(equation.formula, functions) for equation in equations):
            yield replace(found, equations=equations)


def _check_parameters(model: Model) -> None:
    """A module holds its parameters in a named tuple, in which no name starts with an underscore."""
    for parameter in model.parameters:
        if parameter.name.startswith("_"):
            raise SpecError(
                f"a parameter's name cannot start with an underscore, as '{parameter.name}' does",
                at=parameter.at,
                remedy="rename it",
            )


def _plain(formula: Node, spec: Spec) -> Node:
    """The formula with losses reduced to one number, and functions over axes called by their own names."""
    return with_axes_named(reduced_losses(formula, spec), {f.name for f in spec.functions})


def _check_functions(spec: Spec) -> None:
    """A user's function may replace a library function or layer, but none that is more than its formula."""
    more = {"a loss": library.losses, "an average": library.averages}
    for function in spec.functions:
        for kind in (kind for kind, entries in more.items() if function.name in entries):
            raise SpecError(
                f"'{function.name}' is {kind} of the library",
                at=function.at,
                remedy=f"choose another name, such as 'my_{function.name}'",
            )


def _depending_on_targets(
    spec: Spec, equations: Iterable[EquationSpec], carried: Iterable[CarriedSpec]
) -> set[str]:
    """The targets, and what is computed from them: no part of a forward pass."""
    inside = read_inside(spec.functions)
    reads = {equation.name: read_by(equation.formula, inside) for equation in equations}
    reads |= {c.name: {c.source, *read_by(c.start.formula, inside)} for c in carried}
    found = {t.name for t in spec.targets}
    while more := {name for name, read in reads.items() if read & found} - found:
        found |= more
    return found


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


def _without_layers(spec: Spec, formula: Node, place: str) -> Node:
    known = known_layers(spec)
    for call in calls(formula):
        if call.function in known:
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
        formula = _without_layers(spec, equation.formula, "a manual formula")
        formulas.append(replace(equation, formula=_plain(formula, spec)))
    return tuple(formulas)


def _needed_functions(spec: Spec, formulas: Iterable[Node]) -> tuple[FunctionSpec, ...]:
    """The user's and the library's functions that the formulas call, each after those it calls itself."""
    users = {f.name: f for f in spec.functions}
    tensors = tensors_named(spec)
    found: dict[str, FunctionSpec] = {}

    stopped = {id(call) for formula in formulas for call in _stopped(formula)}

    def visit(call: Call, inside: tuple[str, ...]) -> None:
        name = call.function
        if name in STEPWISE_FUNCTIONS:
            if id(call) in stopped:
                return
            remedy = f"write x + stop_gradient({name}(x) - x), or keep it to schedules and updates"
            remedy += f"; {CHOOSE}"
            raise SpecError(f"{name} has no slope to learn by", at=call.at, remedy=remedy)
        if name in LANGUAGE_FUNCTIONS or is_derivative(call, users):
            return
        if name in inside:
            raise SpecError(
                f"function '{name}' calls itself", at=call.at, remedy="write it without recursion"
            )
        if name in users and inside and inside[-1] not in users:
            raise replaced_inside(users[name], inside[-1])
        if name in found:
            return
        others = (*users, *(network.name for network in spec.networks))
        if name not in users and name in tensors and name not in library.functions:
            problem = f"'{name}' is a tensor, not a function"
            remedy = f"write {name}[...] for its entries; what is computed at several places is a network"
            raise SpecError(problem, at=call.at, remedy=remedy)
        function = users.get(name) or _library_function(name, call.at, others)
        function = replace(function, formula=with_axes_named(function.formula, users))
        stopped.update(id(call) for call in _stopped(function.formula))
        for inner in calls(function.formula):
            visit(inner, (*inside, name))
        found[name] = function

    for function in spec.functions:
        visit(Call(function.name, (), (), function.at), ())
    for formula in formulas:
        for call in calls(formula):
            visit(call, ())
    return tuple(found.values())


def _stopped(formula: Node) -> Iterator[Call]:
    """The calls through which no derivative passes."""
    for call in calls(formula):
        if call.function == STOP_GRADIENT:
            yield from calls(call)


def _library_function(name: str, at: Position, users: Iterable[str]) -> FunctionSpec:
    if over := function_over_axes(name, at):
        return FunctionSpec(name, over[0].signature.arguments, over[1], at)
    entry = library.functions.get(name)
    if name in library.layers and entry is None:
        problem = f"'{name}' is a layer, and layers stand in equations alone"
        raise SpecError(problem, at=at, remedy="give it an equation of its own")
    if entry is None:
        known = (DERIVATIVE, *LANGUAGE_FUNCTIONS, *library.functions, *library.layers, *users)
        remedy = meant(name, known, "`symgrad list` shows what there is")
        raise SpecError(f"unknown function '{name}'", at=at, remedy=remedy)
    signature = entry.signature
    return FunctionSpec(name, signature.arguments, entry.body, at, signature.defaults)
