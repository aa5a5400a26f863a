"""Emitted modules: their stable names, and the right numbers behind each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, written
from module_use import LINE, MLP, flat_copy, line_data, line_gradient, mlp_data, mlp_loss
from numba.core.errors import NumbaError
from numba.core.runtime import _nrt_python, rtsys
from scipy.optimize import minimize

from symgrad.compiler.loading.load import STABLE_NAMES, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType


MOMENTUM = {**MLP, "train": {"optimizer": "momentum(learning_rate=0.05)"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """New folders for modules."""
    numbers = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"module{next(numbers)}")


@pytest.fixture(scope="module")
def mlp(folder: Any) -> ModuleType:
    """Two layers in float64, compiled."""
    return load(written(MLP, folder()))


@pytest.fixture(scope="module")
def accumulating(folder: Any) -> ModuleType:
    """The same row by row, with gradients added to the optimiser's state, compiled."""
    with by_rows():
        return load(written(MOMENTUM, folder()))


@pytest.fixture(scope="module")
def line(folder: Any) -> ModuleType:
    """One layer in float32, run by Python."""
    return interpreted(written(LINE, folder()))


def test_the_stable_names_and_the_fields_in_spec_order(mlp: ModuleType) -> None:
    assert all(hasattr(mlp, name) for name in STABLE_NAMES)
    assert mlp.SPEC_NAME == "mlp"
    assert mlp.DTYPE is np.float64
    assert (mlp.INPUTS, mlp.TARGETS) == (("x",), ("t",))
    assert mlp.Params._fields == ("W1", "b1", "W2", "b2")
    assert mlp.State._fields == ("step", "m", "v")
    params = mlp.init_params()
    assert [p.shape for p in params] == [(3, 5), (5,), (5, 4), (4,)]
    state = mlp.init_state(params)
    assert state.step.tolist() == [0]
    assert not state.m.any()
    assert state.v.shape == mlp.flatten(params).shape


def test_first_values_follow_the_seed_and_their_distribution(folder: Any) -> None:
    kinds = {
        "G": "glorot_uniform",
        "H": "he_normal",
        "U": "uniform(limit=0.3)",
        "N": "normal(std=2)",
        "Z": "zeros",
        "C": 1.5,
    }
    spec = {
        **LINE,
        "layers": None,
        "inputs": {"x": ["batch", 60]},
        "parameters": {name: {"axes": [60, 90], "init": init} for name, init in kinds.items()},
        "equations": {"q": "x @ G + x @ H + x @ U + x @ N + x @ Z + x @ C"},
        "loss": "mean(q**2) + mean(y)",
    }
    del spec["layers"]
    module = interpreted(written(spec, folder()))
    one, same, other = module.init_params(3), module.init_params(3), module.init_params(4)
    assert flat_copy(module, one).tobytes() == flat_copy(module, same).tobytes()
    assert (one.G != other.G).mean() > 0.99
    for values, limit in ((one.G, np.sqrt(6 / 150)), (one.U, 0.3)):
        assert np.abs(values).max() <= np.float32(limit)
        assert np.abs(values).max() > 0.99 * limit
        assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
    for values, deviation in ((one.H, np.sqrt(2 / 60)), (one.N, 2.0)):
        assert values.std() == pytest.approx(deviation, rel=0.05)
        assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size)
    assert not one.Z.any()
    assert (one.C == 1.5).all()


def test_values_and_gradients_against_numpy(line: ModuleType, mlp: ModuleType) -> None:
    params, (x, y) = line.init_params(1), line_data()
    expected, dw, db = line_gradient(params, x, y)
    value, grads = line.loss_and_grad(params, x, y)
    assert type(value) is float
    assert type(line.loss(params, x, y)) is float
    assert [value, line.loss(params, x, y)] == pytest.approx([expected] * 2, rel=1e-6)
    np.testing.assert_allclose(grads[0], dw, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grads[1], db, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(line.forward(params, x), x @ params[0] + params[1], rtol=1e-5, atol=1e-6)
    params, (x, t) = mlp.init_params(1), mlp_data()
    assert mlp.loss(params, x, t) == pytest.approx(mlp_loss(params, x, t), rel=1e-14)
    scores = mlp.forward(params, x)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mlp.predict(params, x), weights, rtol=1e-13)


