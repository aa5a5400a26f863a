"""The benchmark of a spec: its module against the machine's limit and against other libraries."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symgrad.benchmark.benchmark_report import SAME_LOSS, Benchmark, BenchmarkRow, MachineLimits
from symgrad.benchmark.machine_limits import Work, copy, cpu_name, on_cores, product, seconds_of
from symgrad.benchmark.parts import Clock, parts_of
from symgrad.benchmark.peers import Peer, peers
from symgrad.benchmark.timing import Contender, Times, grown, run_of, take_turns
from symgrad.benchmark.workload import Kind, Workload, workload_of
from symgrad.compiler.loading.cache import cached_module, cached_text
from symgrad.compiler.loading.load import double_precision_twin
from symgrad.compiler.planning.cost import Cost, CostModel
from symgrad.compiler.planning.needed_steps import plan_of_step
from symgrad.compiler.planning.trained_spans import trained_size
from symgrad.errors import DataError
from symgrad.judgement.gate import checked_text
from symgrad.pipeline import Stages
from symgrad.report.views.products_in_loops import products_in_loops
from symgrad.spec.expand import expand
from symgrad.usable_cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from symgrad.compiler.planning.plan import PhaseName
    from symgrad.spec.model import Model, Spec
    from symgrad.verifier.interpretation.array_library import Array

_PHASES: Mapping[Kind, tuple[PhaseName, ...]] = {
    "training step": ("forward", "loss", "gradient"),
    "gradient": ("forward", "loss", "gradient"),
    "loss": ("forward", "loss"),
    "forward pass": ("forward",),
}
_COMPARED_STEPS = 10
_LIMITS = ("product", "copy")


def bench(
    spec: Spec,
    *,
    batch: int | None = None,
    rows: int | None = None,
    seconds: float = 5.0,
    cores: int = 1,
    random: bool = False,
    with_peers: bool = True,
    with_compile: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Benchmark:
    """Time the step of a spec: see `symgrad.api.bench`.

    Raises:
        SpecError: the spec does not describe a network, or has no axis of rows to choose from.
        DataError: the spec's data cannot be used, a batch or the cores are too many, or a loss is not finite.
    """
    if cores > usable_cores():
        raise DataError(f"{cores} cores of {usable_cores()}", at=spec.name, remedy="ask for fewer --cores")
    model = expand(spec)
    with on_cores(cores):
        progress("compiling the module")
        module = cached_module(spec, checked_text)
        work = workload_of(model, module, batch=batch, rows=rows, random=random)
        work = work if rows else grown(work)
        clock = _clock(model, work, progress)
        others = list(_peers(work, cores, with_compile, progress)) if with_peers else []
        progress("timing")
        with on_cores(cores):  # BLAS libraries that the modules brought with them too
            return _measured(model, work, clock, others, cores, seconds)


def _clock(model: Model, work: Workload, progress: Callable[[str], None]) -> Clock | None:
    if os.name != "posix":  # no other system has the clock that the copy reads
        return None
    progress("compiling a copy that reads a clock")
    timed = Stages(model).clocked
    name = Path(str(work.module.__file__)).stem
    return Clock(work, timed, cached_text(f"clocked_{name}", timed.text))


def _peers(work: Workload, cores: int, with_compile: bool, progress: Callable[[str], None]) -> Iterator[Peer]:
    if work.kind == "training step":
        progress("other libraries")
        yield from peers(work, cores, with_compile=with_compile)


def _measured(
    model: Model, work: Workload, clock: Clock | None, others: Sequence[Peer], cores: int, seconds: float
) -> Benchmark:
    stages = Stages(model)
    passed = () if work.kind == "forward pass" or "forward" in stages.plan.before_gradient else ("forward",)
    phases = [name for name in _PHASES[work.kind] if name not in passed]
    frozen = model.frozen if work.kind == "training step" else ()
    sizes = stages.plan.program.all_sizes(work.sizes)
    counts = CostModel(plan_of_step(stages.plan, frozen), sizes, model.spec.dtype)
    update = stages.update if work.kind == "training step" else None
    costs, least = _costs(stages.piece_rows, work, counts, phases), counts.least(update, phases)
    trained = trained_size(stages.plan.program.of_kind("parameter"), frozen)
    of_update = counts.update(update, trained) if update is not None else None
    limits = product(model.spec.dtype, work.module), copy(least.bytes)
    times = _times(work, clock, others, limits, seconds)
    return Benchmark(
        name=model.spec.name,
        kind=work.kind,
        dtype=model.spec.dtype,
        parameters=counts.plan.parameter_count,
        rows_per_step=work.rows_per_step,
        sizes=tuple(work.sizes.items()),
        steps=work.steps,
        origin=work.origin,
        machine=_machine(work, cores, limits, times),
        rows=(BenchmarkRow("symgrad", times["symgrad"]), *_rows_of_peers(work, others, times)),
        cost=reduce(add, (c for phase in costs.values() for c in phase), of_update or Cost()),
        least=least,
        parts=parts_of(clock.text.statements, clock.seconds(), costs, of_update) if clock else (),
        notes=(*_notes(work, clock, others), *map(str, products_in_loops(counts.plan, work.sizes))),
    )


def _times(
    work: Workload, clock: Clock | None, others: Sequence[Peer], limits: Sequence[Work], seconds: float
) -> dict[str, Times]:
    """Who makes steps, the copy with a clock, and what the machine can do, taking turns."""
    contenders = [
        Contender("symgrad", work.steps, run_of(work, work.module)),
        *(Contender(other.name, other.steps, other.run) for other in others if other.run is not None),
        *([Contender("clock", work.steps, clock.run)] if clock is not None else []),
        *(
            Contender(name, 1, partial(seconds_of, limit.call))
            for name, limit in zip(_LIMITS, limits, strict=True)
        ),
    ]
    return dict(zip([c.name for c in contenders], take_turns(contenders, seconds), strict=True))


def _machine(work: Workload, cores: int, limits: Sequence[Work], times: Mapping[str, Times]) -> MachineLimits:
    blas = getattr(work.module, "BLAS", "SciPy's BLAS")
    rates = (limit.amount / times[name].fastest for name, limit in zip(_LIMITS, limits, strict=True))
    return MachineLimits(cpu_name(), cores, blas, *rates)


def _rows_of_peers(
    work: Workload, others: Sequence[Peer], times: Mapping[str, Times]
) -> Iterator[BenchmarkRow]:
    differences, rounding = _differences(work, others)
    for other, difference in zip(others, differences, strict=True):
        note = other.refusal or other.note
        yield BenchmarkRow(other.name, times.get(other.name), difference, rounding, note)


def _costs(
    piece: int, work: Workload, counts: CostModel, phases: Sequence[PhaseName]
) -> dict[str, tuple[Cost, ...]]:
    """What every statement costs in one step: all pieces of a batch together where it is cut into such."""
    if not piece or work.batch is None:
        return {phase: counts.phase(phase) for phase in phases}
    starts = range(0, work.batch, piece)
    found: dict[str, tuple[Cost, ...]] = {}
    for phase in phases:
        by_piece = [counts.of_rows(work.rows_axis, min(piece, work.batch - s)).phase(phase) for s in starts]
        found[phase] = tuple(reduce(add, same) for same in zip(*by_piece, strict=True))
    return found


def _differences(work: Workload, others: Sequence[Peer]) -> tuple[list[float | None], float]:
    """How far the losses of the others are from symgrad's, and how far rounding moves symgrad's own.

    In float32 an optimiser that divides by the size of the gradient makes steps of what is rounding alone, so
    where losses differ, those of the same module in float64 say by how much they may.
    """
    own = _losses(work) if any(other.losses is not None for other in others) else []
    found = [_difference(other, own) for other in others]
    if work.model.spec.dtype == "float64" or all(d is None or d <= SAME_LOSS for d in found):
        return found, 0.0
    double = _losses(replace(work, module=double_precision_twin(work.module)))
    return found, _largest(np.array(double), np.array(own))


def _losses(work: Workload) -> list[float]:
    """symgrad's losses in the first steps."""
    module, batches = work.module, work.batches(_COMPARED_STEPS)
    params = module.init_params(0)
    state = module.init_state(params)
    return [float(module.train_step(params, state, *batch.values())) for batch in batches]


