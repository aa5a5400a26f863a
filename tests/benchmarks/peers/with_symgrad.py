"""symgrad: the emitted module's own epoch, or its step called from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import loaded_blas
from benchmarks.peers import NotApplicable, Training, norm

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from benchmarks.problems import Array, Problem


def epochs(problem: Problem) -> Training:
    """A whole epoch inside the emitted module."""
    x, t = problem.data()

    def epoch(module: ModuleType, params: Any, state: Any, order: Array) -> float:
        value: float = module.train_epoch(params, state, x, t, batch_size=problem.batch, order=order)
        return value

    return _training(problem, epoch)


def epochs_by_scipy(problem: Problem) -> Training:
    """The same with SciPy's BLAS alone, for which the environment asks."""
    training = epochs(problem)
    others = [name for name in loaded_blas() if "blas" not in name]
    if others:
        raise NotApplicable(f"SYMGRAD_BLAS asks for SciPy's BLAS alone, but there is {', '.join(others)}")
    return training


def steps(problem: Problem) -> Training:
    """One call from Python for each step."""
    x, t = problem.data()

    def epoch(module: ModuleType, params: Any, state: Any, order: Array) -> float:
        total = 0.0
        for rows in order.reshape(-1, problem.batch):
            total += module.train_step(params, state, x[rows], t[rows])
        return total / problem.steps

    return _training(problem, epoch)


def calls(problem: Problem) -> Training:
    """What the problem derives, called from Python; the norm of the last answer."""
    import symgrad as sg

    module = sg.build(sg.read(problem.spec()))
    x, t = problem.data()
    theta, vector = (_joined(arrays) for arrays in (problem.weights(), problem.direction()))
    params = module.unflatten(theta)

    def derive(x: Array, t: Array) -> Any:
        if problem.derives == "hvp":
            return module.hvp(theta, vector, x, t)
        return module.per_sample_grad(params, x, t)

    def epoch(order: Array) -> float:
        for rows in order.reshape(-1, problem.batch):
            found = derive(x[rows], t[rows])
        return norm([found] if problem.derives == "hvp" else found)

    return Training(lambda: None, epoch)


def _joined(arrays: Any) -> Array:
    return np.concatenate([np.ravel(array) for array in arrays])


def _training(problem: Problem, run: Callable[[ModuleType, Any, Any, Array], float]) -> Training:
    import symgrad as sg

    module = sg.build(sg.read(problem.spec()))
    params = module.init_params(0)
    state = module.init_state(params)

    def restart() -> None:
        for mine, given in zip(params, problem.weights(), strict=True):
            mine[...] = given
        for mine, given in zip(state, module.init_state(params), strict=True):
            mine[...] = given

    restart()
    return Training(restart, lambda order: run(module, params, state, order))
