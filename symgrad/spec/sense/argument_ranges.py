"""Arguments of the library's rows, against what the rows say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.layers.chain import layer_calls
from symgrad.spec.expansion.layers.layer_calls import known_layers
from symgrad.spec.expansion.steps.streams import without_stream
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.trees import calls
from symgrad.spec.ranges import check_ranges, spans, unusual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.errors import SpecWarning
    from symgrad.spec.library import Function, Initializer, Layer, Optimizer, Schedule
    from symgrad.spec.model import Model, Spec

    Row = Function | Initializer | Layer | Optimizer | Schedule


def check_arguments(model: Model) -> None:
    """Refuse arguments outside their ranges.

    Raises:
        SpecError: for the first of them.
    """
    constants = spans(model.spec.constants)
    for call, row in _rows(model):
        if row.ranges:
            check_ranges(call, row.ranges, bind(call, row.signature), constants)


def unusual_arguments(model: Model) -> Iterator[SpecWarning]:
    """Arguments within their ranges that hardly anybody wants."""
    constants = spans(model.spec.constants)
    for call, row in _rows(model):
        if row.usual and not isinstance(row, library.Optimizer):
            yield from unusual(call, row.usual, bind(call, row.signature), constants)
    rate = {name: value for name, value in model.optimizer.hyper if name == "learning_rate"}
    for call, schedule in _schedules(model.spec):
        values = rate | bind(call, schedule.signature, ("learning_rate",))
        yield from unusual(call, schedule.usual, values)


def unusual_hyper(model: Model) -> Iterator[SpecWarning]:
    """Hyper-parameters of an optimiser of the library that hardly anybody wants."""
    call = model.spec.train.optimizer
    if isinstance(call, Call):
        usual = library.optimizers[call.function].usual
        yield from unusual(call, usual, dict(model.optimizer.hyper))


def _rows(model: Model) -> Iterator[tuple[Call, Row]]:
    """Every call of a function, a layer, an initialiser or an optimiser of the library."""
    spec = model.spec
    own = {function.name for function in spec.functions}
    for formula in formulas(model):
        for call in calls(formula):
            if call.function in library.functions and call.function not in own:
                yield without_stream(call), library.functions[call.function]
    layers = known_layers(spec)
    for formula in _as_written(spec):
        for call in calls(formula):
            if call.function in layers:
                yield call, layers[call.function]
    for formula in _first_values(spec):
        for call in calls(formula):
            if call.function in library.initializers and call.function not in own:
                yield call, library.initializers[call.function]
    if isinstance(spec.train.optimizer, Call):
        yield spec.train.optimizer, library.optimizers[spec.train.optimizer.function]


def formulas(model: Model) -> tuple[Node, ...]:
    """The formulas of a model that are the user's, with what the user's layers stand for."""
    equations = [equation.formula for equation in (*model.equations, *model.manual)]
    starts = [carried.start.formula for carried in model.carried]
    functions = [function.formula for function in model.spec.functions]
    return (*equations, *starts, *functions, *(() if model.loss is None else (model.loss,)))


def _as_written(spec: Spec) -> tuple[Node, ...]:
    """The calls of layers, before they are expanded; a layer of a chain is given its x."""
    layers = layer_calls((*spec.layers, *(layer for network in spec.networks for layer in network.layers)))
    chain = [replace(call, arguments=(Name("_", call.at), *call.arguments)) for call in layers]
    equations = (*spec.equations, *(e for network in spec.networks for e in network.equations))
    return (*chain, *(e.formula for e in equations))


def _first_values(spec: Spec) -> Iterator[Node]:
    """What says what parameters start from: elsewhere, uniform and normal draw numbers."""
    yield from (p.init for p in spec.parameters)
    for formula in _as_written(spec):
        for call in calls(formula):
            entry = library.layers.get(call.function)
            names = () if entry is None else (*entry.signature.arguments, *dict(entry.signature.defaults))
            given = (*zip(names, call.arguments, strict=False), *call.keywords)
            yield from (node for name, node in given if name.endswith("init"))


def _schedules(spec: Spec) -> Iterator[tuple[Call, Schedule]]:
    for call in calls(spec.train.schedule) if spec.train.schedule is not None else ():
        if call.function in library.schedules:
            yield call, library.schedules[call.function]
