"""Which tensor is computed from which: the graph that most checks walk."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.spec.language.builtins import STOP_GRADIENT, UNIFORM, is_derivative
from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.sizes.whole_numbers import SIZE, axis_measured, tensor_measured, tensors_measured
from symgrad.spec.language.syntax import Call, Number
from symgrad.spec.language.trees import calls, names_in, replaced, values_in
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import EquationSpec, FunctionSpec, Model


def read_by(formula: Node, inside: Mapping[str, set[str]]) -> set[str]:
    """The names a formula reads, those in the functions that it calls too."""
    return values_in(formula).union(*(inside.get(call.function, ()) for call in calls(formula)))


def indices_of(equation: EquationSpec) -> set[str]:
    """The names of the indices of an equation, and of those that its reductions run over."""
    bound = (bound_names(call) for call in calls(equation.formula) if call.function in REDUCTIONS)
    return set(equation.index_names).union(*bound)


def read_inside(functions: Iterable[FunctionSpec]) -> dict[str, set[str]]:
    """What each function reads besides its arguments, itself or through those it calls."""
    functions, reads = tuple(functions), {}
    for function in functions:
        own = {*function.arguments, *(name for name, _ in function.defaults)}
        reads[function.name] = values_in(function.formula) - own
    for _ in functions:
        for function in functions:
            for call in calls(function.formula):
                reads[function.name] |= reads.get(call.function, set())
    return reads


def sources(model: Model) -> dict[str, set[str]]:
    """What every equation reads, and what is carried from step to step is made of."""
    inside = read_inside(model.functions)
    handed_on = {c.name: {c.source, *read_by(c.start.formula, inside)} for c in model.carried}
    return {**{e.name: read_by(e.formula, inside) for e in model.equations}, **handed_on}


def written_around(model: Model, circles: Iterable[Iterable[str]], name: str) -> tuple[EquationSpec, ...]:
    """The equations of each step around a circle with this name, as they are written in the spec.

    What layers bring along reads what it is given by other names: what is written says all that is read.
    """
    circle = next(({*group} for group in circles if name in group), {name})
    original = {new: old for old, new in model.in_training}
    names = {original.get(member, member) for member in circle}
    return tuple(e for e in model.spec.equations if e.name in names and e.each is not None)


def reached(names: Iterable[str], graph: Mapping[str, set[str]]) -> set[str]:
    """The names, and all that they are computed from."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


def writes_on(model: Model) -> bool:
    """Whether a network says of sequences of labels which label comes next: at each place, or behind all."""
    spec, named = model.spec, {name for name, _ in model.spec.axes}
    if len(spec.inputs) != 1 or model.task != "classes" or model.prediction is None or not model.batch_axis:
        return False
    (given,) = spec.inputs
    scored = next((t for t in spec.targets if t.name == model.scored), None)
    if scored is None or given.classes is None or scored.classes != given.classes:
        return False
    is_sequence = len(given.axes) == 2 and (isinstance(given.axes[1], int) or given.axes[1] in named)
    return is_sequence and given.axes[0] == model.batch_axis and scored.axes in (given.axes, given.axes[:1])


def draws(model: Model) -> bool:
    """Whether a model draws numbers."""
    results = (model.loss, model.prediction, model.evaluation)
    formulas = (*(e.formula for e in model.equations), *(c.start.formula for c in model.carried))
    found = (*formulas, *(node for node in results if node is not None))
    return any(draws_in(formula, model.functions) for formula in found)


def draws_in(formula: Node, functions: Iterable[FunctionSpec]) -> bool:
    """Whether a formula draws numbers, itself or by functions that it calls, each behind its own."""
    return bool(_draws(formula, draws_inside(functions)))


def draws_inside(functions: Iterable[FunctionSpec]) -> dict[str, int]:
    """How often each function draws numbers, where it does; each stands behind those that it calls."""
    found: dict[str, int] = {}
    for function in functions:
        if number := _draws(function.formula, found):
            found[function.name] = number
    return found


def _draws(formula: Node, inside: Mapping[str, int]) -> int:
    return sum(1 if call.function == UNIFORM else inside.get(call.function, 0) for call in calls(formula))


def predicted_from(model: Model) -> tuple[str, ...]:
    """The inputs that outputs and prediction are computed from, or that say how large these are."""
    needed = _behind_predictions(model)
    axes = {tensor.name: {*tensor.axes} for tensor in model.spec.inputs}
    told = set[object]().union(*(of for name, of in axes.items() if name in needed))
    telling = ([n for n, of in axes.items() if axis in of][:1] for axis in named_axes(model) - told)
    needed = needed.union(*telling)
    return tuple(tensor.name for tensor in model.spec.inputs if tensor.name in needed)


