"""The functions of a model that stand in its module, in their order."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from symgrad.compiler.planning.standing import standing
from symgrad.compiler.planning.trained_spans import spans_of
from symgrad.compiler.targets.numba import interface, network, steps
from symgrad.compiler.targets.numba.beside import exchanged_steps, further_functions, step_functions
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.compiler.targets.numba.steps import lines
from symgrad.compiler.targets.numba.tensor_texts import drawn, result, signatures_of
from symgrad.compiler.targets.numba.updating import shared_steps, update_parts
from symgrad.notation.parameters_apart import called_value, numbers_apart
from symgrad.notation.update_rules import look_ahead_rule, update_rule
from symgrad.passes.dividing.pieces_of_batches import Coupling
from symgrad.passes.dividing.separability import RowWeight
from symgrad.spec.reads import writes_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.compiler.planning.trained_spans import Span
    from symgrad.compiler.targets.numba.lowered_model import LoweredModel
    from symgrad.compiler.targets.numba.records import ArgumentText, Definition, Driver


class ModelDefinitions:
    """The functions of one model, with the arguments that they hand to one another."""

    def __init__(self, lowered: LoweredModel) -> None:
        program = lowered.program
        gradient = {g.of: g.name for g in program.gradients}
        self.lowered, self.calls = lowered, signatures_of(lowered)
        self.outputs = tuple(result(lowered, name, name) for name in program.outputs)
        self.predictions = tuple(result(lowered, name, name) for name in program.prediction)
        self.gradients = tuple(result(lowered, name, gradient[name]) for name in lowered.model.spec.gradients)

    @property
    def given(self) -> tuple[ArgumentText, ...]:
        """All that callers give: the data, then what networks by themselves take."""
        own = (further_functions.own_arguments(found) for found in self.lowered.further)
        return (*self.calls.arguments, *chain.from_iterable(own))

    def network(self) -> Iterator[Definition | Driver]:
        """The network, its loss and its gradient."""
        lowered, calls = self.lowered, self.calls
        views, loss = lowered.drivers.views, lowered.program.loss
        yield network.sizes(calls, lowered.drivers.size_texts)
        yield network.work_size(calls, NUMBA.text(views.work_size))
        yield from network.values(calls, lowered.bodies)
        yield from network.results(calls, self.outputs, self.predictions)
        if loss:
            if evaluation := lowered.program.evaluation:
                yield from network.evaluation(calls, lowered.bodies, NUMBA.text(views.view(evaluation)))
            yield from network.loss(
                calls, lowered.bodies, NUMBA.text(views.view(loss)), anew=bool(evaluation)
            )
            if lowered.accumulation is not None:
                yield from network.added_gradient(calls, lowered.bodies, self._spans_of_states())
            else:
                yield from network.gradient(calls, lowered.bodies)
            if lowered.step_gradient:
                yield from network.step_gradient(calls, lowered.step_gradient)
            yield network.gradients(calls, self.gradients)
            yield network.tensors(calls, [result(lowered, t, t) for t in self._standing()])
            weight = lowered.inference_by_rows.loss
            if weight is not None and weight.total:
                yield network.weight_of_rows(calls, self._weight_of_rows(weight))

    def further(self) -> Iterator[Definition | Driver]:
        """Derivatives beyond the gradient."""
        for found in self.lowered.further:
            yield from further_functions.computed(self.calls, found)

    def stepping(self) -> Iterator[Definition | Driver]:
        """One step of time, where the network can go on step by step."""
        if self.lowered.stepping:
            yield from step_functions.computed(self.calls, self.lowered.stepping)

    def _standing(self) -> Iterator[str]:
        """Those of the spec's own tensors that are in memory after the loss, in the order of computation."""
        own = {equation.name for equation in self.lowered.model.equations}
        plan = self.lowered.plan
        return (name for name in standing(plan, plan.before_gradient) if name in own)

    def training(self) -> Iterator[Definition | Driver]:
        """The optimiser, a step, an epoch."""
        lowered, calls, accumulation = self.lowered, self.calls, self.lowered.accumulation
        if not lowered.program.loss:
            return
        rule, ahead = update_rule(lowered.update), look_ahead_rule(lowered.update)
        if lowered.parts:
            frozen = ", ".join(lowered.model.frozen)
            apart = numbers_apart(lowered.model, value=called_value)
            rule = (*rule, *apart, *([f"{frozen} as before"] if frozen else []))
            yield from update_parts.definitions(calls, rule, ahead, lowered.parts)
        elif lowered.long_rule:
            yield from update_parts.of_all(calls, rule, ahead, lowered.long_rule)
        else:
            yield steps.update(calls, rule, lines(lowered.step))
        if lowered.step_parts:
            yield from update_parts.of_step(calls, lowered.step_parts, anew=not lowered.rules)
        if calls.takes_pieces:
            yield steps.gradient_in_pieces(calls)
        if lowered.looks_ahead and not lowered.rules:
            yield steps.look_ahead(calls, ahead, lines(lowered.look_ahead))
        if accumulation is not None:
            yield from steps.accumulation(calls, accumulation)
        spans = self._spans_of_states()
        if spans and accumulation is None:
            yield steps.advance(spans)
        yield steps.step(calls, accumulation, advances=bool(spans))
        if calls.batch_axis:
            yield steps.epoch(calls)
        if not isinstance(lowered.sharing, Coupling):
            if not lowered.rules:
                yield from update_parts.rules(calls, lowered.stretch_parts)
            if isinstance(lowered.sharing, RowWeight):
                assert lowered.shared_gradient is not None, "there is a loss"  # noqa: S101
                weight = self._weight_of_rows(lowered.sharing)
                yield shared_steps.share_of_step(calls, weight, lowered.shared_gradient)
            else:
                yield from exchanged_steps.shares_of_step(calls, lowered.sharing)
            yield from shared_steps.steps_of_stretch(calls, lowered.stretch_parts, spans)

    def _spans_of_states(self) -> tuple[Span, ...]:
        return spans_of(self.lowered.program.of_kind("parameter"), (), self.lowered.model.states)

    def _weight_of_rows(self, weight: RowWeight) -> str:
        """What the rows that were just computed weigh in their batch."""
        rows = self.calls.batch_axis
        if not weight.total:
            return rows
        total = f"{NUMBA.text(self.lowered.drivers.views.view(weight.total))}[0]"
        return f"{rows} * {total}" if weight.times_rows else total

    def interface(self) -> Iterator[Definition]:
        """What callers use."""
        lowered, calls = self.lowered, self.calls
        yield steps.first_states(*lowered.first_states)
        yield interface.first_values([drawn(lowered, p) for p in lowered.program.of_kind("parameter")])
        yield from interface.evaluations(calls, self.outputs, self.predictions)
        for found in lowered.further:
            if found.planned.asked.kind == "drawn":
                yield from interface.drawn_predictions(calls)
            else:
                yield further_functions.offered(calls, found)
        if lowered.stepping:
            yield step_functions.offered(lowered.stepping)
        if writes_on(lowered.model):
            yield interface.sampled()
        if not lowered.program.loss:
            return
        yield from interface.losses(calls, differ=lowered.program.evaluation is not None)
        if self.gradients:
            yield interface.input_gradients(calls, [g.name for g in self.gradients])
        if lowered.looks_ahead:
            yield interface.gradient_point(calls, look_ahead_rule(lowered.update))
        if lowered.model.optimizer.average:
            yield interface.averaged()
        yield from interface.training(calls, lowered.model.spec.train, lowered.model.states)
