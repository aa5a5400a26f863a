"""What training on ranks would take, from steps timed on this machine."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.benchmark.machine_limits import cpu_name
from symgrad.benchmark.workload import workload_of
from symgrad.compiler.loading.cache import cached_module
from symgrad.errors import DataError, SpecError
from symgrad.judgement.gate import checked_text
from symgrad.judgement.shared_batches import demand_shared
from symgrad.ranks.group_of_ranks import OneOfOne
from symgrad.scaling.measured_machine import measured
from symgrad.scaling.scaling_plan import ScalingPlan
from symgrad.scaling.step_model import Cluster, PredictedStep, SentBucket, TimedMachine, predicted
from symgrad.spec.expand import expand
from symgrad.usable_cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from symgrad.benchmark.workload import Workload
    from symgrad.scaling.step_model import Link
    from symgrad.spec.model import Spec

MOST_ON_A_CORE = 4
_STEPS = 5


def plan_ranks(
    spec: Spec,
    *,
    ranks: int,
    ranks_per_machine: int | None,
    network: Link,
    batch: int | None,
    is_weak: bool,
    random: bool,
    measure: Collection[int],
    progress: Callable[[str], None],
) -> ScalingPlan:
    """Predict the steps of a spec on 1, 2, 4 ... ranks: see `symgrad.api.plan`.

    Raises:
        SpecError: the spec does not train on batches of rows, or its batches cannot be shared.
        DataError: the data cannot be used, or steps could not be timed.
        ModuleError: mpi4py or mpiexec is missing.
    """
    cores = usable_cores()
    on_each = ranks_per_machine or cores
    _demand_there(spec, cores, on_each, measure)
    model = expand(spec)
    progress("deriving the module")
    demand_shared(spec)
    progress("compiling the module")
    module = cached_module(spec, checked_text)
    work = workload_of(model, module, batch=batch, random=random)
    _demand_steps(work)
    told, buckets = _heard(work)
    counts, rows = _counts(ranks, measure), work.batch or 1
    least = rows if is_weak else math.ceil(rows / counts[-1])
    side_by_side = sorted({max(cores, 2), max(on_each, 2)})
    together = {count: rows if is_weak else math.ceil(rows / count) for count in sorted(measure)}
    has_more = counts[-1] > on_each
    machine, real = measured(work, least, side_by_side, together, progress, is_one_of_many=has_more)
    return ScalingPlan(
        name=spec.name,
        batch=work.batch or 1,
        is_weak=is_weak,
        parameters=module.SIZE,
        vector_bytes=module.SIZE * np.dtype(module.DTYPE).itemsize,
        cpu=cpu_name(),
        cores=cores,
        ranks_per_machine=on_each,
        network=network,
        steps=_steps(machine, Cluster(on_each, network), work, counts, is_weak, told, buckets),
        measured=real,
    )


def _demand_there(spec: Spec, cores: int, on_each: int, measure: Collection[int]) -> None:
    if on_each > MOST_ON_A_CORE * cores:
        problem = f"{on_each} ranks on a machine: this one, where steps are timed, has {cores} cores"
        raise DataError(problem, at=spec.name, remedy=f"at most {MOST_ON_A_CORE * cores} can be tried here")
    for count in measure:
        if count > on_each:
            problem, remedy = f"{count} ranks to measure, {on_each} on a machine", "this is one machine"
            raise DataError(
                problem, at=spec.name, remedy=f"{remedy}; --ranks-per-machine {count} plans so many"
            )


def _demand_steps(work: Workload) -> None:
    spec = work.model.spec
    if work.kind != "training step" or work.batch is None:
        remedy = "give a spec with parameters, a loss and an axis of rows"
        raise SpecError(
            f"ranks share the rows of training steps; this is a {work.kind}", at=spec.at, remedy=remedy
        )


class _Listener(OneOfOne):
    """One rank that keeps how many bytes it `told` others each time, in floating-point numbers, and when it
    began a step and sent buckets of its gradient.
    """

    def __init__(self) -> None:
        self.told: list[int] = []
        self.begun, self.sent = 0.0, list[float]()

    def Allgather(self, sent: Any, taken: Any) -> None:
        """What all sent, side by side."""
        if sent.dtype.kind == "f":
            self.told.append(sent.nbytes)
        else:  # a digest, in which all agree before a step
            self.begun = time.perf_counter()
        super().Allgather(sent, taken)

    def Ialltoallv(self, *_: Any) -> Any:
        """Begin to exchange with nobody."""
        self.sent.append(time.perf_counter())
        return self

    def Wait(self) -> None:
        """There is nothing to wait for."""


def _heard(work: Workload) -> tuple[tuple[int, ...], tuple[SentBucket, ...]]:
    """Make shared steps, so that ranks find compiled what they run: the bytes that each tells all in one, and
    when it sends its gradient.
    """
    module, batch = work.module, work.batches(1)[0].values()
    params = module.init_params(0)
    state, rests = module.init_state(params), []
    for _ in range(1 + _STEPS):
        comm = _Listener()
        module.train_step(params, state, *batch, comm=comm)
        *_, end = sent = comm.sent[: len(module.BUCKETS)]
        rests.append([(end - at) / (end - comm.begun) for at in sent])
    typical = np.median(rests[1:], axis=0)  # the first compiles
    shares = [(last - first) / module.SIZE for _, first, last in module.BUCKETS]
    return tuple(comm.told), tuple(map(SentBucket, shares, map(float, typical)))


def _counts(ranks: int, measure: Collection[int]) -> list[int]:
    """1, 2, 4 ... up to so many, and those that are measured."""
    doubled = (1 << n for n in range(ranks.bit_length()))
    return sorted({ranks, *doubled, *measure})


def _steps(
    machine: TimedMachine,
    cluster: Cluster,
    work: Workload,
    counts: list[int],
    is_weak: bool,
    told: tuple[int, ...],
    buckets: tuple[SentBucket, ...],
) -> tuple[PredictedStep, ...]:
    module, batch = work.module, work.batch or 1
    vector = module.SIZE * np.dtype(module.DTYPE).itemsize
    states = module.init_state(module.init_params(0))[1:] if work.model.spec.train.shard else ()
    divided, data = (sum(array.nbytes for array in some) for some in (states, work.arrays.values()))
    return tuple(
        predicted(machine, cluster, n, batch * n if is_weak else batch, vector, divided, data, told, buckets)
        for n in counts
    )
