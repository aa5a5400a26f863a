"""Batch norm's running statistics: PyTorch's conventions, in NumPy and beside PyTorch where that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from test_model_state import module_of

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

RATE, MOMENTUM, EPS = 0.1, 0.2, 0.01


def spec_of(call: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "name": "normed",
        "dtype": "float64",
        "inputs": {"x": ["batch", *shape]},
        "targets": {"t": ["batch", *shape]},
        "equations": {"y": call},
        "loss": "mse(tanh(y), t)",
        "train": {"optimizer": f"sgd(learning_rate={RATE})", "batch_size": 4},
    }


CASES = {
    "rows": ("batch_norm(x, eps=0.01, momentum=0.2)", (3,)),
    "steps": ("batch_norm1d(x, eps=0.01, momentum=0.2)", (4, 2)),
    "places": ("batch_norm2d(x, eps=0.01, momentum=0.2)", (3, 2, 4)),
}


def _data(shape: tuple[int, ...], rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return 2 * rng.normal(size=(rows, *shape)) + 1, rng.normal(size=(rows, *shape))


def _places(x: np.ndarray) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _trained(module: ModuleType, x: np.ndarray, t: np.ndarray, steps: int) -> Any:
    params = module.init_params()
    params.y_gamma[:] = np.linspace(0.5, 1.5, params.y_gamma.size)
    state = module.init_state(params)
    for step in range(steps):
        part = slice(4 * step, 4 * step + 4)
        module.train_step(params, state, x[part], t[part])
    return params


@pytest.mark.parametrize("case", CASES)
def test_running_statistics_are_those_of_the_batches(case: str, tmp_path: Path) -> None:
    call, shape = CASES[case]
    module, (x, t) = module_of(spec_of(call, shape), tmp_path), _data(shape, 12)
    params = _trained(module, x, t, 3)
    mean, variance = np.zeros(shape[-1]), np.ones(shape[-1])
    for step in range(3):
        batch = x[4 * step : 4 * step + 4]
        mean = (1 - MOMENTUM) * mean + MOMENTUM * batch.mean(axis=_places(x))
        variance = (1 - MOMENTUM) * variance + MOMENTUM * batch.var(axis=_places(x), ddof=1)
    assert np.allclose(params.y_running_mean, mean, rtol=1e-12)
    assert np.allclose(params.y_running_var, variance, rtol=1e-12)
    due = params.y_gamma * (x - mean) / np.sqrt(variance + EPS) + params.y_beta
    assert np.allclose(module.predict(params, x), due, rtol=1e-10)
    assert np.allclose(module.predict(params, x[:1]), due[:1], rtol=1e-10)
    assert module.loss(params, x, t) == pytest.approx(((np.tanh(due) - t) ** 2).mean(), rel=1e-10)
    of_batch = (x - x.mean(axis=_places(x))) / np.sqrt(x.var(axis=_places(x)) + EPS)
    learnt = ((np.tanh(params.y_gamma * of_batch + params.y_beta) - t) ** 2).mean()
    assert module.loss_and_grad(params, x, t)[0] == pytest.approx(learnt, rel=1e-10)


def test_a_batch_of_one_row_says_nothing_of_a_variance(tmp_path: Path) -> None:
    """The last batch of an epoch may be one: it took a tenth of the running variance with it."""
    call, shape = CASES["rows"]
    module, (x, t) = module_of(spec_of(call, shape), tmp_path), _data(shape, 5)
    params = module.init_params()
    module.train_epoch(params, module.init_state(params), x, t, batch_size=4, order=np.arange(5))
    of_four = _trained(module, x, t, 1)
    np.testing.assert_array_equal(params.y_running_var, of_four.y_running_var)
    mean = (1 - MOMENTUM) * of_four.y_running_mean + MOMENTUM * x[4]
    assert np.allclose(params.y_running_mean, mean, rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_all_of_it_is_pytorchs(case: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    call, shape = CASES[case]
    module, (x, t) = module_of(spec_of(call, shape), tmp_path), _data(shape, 12)
    kind = torch.nn.BatchNorm2d if len(shape) == 3 else torch.nn.BatchNorm1d
    layer = kind(shape[-1], eps=EPS, momentum=MOMENTUM, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[:] = torch.linspace(0.5, 1.5, shape[-1], dtype=torch.float64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=RATE)

    def channels_second(a: np.ndarray) -> Any:
        return torch.tensor(np.moveaxis(a, -1, 1).copy())

    def loss_of(part: slice) -> Any:
        return ((torch.tanh(layer(channels_second(x[part]))) - channels_second(t[part])) ** 2).mean()

    for step in range(3):
        optimizer.zero_grad()
        loss_of(slice(4 * step, 4 * step + 4)).backward()
        optimizer.step()
    params = _trained(module, x, t, 3)
    assert np.allclose(params.y_gamma, layer.weight.detach().numpy(), rtol=1e-9)
    assert np.allclose(params.y_beta, layer.bias.detach().numpy(), rtol=1e-9)
    assert np.allclose(params.y_running_mean, layer.running_mean.numpy(), rtol=1e-9)
    assert np.allclose(params.y_running_var, layer.running_var.numpy(), rtol=1e-9)
    layer.eval()
    assert module.loss(params, x, t) == pytest.approx(loss_of(slice(0, 12)).item(), rel=1e-9)
    found = np.moveaxis(layer(channels_second(x)).detach().numpy(), 1, -1)
    assert np.allclose(module.predict(params, x), found, rtol=1e-9)


def test_a_batch_of_one_row_leaves_finite_statistics(tmp_path: Path) -> None:
    module, (x, t) = module_of(spec_of(*CASES["rows"]), tmp_path), _data((3,), 5)
    params, _ = module.fit(x, t, epochs=1, batch_size=4)
    assert np.isfinite(module.flatten(params)).all()


def test_points_to_try_are_found_for_many_features() -> None:
    """Of hundreds of running variances, drawn around 1, some would be below 0, and their roots no numbers."""
    points = [draw(expand(read(spec_of("batch_norm(x)", (500,)))), "", seed) for seed in range(5)]
    assert all(point.parameters["y_running_var"].min() > 0 for point in points)
    assert any(point.parameters["y_gamma"].min() < 0 for point in points)


def test_without_momentum_there_are_no_states(tmp_path: Path) -> None:
    spec = spec_of("batch_norm(x, momentum=false)", (3,))
    assert not expand(read(spec)).states
    module, (x, _) = module_of(spec, tmp_path), _data((3,), 6)
    found = module.predict(module.init_params(), x)
    assert np.allclose(found, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5))


@pytest.mark.parametrize("case", ["rows", "places"])
def test_its_text_is_identical(case: str) -> None:
    stages = stages_of(read(spec_of(*CASES[case])))
    found = identity_of(stages.model, stages.text)
    assert found.state == "identical"
    assert found.step is not None
    assert found.step.state == "identical"


def test_a_page_says_what_is_of_training_and_what_of_inference() -> None:
    page = str(sg.derive(spec_of(*CASES["rows"])))
    parts = ("Equations", "Loss", "Next values of states", "Evaluation", "Gradients")
    places = [page.index(f"\n{title}\n") for title in parts]
    assert places == sorted(places)
    assert "y_running_mean  state" in page
    assert "each step ends with y_running_mean ← y_running_mean_next" in page
    assert "dy_running_mean" not in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"equations": {"y": "batch_norm(x, momentum=0)"}}, "momentum"),
        ({"equations": {"y": "batch_norm(x, momentum=true)"}}, "momentum"),
        ({"train": {"micro_batch_size": 2}}, "takes its batch in pieces"),
        ({"networks": {"u(z)": ["batch_norm", "dense(3)"]}, "equations": {"y": "u(x)"}}, "lives on once"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        stages_of(read({**spec_of(*CASES["rows"]), **changes})).text  # noqa: B018  # what refuses is a property
