"""A training that breaks in a module's own `fit`: the step, and the first tensor that is not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from corpus import CORPUS
from mutation.specs import SPECS

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

KINDS = ("skip", "two_layers_in_one", "causal_attention", "pooling", "placements", "constants", "norms")


@pytest.mark.parametrize("name", KINDS)
def test_tensors_in_the_workspace_are_what_their_names_say(name: str, tmp_path: Path) -> None:
    module, model = interpreted(written(CORPUS[name], tmp_path)), expand(read(CORPUS[name]))
    sample = draw(model, "", 0)
    data = {**sample.inputs, **sample.targets}
    expected = interpret(model, {**sample.parameters, **data}, DOUBLE).tensors
    params = module.unflatten(
        np.concatenate([np.ravel(sample.parameters[n]) for n in module.SHAPES]).astype(module.DTYPE)
    )
    found = module._met(params, tuple(data[n] for n in (*module.INPUTS, *module.TARGETS)))
    assert {name for name, _ in found} > {*module.SHAPES}
    for tensor, values in found:
        np.testing.assert_allclose(values, expected[tensor], rtol=2e-4, atol=1e-5, err_msg=tensor)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("_array(work, 16 + 4 * batch", "_array(work, 17 + 4 * batch", "of work is read"),
        ('("A1", np', '("Z1", np', "the tensor Z1 is "),
        ("_array(work, 16 + 8 * batch", "_array(work, 16 + 99 * batch", "work"),
        ('("Z2", np', '("B2", np', "a tensor 'B2', which the spec does not have"),
    ],
)
def test_tensors_that_are_others_are_seen_in_the_text(before: str, after: str, words: str) -> None:
    spec = read(SPECS["classifier"])
    text = module_text(spec)
    head, found = text.split("def _tensors(")
    assert before in found
    assert words in identity_of(expand(spec), f"{head}def _tensors({found.replace(before, after)}").detail


def broken(module: ModuleType, *data: Any, **options: Any) -> str:
    """What `fit` says."""
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        module.fit(*data, **options)
    return str(caught.value)


OVERFLOWS = {
    "name": "overflows",
    "dtype": "float64",
    "inputs": {"x": ["n", 2]},
    "targets": {"t": ["n", 1]},
    "parameters": {"W": {"axes": [2, 1], "init": "constant(1)"}},
    "equations": {"a": "x @ W", "e": "exp(a)", "y": "e / (1 + e)"},
    "loss": "mse(y, t)",
    "train": {"optimizer": "sgd(learning_rate=0.1)", "batch_size": 2, "shuffle": "never", "epochs": 3},
}


def rows(*sums: float) -> tuple[Any, Any]:
    return np.array([[s, 0.0] for s in sums]), np.zeros((len(sums), 1))


def test_the_step_and_the_first_tensor_are_named(tmp_path: Path) -> None:
    module = interpreted(written(OVERFLOWS, tmp_path))
    told: list[Any] = []
    steps: Callable[..., None] = lambda *record: told.append(record[0])  # noqa: E731  # a line says it
    said = broken(module, *rows(0.0, 1.0, 0.5, 900.0, 0.0, 0.0), after_steps=(1, steps))
    assert said == (
        "the loss is nan in epoch 1, step 2: first of all, e [2, 1] is inf at [1, 0]; lower the learning rate"
    )
    assert told == [1]
    assert broken(module, *rows(0.0, 1.0, 0.5, 900.0, 0.0, 0.0)) == said


def test_a_gradient_that_breaks_is_named_and_so_is_an_optimiser(tmp_path: Path) -> None:
    steep = {**OVERFLOWS, "equations": {"a": "x @ W", "y": "sqrt(a)"}}
    module = interpreted(written(steep, tmp_path))
    at_0 = np.array([[0.5, 0.0], [1.0, -1.0], [2.0, 0.0]])
    said = broken(module, at_0, np.full((3, 1), 2.0))
    assert "a parameter is not finite in epoch 1, step 1: first of all, the gradient of W [2, 1] is" in said
    far = np.array([[1e200, 0.0], [1.0, 0.0]])
    module = interpreted(
        written({**OVERFLOWS, "equations": {"y": "x @ W"}, "loss": "mean(abs(y))"}, tmp_path)
    )
    said = broken(module, far, np.zeros((2, 1)), hyper={"learning_rate": 1e200})
    assert (
        "a parameter is not finite in epoch 1, step 1: first of all, the new W [2, 1] is -inf at [0, 0]"
        in said
    )
    start = module.Params(np.array([[np.nan], [1.0]]))
    assert "first of all, W [2, 1] is nan at [0, 0]" in broken(module, *rows(1.0), params=start)


def test_what_steps_are_told_is_checked(tmp_path: Path) -> None:
    module = interpreted(written(OVERFLOWS, tmp_path))
    for wrong in (3, (3,), (3, 4), print):
        with pytest.raises(ValueError, match="after_steps: expected a number of steps and a function"):
            module.fit(*rows(0.0), after_steps=wrong)
    with pytest.raises(ValueError, match="after_steps: expected a whole number from 1, got 0"):
        module.fit(*rows(0.0), after_steps=(0, print))
    with pytest.raises(TypeError, match="after_steps: expected None, True to stop, or a dict"):
        module.fit(*rows(0.0), after_steps=(1, lambda *_: 0.5))