def test_flatten_and_unflatten_are_views(mlp: ModuleType) -> None:
    params = mlp.init_params(2)
    vector = mlp.flatten(params)
    assert all(np.shares_memory(vector, p) for p in params)
    again = mlp.unflatten(vector)
    assert all(np.shares_memory(a, p) and np.array_equal(a, p) for a, p in zip(again, params, strict=True))
    vector[:] = np.arange(vector.size)
    assert [p.flat[0] for p in params] == [0, 15, 20, 40]
    assert not np.shares_memory(mlp.flatten(mlp.Params(*(p.copy() for p in params))), vector)
    rows = np.zeros((3, vector.size))
    assert np.shares_memory(mlp.flatten(mlp.unflatten(rows[1])), rows)
    assert np.shares_memory(mlp.flatten(mlp.unflatten(mlp.flatten(params))), vector)


def test_scipy_minimises_a_module(mlp: ModuleType) -> None:
    x, t = mlp_data()

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        value, grads = mlp.loss_and_grad(mlp.unflatten(vector), x, t)
        return value, mlp.flatten(grads)

    found = minimize(objective, mlp.flatten(mlp.init_params(0)), jac=True, method="L-BFGS-B")
    assert found.fun < 0.01
    assert (mlp.predict(mlp.unflatten(found.x), x).argmax(axis=1) == t).all()


def test_training_changes_parameters_in_place(line: ModuleType) -> None:
    x, y = line_data()
    params = line.init_params(0)
    state, vector = line.init_state(params), line.flatten(params)
    expected, dw, db = line_gradient(params, x, y)
    after = np.concatenate([(params[0] - 0.1 * dw).ravel(), params[1] - 0.1 * db])
    twin = line.unflatten(vector.copy())
    assert line.update(twin, line.loss_and_grad(twin, x, y)[1], line.init_state(twin)) is None
    assert line.train_step(params, state, x, y) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(vector, after, rtol=1e-5)
    np.testing.assert_array_equal(line.flatten(twin), vector)
    assert state.step.tolist() == [1]
    values = [line.train_epoch(params, state, x, y, batch_size=3) for _ in range(40)]
    assert values[-1] < 0.1 * values[0]
    assert state.step.tolist() == [1 + 40 * 3]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100, "full"])
def test_an_epoch_is_its_steps(line: ModuleType, batch_size: Any) -> None:
    x, y = line_data()
    order = np.array([5, 1, 7, 0, 2, 6, 4, 3])
    one, two = line.init_params(0), line.init_params(0)
    state, other = line.init_state(one), line.init_state(two)
    value = line.train_epoch(one, state, x, y, batch_size=batch_size, order=order)
    size = 8 if batch_size == "full" else batch_size
    parts = [order[i : i + size] for i in range(0, 8, size)]
    steps = [line.train_step(two, other, x[p], y[p]) * len(p) for p in parts]
    assert value == pytest.approx(sum(steps) / 8, rel=1e-6)
    np.testing.assert_array_equal(line.flatten(one), line.flatten(two))
    natural, given = line.init_params(0), line.init_params(0)
    line.train_epoch(natural, line.init_state(natural), x, y, batch_size=batch_size)
    line.train_epoch(given, line.init_state(given), x, y, batch_size=batch_size, order=list(range(8)))
    np.testing.assert_array_equal(line.flatten(natural), line.flatten(given))


