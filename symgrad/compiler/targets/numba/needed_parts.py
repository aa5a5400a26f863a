"""Which parts of the runtime a module needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.targets.numba.lowered_model import LoweredShares
from symgrad.compiler.targets.numba.runtime import functions_of_numbers, runtime_part
from symgrad.spec.reads import predicted_from, stops_gradients, writes_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.compiler.targets.numba.lowered_model import LoweredModel
    from symgrad.compiler.targets.numba.runtime import RuntimePart


def needed_parts(lowered: LoweredModel) -> Iterator[RuntimePart]:
    """What the module needs of the runtime, files before others whose decorators these use."""
    compiling = ("numba/meanings", "numba/kept_code", "numba/brief_code", "numba/compiling")
    yield from map(runtime_part, (*compiling, "kept_memory", "numba/array_views"))
    if any(len(sections) > 1 for sections in lowered.sections):
        yield runtime_part("optional/driver_sections")
    if {start.distribution for start in lowered.starts.values()} & {"truncated_normal", "orthogonal"}:
        yield runtime_part("optional/first_draws")
    has_products = any(plan.has_products for plan in lowered.plans)
    if has_products or lowered.has_turns:
        yield from map(runtime_part, ("numba/sharing/shared_work", "numba/sharing/tasks"))
    if lowered.has_turns:
        yield runtime_part("numba/sharing/passes_in_parts")
    if has_products:
        yield from map(runtime_part, ("numba/products/blas", "numba/products/in_blocks"))
    if lowered.plan.has_masked_products:
        yield runtime_part("numba/products/masked_products")
    if lowered.draws:
        yield runtime_part("optional/drawing/drawn_numbers")
    yield from functions_of_numbers(lowered.called, lowered.model.spec.dtype)
    parts = [runtime_part(name) for name in _files(lowered)]
    if lowered.gathers_in_turns:
        parts = _with(parts, runtime_part("numba/sharing/gathered_in_parts"))
    if lowered.draws:
        parts = _with(parts, runtime_part("optional/drawing/drawing_state"))
        parts = _with(parts, runtime_part("optional/drawing/drawing_arguments"))
        if lowered.program.loss:
            parts = _with(parts, runtime_part("optional/drawing/drawing_steps"))
        if lowered.model.drawn:
            parts.append(runtime_part("optional/drawing/drawn_predictions"))
    elif lowered.model.frozen:
        parts = _with(parts, runtime_part("optional/states_of_trained"))
    if lowered.program.loss and (lowered.model.states or lowered.draws):
        parts = _with(parts, runtime_part("optional/checked_beside"))
    if lowered.program.loss and stops_gradients(lowered.model):
        parts = _with(parts, runtime_part("optional/stopped_gradients"))
    if (lowered.piece_rows or lowered.set_rows) and lowered.program.loss:
        parts = _with(parts, runtime_part("optional/pieces/loss_in_pieces"))
        if lowered.set_rows:
            parts = _with(parts, runtime_part("optional/pieces/sets_in_pieces"))
        if lowered.steps_take_sets:
            parts.append(runtime_part("optional/pieces/steps_of_sets"))
        if any(found.planned.takes_direction for found in lowered.further):
            parts = _with(parts, runtime_part("optional/pieces/product_in_pieces"))
    if lowered.is_shared:
        if any(part.is_bounded for part in lowered.stretch_parts):
            parts = _with(parts, runtime_part("optional/ranks/norm_over_ranks"))
        if lowered.looks_ahead:
            parts = _with(parts, runtime_part("optional/ranks/point_ahead"))
        if isinstance(lowered.sharing, LoweredShares):
            parts = _with(parts, runtime_part("optional/ranks/exchanged_sums"))
    if lowered.program.evaluation:
        parts = _with(parts, runtime_part("optional/evaluated_loss"))
    yield from parts


def _with(parts: Iterable[RuntimePart], other: RuntimePart) -> list[RuntimePart]:
    """The parts with another, behind what its definitions take the place of."""
    found = []
    for part in parts:
        left = part.only(part.names - other.names)
        found += [part] if left == part else [left, other]
    return found


def _files(lowered: LoweredModel) -> Iterator[str]:
    """The files that follow."""
    if lowered.accumulation is not None:
        yield "numba/gradients/added_gradients"
    if lowered.plan.looked_up or lowered.step_parts:
        yield "numba/gradients/added_rows"
    if lowered.program.loss and lowered.model.spec.train.clip_norm is not None:
        yield "numba/gradients/gradient_norms"
    if lowered.is_shared:
        yield "numba/gradients/weighted_gradients"
    if lowered.program.loss and lowered.model.batch_axis:
        yield "numba/gathered_columns" if lowered.plan.column_axis else "numba/gathered_rows"
    yield from ("given_arrays", "given_hyper", "parameter_vectors", "evaluations")
    if len(predicted_from(lowered.model)) < len(lowered.model.spec.inputs):
        yield "optional/spare_inputs"
    if lowered.program.loss:
        epochs = "row_epochs" if lowered.model.batch_axis else "whole_epochs"
        shared = ("stretches", "shared_epochs") if lowered.is_shared else ("unshared_epochs",)
        training = ("training_steps", epochs, *shared, "broken_steps", "fit_epochs")
        yield from (*(f"training/{name}" for name in training), "own_check")
        if lowered.model.optimizer.average:
            yield "optional/averaged_parameters"
    else:
        yield "optional/without_loss"
    if writes_on(lowered.model):
        in_steps = lowered.stepping is not None and lowered.stepping.planned.step.predicts_steps
        found = ("chances", f"chances_by_{'steps' if in_steps else 'windows'}", "sampled_labels")
        yield from (f"optional/sequences/{name}" for name in found)
    if lowered.stepping:
        yield "optional/sequences/steps_of_time"
    kinds = {found.planned.asked.kind for found in lowered.further} - {"drawn"}
    if kinds:
        yield "optional/own_workspaces"
    if kinds - {"network"}:
        yield "optional/further_derivatives"
    yield from ("whole_files", "array_archives", "given_rows", "checkpoints")
