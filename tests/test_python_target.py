"""The second target: plain Python of the same kernels, every access within bounds, gives the same numbers."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, staged
from corpus import CORPUS, TRIED
from fuzz.modules import interpreted, with_garbage
from seeds import one_in

from symgrad.compiler.targets.python.support import Array, gemm, view
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from symgrad.pipeline import Stages


def in_python(stages: Stages) -> dict[str, Any]:
    """What the Python of a model defines."""
    scope: dict[str, Any] = {}
    exec(compile(stages.in_python, "<python>", "exec"), scope)
    return scope


def computed(stages: Stages, theta: Any, *data: Any) -> dict[str, Any]:
    """What the Python of a model computes."""
    scope = in_python(stages)
    with np.errstate(all="ignore"):  # as the compiled module computes
        return scope["computed"](theta, *data)


@pytest.mark.parametrize("number", one_in(4, range(len(TRIED))), ids=lambda number: TRIED[number])
def test_both_targets_compute_the_same_in_garbage(number: int) -> None:
    """Every second network by rows and with products, though it is small."""
    name = TRIED[number]
    with by_rows() if number % 2 else nullcontext():
        stages = staged(name)
        if stages.model.states or stages.stable.draws:
            with pytest.raises(SpecError, match=r"knows no states|draws no numbers"):
                _ = stages.in_python
            return
        module = with_garbage(interpreted(stages.text), -7e30)
        sample = draw(stages.model, "here", 1, batch=3)
        params = module.init_params(3)
        found = computed(stages, module.flatten(params), *sample.data)
    with np.errstate(all="ignore"):
        answer = module.forward(params, *sample.inputs.values())
        answers = answer if isinstance(answer, tuple) else (answer,)
        pairs = list(zip(found["outputs"].values(), answers, strict=True))
        if "loss" in found:
            loss, grad = module.loss_and_grad(params, *sample.data)
            pairs += [(found["loss"], loss), (found["grad"], module.flatten(grad))]
        if hasattr(module, "input_gradients"):
            of_data = module.input_gradients(params, *sample.data)
            pairs += zip(found["of_data"].values(), of_data, strict=True)
    tolerance = 1e-12 if np.float64 == module.DTYPE else 1e-5
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["clipped", *(n for n in CORPUS if n.startswith(("optimizer", "schedule")))])
def test_both_targets_step_alike(name: str) -> None:
    stages = staged(name)
    module, rng = interpreted(stages.text), np.random.default_rng(0)
    params = module.init_params(3)
    state, updated = module.init_state(params), in_python(stages)["updated"]
    theta, ours = module.flatten(params), list(state)
    for epoch in range(3):
        grad = rng.normal(size=theta.size).astype(theta.dtype)
        theta, ours = updated(theta, grad, ours, epoch, getattr(module, "EPOCHS", 1))
        module.update(params, module.unflatten(grad), state, epoch=epoch)
    for found, expected in zip([theta, *ours], [module.flatten(params), *state], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_an_entry_that_no_loop_writes_starts_from_zero() -> None:
    spec = {"inputs": {"x": [3]}, "outputs": ["y"], "equations": {"y": "x[1]**2"}, "gradients": ["x"]}
    stages = stages_of(read({"name": "entry", **spec, "loss": "y"}))
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(computed(stages, np.empty(0), x)["of_data"]["x"], [0, 4, 0])


def test_a_loop_that_is_too_long_is_caught() -> None:
    stages = staged("activation_tanh")
    text, sample = stages.in_python, draw(stages.model, "here", 1, batch=3)
    theta = np.zeros(stages.plan.parameter_count)
    loops = [
        m for m in re.finditer(r"range\((\d+)\)", text) if m.start() > text.index("each stored by columns")
    ]
    for loop in loops:
        scope: dict[str, Any] = {}
        exec(text[: loop.start(1)] + str(int(loop[1]) + 1) + text[loop.end(1) :], scope)
        with pytest.raises(IndexError):
            scope["computed"](theta, *sample.data)


def test_no_access_leaves_an_array() -> None:
    array = Array(np.zeros((2, 3)))
    for index in ((2, 0), (0, -1), (0,), 0, (0, 0, 0)):
        with pytest.raises(IndexError):
            array[index]
        with pytest.raises(IndexError):
            array[index] = 1
    for start, shape in ((-1, (2,)), (5, (2,)), (0, (7,))):
        with pytest.raises(IndexError):
            view(Array(np.zeros(6)), start, shape)
    with pytest.raises(ValueError, match="where it lies"):
        Array(np.zeros((2, 3))).T.reshape(6)
    with pytest.raises(ValueError, match="shapes"):
        gemm(1, array, array, 0, array)
