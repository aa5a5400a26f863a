"""The same training steps by PyTorch and JAX, where they are installed."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.benchmark.optimizing import Training
from symgrad.benchmark.tidying import operations, recorded
from symgrad.comparison.arithmetics import jax_arrays, pytorch
from symgrad.comparison.automatic import installed, of_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.benchmark.workload import Workload
    from symgrad.verifier.interpretation.array_library import Array

_MOST_STEPS, _PILOT = 1000, 3
_SAMPLE = 0.02


@dataclass(frozen=True)
class Peer:
    """Another library at the same work: `losses` are those of the first steps, `run` makes `steps` of them.

    `refusal` says why there is none.
    """

    name: str
    note: str = ""
    steps: int = 1
    losses: Callable[[int], list[float]] | None = None
    run: Callable[[], float] | None = None
    refusal: str = ""


def peers(work: Workload, cores: int, *, with_compile: bool) -> Iterator[Peer]:
    """PyTorch, step by step, and JAX, step by step and in one compiled loop over all steps."""
    torch = installed("torch")
    makers: list[tuple[str, Any, Callable[[str, Workload, int, Any], Peer]]] = [
        ("PyTorch, eager", torch, _pytorch_eager)
    ]
    if with_compile:
        makers.append(("PyTorch, compiled", torch, _pytorch_compiled))
    jax = installed("jax")
    makers += [("JAX, jitted step", jax, _jax_steps), ("JAX, scan of steps", jax, _jax_scan)]
    for name, library, make in makers:
        if library is None:
            yield Peer(name, refusal="not installed")
            continue
        try:
            yield make(name, work, cores, library)
        except Exception as error:  # noqa: BLE001  # what another library makes of the formulas is its own affair
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            yield Peer(name, refusal=f"{type(error).__name__}: {reason}")


def _shapes(work: Workload) -> dict[str, tuple[int, ...]]:
    return {name: tuple(shape) for name, shape in work.module.SHAPES.items()}


def _first(work: Workload) -> dict[str, Array]:
    return dict(zip(work.module.SHAPES, work.module.init_params(0), strict=True))


def _stepwise(
    name: str,
    note: str,
    batches: list[Any],
    begin: Callable[[], Stepper],
    mode: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Peer:
    """A peer that makes one step after another; so many at once that they can be timed."""

    def losses(count: int) -> list[float]:
        with mode():
            stepper = begin()
            return [float(stepper.step(batch)) for batch in batches[:count]]

    def run(count: int) -> float:
        with mode():
            stepper = begin()
            start = time.perf_counter()
            for batch in batches[:count]:
                value = stepper.step(batch)
            stepper.finish(value)
            return time.perf_counter() - start

    losses(_PILOT)
    pilot = min(_PILOT, len(batches))
    count = min(len(batches), max(pilot, math.ceil(_SAMPLE * pilot / max(run(pilot), 1e-9))))
    return Peer(name, note, count, losses, lambda: run(count))


@dataclass
class Stepper:
    """Makes steps from the first parameters on; `finish` waits until the last is done."""

    step: Callable[[Any], Any]
    finish: Callable[[Any], None]


# PyTorch ------------------------------------------------------------------------------------------


def _pytorch_eager(name: str, work: Workload, cores: int, torch: Any) -> Peer:
    return _pytorch(name, work, cores, torch, lambda function: function)


def _pytorch_compiled(name: str, work: Workload, cores: int, torch: Any) -> Peer:
    return _pytorch(name, work, cores, torch, torch.compile)


def _pytorch(name: str, work: Workload, cores: int, torch: Any, improve: Callable[[Any], Any]) -> Peer:
    training = Training(work.model, pytorch(torch, work.model.spec.dtype), _shapes(work))
    batches = [
        {n: torch.from_numpy(np.array(a)) for n, a in batch.items()} for batch in work.batches(_MOST_STEPS)
    ]
    blocks, states = training.first(_first(work))
    zeros, t = [torch.zeros_like(block) for block in blocks], torch.zeros((), dtype=blocks[0].dtype)
    loss_graph = recorded(torch, training.loss, (blocks, batches[0]))
    loss = improve(loss_graph)
    point = improve(recorded(torch, training.points, (blocks, states, t)))
    update = improve(recorded(torch, training.updated, (blocks, zeros, states, t)))
    looks_ahead = work.model.optimizer.look_ahead is not None

    def begin() -> Stepper:
        now = [[b.clone() for b in blocks], [{n: s.clone() for n, s in state.items()} for state in states], t]

        def step(batch: Any) -> Any:
            theta, state, count = now
            points = point(theta, state, count) if looks_ahead else theta
            leaves = [p.detach().requires_grad_() for p in points]
            value = loss(leaves, batch)
            gradients = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
            with torch.no_grad():
                now[:] = [*update(theta, list(gradients), state, count), count + 1]
            return value.detach()

        return Stepper(step, lambda _: None)

    note = f"the spec's formulas, {operations(loss_graph)} operations forward"
    return _stepwise(name, note, batches, begin, lambda: _on_threads(torch, cores))


@contextmanager
def _on_threads(torch: Any, count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# JAX ----------------------------------------------------------------------------------------------


def _jax_step(work: Workload, jax: Any) -> tuple[Callable[[Any, Any], Any], tuple[Any, Any, Any]]:
    """One step as a function of what it changes and its batch, and what it starts from."""
    training = Training(work.model, jax_arrays(jax, work.model.spec.dtype), _shapes(work))
    blocks, states = training.first(_first(work))

    def step(carry: Any, batch: Any) -> Any:
        blocks, states, count = carry
        points = training.points(blocks, states, count)
        value, gradients = jax.value_and_grad(training.loss)(points, batch)
        return (*training.updated(blocks, gradients, states, count), count + 1), value

    return step, (blocks, states, jax.numpy.zeros((), blocks[0].dtype))


def _jax_steps(name: str, work: Workload, _cores: int, jax: Any) -> Peer:
    with _jax_mode(jax, work):
        step, first = _jax_step(work, jax)
        compiled = jax.jit(step)
        batches = [{n: jax.numpy.asarray(a) for n, a in batch.items()} for batch in work.batches(_MOST_STEPS)]

    def begin() -> Stepper:
        now = [first]

        def one(batch: Any) -> Any:
            now[0], value = compiled(now[0], batch)
            return value

        return Stepper(one, lambda _: jax.block_until_ready(now[0]))

    return _stepwise(name, "", batches, begin, lambda: _jax_mode(jax, work))


def _jax_scan(name: str, work: Workload, _cores: int, jax: Any) -> Peer:
    with _jax_mode(jax, work):
        step, first = _jax_step(work, jax)
        order = work.order
        whole = {n: jax.numpy.asarray(a) for n, a in work.arrays.items() if n in work.whole}
        batched = {
            n: jax.numpy.asarray(a[order].reshape(work.steps, -1, *a.shape[1:]))
            for n, a in work.arrays.items()
            if n not in work.whole
        }

        def scanned(carry: Any, whole: Any, batched: Any, count: int) -> Any:
            return jax.lax.scan(lambda c, b: step(c, {**whole, **b}), carry, batched, length=count)

        compiled = jax.jit(scanned, static_argnums=3)

    def go(count: int) -> Array:
        part = {n: a[:count] for n, a in batched.items()}
        with _jax_mode(jax, work):
            _, values = jax.block_until_ready(compiled(first, whole, part, count))
        return np.asarray(values)

    def run() -> float:
        with _jax_mode(jax, work):
            start = time.perf_counter()
            jax.block_until_ready(compiled(first, whole, batched, work.steps))
            return time.perf_counter() - start

    run()
    return Peer(name, "", work.steps, lambda count: [float(v) for v in go(count)], run)


def _jax_mode(jax: Any, work: Workload) -> AbstractContextManager[Any]:
    return of_precision(jax, double=work.model.spec.dtype == "float64")