def test_fit_repeats_itself_bit_for_bit_and_keeps_what_it_was_given(mlp: ModuleType) -> None:
    x, t = mlp_data()
    first, history = mlp.fit(x, t, epochs=30, batch_size=5, seed=7)
    second, again = mlp.fit(x, t, epochs=30, batch_size=5, seed=7)
    assert mlp.flatten(first).tobytes() == mlp.flatten(second).tobytes()
    assert history == again
    assert len(history) == 30
    assert history[-1] < 0.5 * history[0]
    assert mlp.fit(x, t, epochs=2, batch_size=5, seed=8)[1] != history[:2]
    start, state = mlp.init_params(1), mlp.init_state(first)
    before = flat_copy(mlp, start)
    trained, _ = mlp.fit(x, t, epochs=1, params=start, state=state)
    np.testing.assert_array_equal(mlp.flatten(start), before)
    assert state.step.tolist() == [-(-len(t) // 32)]
    assert (mlp.flatten(trained) != before).any()


def test_compiled_rows_and_added_gradients_train_as_updates_do(accumulating: ModuleType) -> None:
    x, t = mlp_data()
    params, by_update = accumulating.init_params(1), accumulating.init_params(1)
    state, other = accumulating.init_state(params), accumulating.init_state(by_update)
    order = np.random.default_rng(2).permutation(len(t))
    value = accumulating.train_epoch(params, state, x, t, batch_size=5, order=order)
    expected = 0.0
    for part in np.split(order, range(5, len(t), 5)):
        loss, grads = accumulating.loss_and_grad(by_update, x[part], t[part])
        assert loss == pytest.approx(mlp_loss(by_update, x[part], t[part]), rel=1e-12)
        accumulating.update(by_update, grads, other)
        expected += loss * len(part) / len(t)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(accumulating.flatten(params), accumulating.flatten(by_update), rtol=1e-11)
    np.testing.assert_allclose(state.v, other.v, rtol=1e-11)


def test_answers_are_copies(mlp: ModuleType) -> None:
    params, (x, t) = mlp.init_params(0), mlp_data()
    answers = [mlp.forward(params, x), mlp.predict(params, x), *mlp.loss_and_grad(params, x, t)[1]]
    kept = [a.copy() for a in answers]
    mlp.forward(params, 2 * x)
    mlp.predict(params, 2 * x)
    mlp.loss_and_grad(params, 2 * x, t)
    mlp.train_epoch(mlp.init_params(1), mlp.init_state(params), x, t, batch_size=4)
    assert all(np.array_equal(a, k) for a, k in zip(answers, kept, strict=True))
    answers[0][:] = 0
    assert mlp.forward(params, x).any()


@pytest.fixture
def counted() -> Iterator[Callable[[], int]]:
    """How many arrays compiled code has made so far."""
    _nrt_python.memsys_enable_stats()
    yield lambda: int(rtsys.get_allocation_stats().mi_alloc)
    _nrt_python.memsys_disable_stats()


def allocated(module: ModuleType, rows: int, counted: Callable[[], int]) -> int:
    """The number of arrays that compiled code makes in an epoch."""
    x, t = mlp_data(rows)
    params = module.init_params(0)
    state, before = module.init_state(params), counted()
    module.train_epoch(params, state, x, t, batch_size=4)
    return counted() - before


@pytest.mark.parametrize("name", ["mlp", "accumulating"])
def test_no_memory_is_taken_inside_a_step(
    name: str, request: pytest.FixtureRequest, counted: Callable[[], int]
) -> None:
    module = request.getfixturevalue(name)
    allocated(module, 8, counted)
    assert allocated(module, 8, counted) == allocated(module, 4000, counted)


def test_memory_taken_inside_a_step_would_be_seen(folder: Any, counted: Callable[[], int]) -> None:
    product, copied = (
        "gemm(scale, x.T, dZ1, keep, destination_W1)",
        "gemm(scale, x.T, dZ1.copy(), keep, destination_W1)",
    )

    def changed(text: str, how: str) -> str:
        assert text.count('"_nrt": False') == text.count(product) == 1
        return text.replace(product, copied).replace('"_nrt": False', how)

    with by_rows():
        module = load(written(MOMENTUM, folder(), lambda text: changed(text, '"_nrt": True')))
        refused = load(written(MOMENTUM, folder(), lambda text: changed(text, '"_nrt": False')))
    allocated(module, 8, counted)
    assert allocated(module, 4000, counted) >= allocated(module, 8, counted) + 998
    with pytest.raises(NumbaError):  # nothing that is compiled can take memory at all
        allocated(refused, 8, counted)


def test_the_folder_of_a_module_can_be_anywhere(tmp_path: Path, mlp: ModuleType) -> None:
    place = tmp_path / "a folder" / "mödule"
    place.mkdir(parents=True)
    module = interpreted(written(MLP, place))
    params, (x, t) = module.init_params(0), mlp_data()
    assert module.loss(params, x, t) == pytest.approx(mlp.loss(mlp.init_params(0), x, t), rel=1e-14)
