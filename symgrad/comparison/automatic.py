"""Automatic differentiation by PyTorch and JAX: the spec's own formulas on their arrays."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.comparison.arithmetics import jax_arrays, pytorch
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from symgrad.comparison.problem import Problem
    from symgrad.verifier.interpretation.array_library import Array

    Gradient = Callable[[], tuple[float, Array]]


def installed(package: str) -> Any:
    """The package, or None where it is not installed or cannot be used."""
    try:
        return import_module(package)
    except (ImportError, OSError):
        return None


def pytorch_gradient(problem: Problem, torch: Any) -> Gradient:
    """The loss and its gradient by PyTorch's eager mode, float64 on one thread of the CPU.

    On a busy machine several threads wait for each other a hundred times as long as they compute.
    """
    arithmetic = pytorch(torch)
    fixed, varied = _split(problem)
    given = {name: _float_or_label(array, torch.tensor) for name, array in fixed.items()}

    def gradient() -> tuple[float, Array]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return on_one_thread()
        finally:
            torch.set_num_threads(threads)

    def on_one_thread() -> tuple[float, Array]:
        leaves = {
            n: torch.tensor(a, dtype=torch.float64, requires_grad=True, device="cpu")
            for n, a in varied.items()
        }
        loss: Any = interpret(problem.model, {**given, **leaves}, arithmetic).loss
        if not loss.requires_grad:
            return float(loss), np.zeros_like(problem.vector)
        found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
        return float(loss.detach()), np.concatenate([np.ravel(g.numpy()) for g in found])

    return gradient


def jax_gradient(problem: Problem, jax: Any) -> Gradient:
    """The loss and its gradient by JAX, compiled, float64 on the CPU."""
    arithmetic = jax_arrays(jax)
    fixed, varied = _split(problem)
    labels = {name: array for name, array in fixed.items() if array.dtype.kind == "i"}
    floats = {name: array for name, array in fixed.items() if name not in labels}

    def loss(leaves: dict[str, Any], data: dict[str, Any]) -> Any:
        return interpret(problem.model, {**labels, **data, **leaves}, arithmetic).loss

    compiled = jax.jit(jax.value_and_grad(loss))

    def gradient() -> tuple[float, Array]:
        with of_precision(jax, double=True), jax.default_device(jax.devices("cpu")[0]):
            value, found = jax.block_until_ready(compiled(varied, floats))
        return float(value), np.concatenate([np.ravel(np.asarray(found[name])) for name in varied])

    return gradient


def _split(problem: Problem) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays that stay as they are, and those to differentiate by."""
    arrays = {name: np.array(array) for name, array in problem.sample.arrays.items()}
    fixed = {name: array for name, array in arrays.items() if name not in problem.names}
    return fixed, {name: arrays[name] for name in problem.names}


def _float_or_label(array: Array, convert: Callable[[Array], Any]) -> Any:
    return array if array.dtype.kind == "i" else convert(array)


def of_precision(jax: Any, *, double: bool) -> AbstractContextManager[Any]:
    """JAX's 64-bit mode, on or off."""
    home = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
    context: AbstractContextManager[Any] = home.enable_x64(double)
    return context
