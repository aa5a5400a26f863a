"""Small networks stored by columns: which they are, and that it changes no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, staged, written
from corpus import CORPUS, TRIED
from module_use import MLP
from seeds import one_in

from symgrad.compiler.planning.samples_innermost import MOST_EQUATIONS, MOST_FEATURES
from symgrad.pipeline import Stages
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from symgrad.verifier.sampling.samples import Sample


def axis_of(spec: dict[str, Any]) -> str:
    model = expand(read(spec))
    return Stages(model).plan.column_axis


def graph(equations: dict[str, str], inputs: dict[str, Any], loss: str = "mean(y**2)", **more: Any) -> Any:
    return {"inputs": inputs, "equations": equations, "loss": loss, **more}


X: dict[str, Any] = {"x": ["batch", 3]}
TWO_AXES = {"q": ["batch", "place", 4], "k": ["batch", "place", 4]}
WIDE = f"dense({MOST_FEATURES + 1})"
EMBEDDING = {k: v for k, v in CORPUS["embedding"].items() if k != "name"}
BY_COLUMNS = {
    "labels": MLP,
    "as many features as there may be": {**MLP, "layers": [f"dense({MOST_FEATURES})", "dense(4)"]},
    "labels that choose rows of a table": EMBEDDING,
    "sums over the batch": graph({"c": "dense(x, 2)", "y": "c - mean(c, axis=0, keepdims=true)"}, X),
    "numbers beside the rows": graph({"y": "s * dense(x, 2)"}, {**X, "s": []}),
    "gradients of inputs": graph({"y": "tanh(dense(x, 2))"}, X, gradients=["x"]),
    "samples that are matrices": graph({"y": "sum(dense(q, 2), axis=1)"}, {"q": ["batch", 3, 4]}),
}
BY_ROWS = {
    "more features": {**MLP, "layers": [WIDE, "dense(4)"]},
    "more features of an input": graph({"y": "dense(x, 2)"}, {"x": ["batch", MOST_FEATURES + 1]}),
    "more equations": {**MLP, "layers": ["dense(4, activation=tanh)"] * MOST_EQUATIONS},
    "no product": graph({"y": "sum(x**2, axis=1)"}, X),
    "no rows": graph({"y": "W @ v"}, {"v": [3]}, parameters={"W": [3, 3]}),
    "a free axis that is no batch": graph({"y": "dense(x, 2)"}, {**X, "s": ["other", 3]}, "mean(y)*mean(s)"),
    "places in a sequence": graph({"y": "dense(q, 2) * dense(k, 2)"}, TWO_AXES),
    "attention": graph({"y": "softmax(q @ k.T) @ q"}, {"q": ["n", 4], "k": ["n", 4]}),
    "the batch with itself": CORPUS["batch_axis_twice"],
    "a batch along the second axis": graph({"y": "x @ z"}, {**X, "z": [3, "batch"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_COLUMNS)
def test_stored_by_columns(name: str) -> None:
    spec = BY_COLUMNS[name]
    (first, *_) = spec["inputs"].values()
    axes = first["axes"] if isinstance(first, dict) else first
    assert axis_of(spec) == axes[0]


@pytest.mark.parametrize("name", BY_ROWS)
def test_stored_by_rows(name: str) -> None:
    assert axis_of(BY_ROWS[name]) == ""


OTHERS = {"scalars_only", "batch_axis_twice", "batched_scores", "convolution", "bilinear", "distances"}
OTHERS |= {"layer_maxout", *(name for name in CORPUS if name.startswith("optimizer_"))} - {"optimizer_adam"}
OTHERS |= {"norms_1d", "norms_2d", "norms_3d", "windows_2d", "turned_places", "block", "burgers", "recurrent"}
OTHERS |= {
    "noises",
    "draws",
    "autoencoder_of_samples",
    "layer_ctc",
    "steps_in_parts",
    "steps_in_parts_of_any_number",
}
SMALL = [name for name in TRIED if name not in OTHERS]


@pytest.mark.parametrize("name", one_in(4, SMALL))
def test_the_layout_changes_no_number(name: str, tmp_path: Path) -> None:
    """Outputs, loss, gradients, and what an epoch in a given order with a short last batch makes of them."""

    def results() -> tuple[str, list[np.ndarray]]:
        stages = staged(name)
        path = tmp_path / "module.py"
        path.write_text(stages.text, encoding="utf-8")
        sample = draw(stages.model, "here", 1, batch=7)
        size = "full" if stages.model.optimizer.full_batch else 3
        return stages.column_axis, numbers_of(interpreted(path), sample, size)

    axis, found = results()
    with by_rows():
        other_axis, expected = results()
    assert (axis, other_axis) == (read(CORPUS[name]).inputs[0].axes[0], "")
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def numbers_of(module: ModuleType, sample: Sample, batch_size: Any) -> list[np.ndarray]:
    inputs, data = sample.inputs.values(), sample.data
    params = module.init_params(3)
    state = module.init_state(params)
    loss, grads = module.loss_and_grad(params, *data)
    numbers = [loss, module.loss(params, *data), *grads, *module.State(*state)]
    for answer in (module.forward(params, *inputs), module.predict(params, *inputs)):
        numbers += answer if isinstance(answer, tuple) else [answer]
    if hasattr(module, "input_gradients"):
        numbers += module.input_gradients(params, *data)
    order = np.array([4, 0, 6, 2, 1, 5, 3])
    numbers.append(module.train_epoch(params, state, *data, batch_size=batch_size, order=order))
    numbers.append(module.train_step(params, state, *data))
    return [*numbers, *params, *state]


def test_it_is_so_for_a_network_in_single_precision(tmp_path: Path) -> None:
    """Answers have a row per sample, in one piece."""
    spec = {**MLP, "dtype": "float32", "gradients": ["x"]}
    module = interpreted(written(spec, tmp_path))
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(9, 3)), rng.integers(0, 4, 9)
    params = module.init_params(0)
    for answer, width in ((module.predict(params, x), 4), (module.input_gradients(params, x, t).x, 3)):
        assert answer.shape == (9, width)
        assert answer.dtype == np.float32
        assert answer.flags.c_contiguous
    # Rows are taken as they are given: in another order they give the same answers in that order.
    order = rng.permutation(9)
    np.testing.assert_array_equal(module.predict(params, x)[order], module.predict(params, x[order]))
    np.testing.assert_array_equal(module.predict(params, x), module.predict(params, np.asfortranarray(x)))
