"""The module as it is compiled, in its own number type, against its text in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, judged, written

from symgrad.compiler.loading.load import double_precision_twin, lighten, load, run_drivers_in_python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC: dict[str, Any] = {
    "name": "product",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": ["batch", 2]},
    "layers": ["dense(24, activation=tanh)", "dense(2)"],
    "loss": "mse",
    "train": {"optimizer": "adam(learning_rate=0.1)"},
}


def replaced(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == 1, f"{text.count(old)} times {old}"
        return text.replace(old, new)

    return edit


STEP = replaced(
    "        _update(theta, grad, state[0]",
    "        _update(theta, -grad if theta.itemsize == 4 else grad, state[0]",
)
ORDER = replaced(
    "copy(array, order[start + k] * width, rows, k * width, width)",
    "copy(array, order[start + (k if array.itemsize == 8 else 0)] * width, rows, k * width, width)",
)


@pytest.mark.parametrize(
    ("edit", "failed"),
    [
        (str, set()),
        (STEP, {"float32 step", "float32 epoch"}),
        (ORDER, {"float32 epoch"}),
    ],
)
def test_training_in_single_precision_is_held_against_double(
    edit: Callable[[str], str], failed: set[str], tmp_path: Path
) -> None:
    report = judged(SPEC, tmp_path, edit, compiled=False, points=1)
    assert {c.name for c in report.checks if c.verdict == "fail"} == failed


def test_drivers_in_python_call_compiled_kernels(tmp_path: Path) -> None:
    path = written({**SPEC, "train": {"optimizer": "sgd"}}, tmp_path)
    twin = double_precision_twin(load(path))
    run_drivers_in_python(twin)
    text = interpreted(path)
    text.DTYPE = np.float64
    rng = np.random.default_rng(0)
    theta, x, t = rng.normal(size=text.SIZE), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    for module in (twin, text):
        assert type(module._gradient) is type(module.loss_and_grad)
    (loss, here), (true, there) = (m.loss_and_grad(m.unflatten(theta.copy()), x, t) for m in (twin, text))
    assert loss == pytest.approx(true, rel=1e-14)
    np.testing.assert_allclose(twin.flatten(here), text.flatten(there), rtol=1e-12)
    compiled = [f for f in vars(twin).values() if getattr(f, "nopython_signatures", ())]
    assert compiled, "nothing is compiled"


def test_of_a_long_module_what_training_runs_stays_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written({**SPEC, "train": {"optimizer": "sgd"}}, tmp_path)
    module, text = load(path), interpreted(path)
    assert lighten(module) == ()
    monkeypatch.setattr("symgrad.compiler.loading.load._LONG", 0)
    of_ranks = ("_share_of_step",)
    assert lighten(module) == ("_backward", "_forward", "_loss", "_predict", *of_ranks, "_step")
    rng = np.random.default_rng(0)
    theta, x, t = (rng.normal(size=n).astype(np.float32) for n in (module.SIZE, (5, 3), (5, 2)))
    answers = []
    for each in (module, text):
        params = each.unflatten(theta.copy())
        slopes = each.flatten(each.loss_and_grad(params, x, t)[1])
        values = [each.loss(params, x, t), each.train_step(params, each.init_state(params), x, t)]
        answers.append(
            np.concatenate([slopes, values, each.flatten(params), each.predict(params, x).ravel()])
        )
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-6)
    assert module._gradient.nopython_signatures
    assert not hasattr(module._loss, "nopython_signatures")
