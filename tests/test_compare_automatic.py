"""The spec's formulas on complex numbers, PyTorch's tensors and JAX's arrays: slopes against 50 digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from corpus import CORPUS
from seeds import one_in

from symgrad.comparison.arithmetics import complex_numbers, jax_arrays, pytorch
from symgrad.comparison.automatic import jax_gradient, pytorch_gradient
from symgrad.comparison.problem import Problem
from symgrad.spec.expand import expand
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

TRAINED = [name for name, spec in CORPUS.items() if "loss" in spec and not name.startswith("optimizer_")]
COMPILED = ("activation_gelu", "loss_hinge", "extrema", "choices", "convolution", "embedding", "scalars_only")


def problem_of(name: str) -> Problem:
    """A point of a spec of the corpus, by its parameters, or its inputs where it has none."""
    model = expand(read(CORPUS[name]))
    names = tuple(p.name for p in model.parameters) or model.spec.gradients
    return Problem(model, None, draw(model, "", 1), names, "")  # type: ignore[arg-type]  # nothing is compiled


def slope(problem: Problem, direction: np.ndarray) -> tuple[float, float]:
    """The sum of the slopes along the blocks of a direction, in 50 digits, and the loss."""
    differences = Differences(problem.model, problem.sample.arrays, FIFTY_DIGITS)
    blocks = problem.blocks(direction)
    return sum(differences.slope(n, block).low for n, block in blocks.items()), differences.loss


def agree(problem: Problem, loss: float, gradient: np.ndarray) -> None:
    direction = np.random.default_rng(0).normal(size=gradient.shape)
    true, value = slope(problem, direction)
    scale = max(np.abs(gradient * direction).max(), abs(value))
    assert float(gradient @ direction) == pytest.approx(true, abs=1e-13 * scale)
    assert loss == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("name", TRAINED)
def test_pytorch(name: str) -> None:
    problem = problem_of(name)
    agree(problem, *pytorch_gradient(problem, pytest.importorskip("torch"))())


@pytest.mark.parametrize("name", COMPILED)
def test_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    problem = problem_of(name)
    agree(problem, *jax_gradient(problem, jax)())
    assert jax.numpy.ones(1).dtype == np.float32  # the mode of whoever uses JAX beside symgrad is theirs


@pytest.mark.parametrize("name", one_in(4, TRAINED))
def test_a_complex_step_through_every_analytic_formula(name: str) -> None:
    problem = problem_of(name)
    arrays = problem.sample.arrays
    if interpret(problem.model, arrays, DOUBLE).branches:
        pytest.skip("not analytic")
    direction = np.random.default_rng(0).normal(size=problem.vector.size)
    shifts = {n: 1e-100j * block for n, block in problem.blocks(direction).items()}
    there: Any = interpret(problem.model, arrays, complex_numbers(), shifts).loss
    true, value = slope(problem, direction)
    assert there.imag / 1e-100 == pytest.approx(true, rel=1e-11, abs=1e-13 * abs(value))


def test_every_function_of_the_language_is_known_everywhere() -> None:
    assert complex_numbers().functions.keys() >= SCALAR_FUNCTIONS
    assert pytorch(pytest.importorskip("torch")).functions.keys() >= SCALAR_FUNCTIONS
    assert jax_arrays(pytest.importorskip("jax")).functions.keys() >= SCALAR_FUNCTIONS


def test_jax_takes_an_index_that_is_a_number() -> None:
    jax = pytest.importorskip("jax")
    spec = {"inputs": {"x": ["batch", 2]}, "parameters": {"b": [2]}, "equations": {"y[n]": "x[n,1] * b[0]"}}
    model = expand(read({**spec, "dtype": "float64", "loss": "mean(y**2)"}))
    problem = Problem(model, None, draw(model, "", 1), ("b",), "")  # type: ignore[arg-type]  # not compiled
    agree(problem, *jax_gradient(problem, jax)())