def _difference(other: Peer, own: Sequence[float]) -> float | None:
    """The largest difference of a loss, as a part of the larger one."""
    if other.losses is None:
        return None
    theirs = np.array(other.losses(len(own))[: len(own)])
    return _largest(theirs, np.array(own[: len(theirs)]))


def _largest(a: Array, b: Array) -> float:
    scale = np.maximum(np.abs(a), np.abs(b))
    difference = np.abs(a - b) / np.where(scale > 0, scale, 1.0)
    return float(np.max(difference)) if np.isfinite(difference).all() else math.inf


def _notes(work: Workload, clock: Clock | None, others: Sequence[Peer]) -> Iterator[str]:
    steps = f"{work.steps:,} steps" if work.steps > 1 else "one step"
    yield f"time: the median of passes of {steps} each, from the first parameters, by a compiled module"
    if work.steps == 1:
        yield "every pass is one call from Python, which checks its arguments first: some tens of µs"
    if clock is None:
        yield "this system has not the clock that times the parts of a step"
    else:
        yield "parts: timed in a copy of the module that reads a clock between them, without the readings"
    if others:
        yield "losses: of the first steps, from the same parameters, on the same rows"
    if any(o.name.startswith("PyTorch") and o.run is not None for o in others):
        yield (
            "PyTorch: the spec's own formulas and update rules, operation by operation; the fused functions "
            "of torch.nn and torch.optim can be several times faster where a step takes microseconds"
        )