def named_axes(model: Model) -> set[str]:
    """The axes whose sizes data decides, as far as the equations behind predictions compute with them."""
    needed, sizes = _behind_predictions(model), dict(model.spec.axes)
    equations = [equation for equation in model.equations if equation.name in needed]
    named = set[str]().union(*(names_in(e.formula).difference(e.index_names) for e in equations))
    named |= set[str]().union(*(names_in(size) for e in equations for size in e.said_sizes))
    given = {tensor.name: tensor.axes for tensor in (*model.spec.inputs, *model.spec.targets)}
    axes = {axis for of in given.values() for axis in of}
    measuring = (call for e in equations for f in (e.formula, *e.said_sizes) for call in calls(f))
    for call in (call for call in measuring if call.function == SIZE):
        measured = given.get(tensor_measured(call))
        if measured is not None:
            named.add(str(measured[axis_measured(call, len(measured))]))
    return {axis for axis in named if axis in axes and axis not in sizes}


def _behind_predictions(model: Model) -> set[str]:
    """All that outputs and prediction are computed from, or measured by."""
    inside = read_inside(model.functions)
    graph = {
        equation.name: set[str]().union(
            *(read_by(f, inside) | tensors_measured(f) for f in (equation.formula, *equation.said_sizes))
        )
        for equation in model.equations
    }
    for carried in model.carried:
        formula = carried.start.formula
        graph[carried.name] = {carried.source} | read_by(formula, inside) | tensors_measured(formula)
    predicted = set[str]() if model.prediction is None else read_by(model.prediction, inside)
    return reached({*model.outputs, *predicted}, graph)


def loss_arguments(model: Model) -> tuple[str, ...]:
    """The equations that the loss itself reads, as far as parameters move them, and parameters it reads."""
    if model.loss is None:
        return ()
    graph, parameters = sources(model), [p.name for p in model.parameters]
    read = read_by(model.loss, read_inside(model.functions))
    names = (*parameters, *(equation.name for equation in model.equations))
    return tuple(n for n in names if n in read and reached([n], graph) & {*parameters})


def loss_reads(model: Model) -> set[str]:
    """All that the loss is computed from."""
    return _behind(model, model.loss)


def evaluation_reads(model: Model) -> set[str]:
    """All that the loss of inference is computed from, where that is another one."""
    return _behind(model, model.evaluation)


def _behind(model: Model, result: Node | None) -> set[str]:
    if result is None:
        return set()
    return reached(read_by(result, read_inside(model.functions)), sources(model))


def loss_learns_from(model: Model) -> set[str]:
    """All that the loss is computed from but what stands in stop_gradient."""
    functions = tuple(replace(f, formula=_without_stopped(f.formula)) for f in model.functions)
    equations = tuple(replace(e, formula=_without_stopped(e.formula)) for e in model.equations)
    loss = None if model.loss is None else _without_stopped(model.loss)
    return loss_reads(replace(model, functions=functions, equations=equations, loss=loss))


def _without_stopped(formula: Node) -> Node:
    def change(node: Node) -> Node | None:
        is_stopped = isinstance(node, Call) and node.function == STOP_GRADIENT
        return Number(Fraction(0), node.at) if is_stopped else None

    return replaced(formula, change)


def asks_for_derivative(formula: Node, functions: Mapping[str, FunctionSpec]) -> bool:
    """Whether a formula asks for a derivative, itself or through functions that it calls."""
    waiting, seen = [formula], set[str]()
    while waiting:
        for call in calls(waiting.pop()):
            if is_derivative(call, functions):
                return True
            if call.function in functions and call.function not in seen:
                seen.add(call.function)
                waiting.append(functions[call.function].formula)
    return False


def varied_after(model: Model) -> set[str]:
    """What derivatives are differentiated by: h of `d(u, x, h)`, and of `d(v, h)` where v is made of some."""
    functions = {function.name: function for function in model.functions}
    graph, found = sources(model), set[str]()
    derived = {e.name for e in model.equations if asks_for_derivative(e.formula, functions)}
    results = (node for node in (model.loss, model.evaluation) if node is not None)
    for formula in (*(equation.formula for equation in model.equations), *results):
        for call in calls(formula):
            if is_derivative(call, functions) and call.arguments:
                of, *by = call.arguments
                is_derived = asks_for_derivative(of, functions) or reached(values_in(of), graph) & derived
                found |= {name for node in (by if is_derived else by[1:]) for name in values_in(node)}
    return found


def stopped_in(model: Model) -> set[str]:
    """All that values held by stop_gradient are computed from; of functions with it, all they are given."""
    inside = read_inside(model.functions)
    held = set[str]().union(*(read_by(call, inside) for call in _holding_calls(model)))
    return reached(held, sources(model))


def stops_gradients(model: Model) -> bool:
    """Whether a gradient is not the slope of the loss, as formulas hold on to values."""
    return bool(_holding_calls(model))


def _holding_calls(model: Model) -> list[Call]:
    """Calls of stop_gradient, and of functions that call it, on the way to the loss."""
    functions = {f.name: f.formula for f in model.functions}
    holding = {STOP_GRADIENT}
    for _ in functions:  # those that call others too
        holding |= {
            name for name, formula in functions.items() if holding & {c.function for c in calls(formula)}
        }
    if model.loss is None:
        return []
    inside = read_inside(model.functions)
    behind = reached(read_by(model.loss, inside), sources(model))
    formulas = (
        model.loss,
        *(e.formula for e in model.equations if e.name in behind),
        *(c.start.formula for c in model.carried if c.name in behind),
    )
    return [call for formula in formulas for call in calls(formula) if call.function in holding]
