"""Emitted modules in several threads: calls run side by side, and what one holds no other sees."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from module_use import LINE, MLP, line_data, mlp_data

from symgrad.compiler.loading.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """A dense layer, compiled."""
    return load(written(LINE, tmp_path_factory.mktemp("line")))


@pytest.fixture
def plain(tmp_path: Path) -> ModuleType:
    """A small network with labels, run by Python."""
    return interpreted(written(MLP, tmp_path))


def trained(module: ModuleType, rows: int, seed: int) -> list[np.ndarray]:
    """What training leaves, and what is predicted then."""
    x, y = line_data(rows)
    params, history = module.fit(x, y, epochs=50, batch_size=7, seed=seed)
    return [module.flatten(params), np.array(history), module.predict(params, x)]


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """The answers of all tasks, begun together, each in a thread of its own."""
    together = threading.Barrier(len(tasks))

    def begun(task: Callable[[], Any]) -> Any:
        together.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(begun, tasks))


def test_models_trained_at_once_are_those_trained_one_after_the_other(line: ModuleType) -> None:
    """Two models of each of three sizes, bit for bit."""
    tasks = [partial(trained, line, rows, seed) for rows in (9, 40, 23) for seed in (0, 1)]
    alone = [task() for task in tasks]
    for _ in range(3):
        for found, wanted in zip(at_once(tasks), alone, strict=True):
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(a, b)


def test_one_model_predicts_in_several_threads(line: ModuleType) -> None:
    params = line.init_params(0)
    rows = [line_data(count)[0] for count in (3, 500, 64, 200)]
    alone = [line.predict(params, x) for x in rows]

    def wrong(x: np.ndarray, wanted: np.ndarray) -> int:
        return sum(not np.array_equal(line.predict(params, x), wanted) for _ in range(200))

    assert at_once([partial(wrong, x, y) for x, y in zip(rows, alone, strict=True)]) == [0] * len(rows)


def test_other_threads_run_while_an_epoch_does(line: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (np.tile(rows, (100_000, 1)) for rows in line_data())
    params = line.init_params(0)
    state = line.init_state(params)
    line.train_epoch(params, state, x[:8], y[:8], batch_size=8)
    compiled, computing, seen = line._epoch, threading.Event(), 0

    def observed(*arguments: Any) -> Any:
        computing.set()
        value = compiled(*arguments)
        computing.clear()
        return value

    monkeypatch.setattr(line, "_epoch", observed)
    work = threading.Thread(target=line.train_epoch, args=(params, state, x, y, 2))
    work.start()
    while work.is_alive():
        work.join(0.001)
        seen += computing.is_set()
    assert seen > 5


def test_everything_that_python_calls_lets_other_threads_run(line: ModuleType) -> None:
    for function in (*line.DRIVERS, *line.UPDATES):
        assert getattr(line, function.__name__).targetoptions["nogil"], function.__name__


def test_what_is_counted_with_is_read_where_no_other_thread_writes(
    plain: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label or a row number that changes after its check would be read, and written, beyond an array."""
    x, t = mlp_data()
    order, params, given = np.arange(len(x)), plain.init_params(0), []

    def seen(called: Callable[..., Any], *arguments: Any) -> Any:
        given.extend(a for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "i")
        return called(*arguments)

    for name in ("_loss", "_gradient", "_step", "_epoch"):
        monkeypatch.setattr(plain, name, partial(seen, getattr(plain, name)))
    state = plain.init_state(params)
    plain.loss(params, x, t)
    plain.loss_and_grad(params, x, t)
    plain.train_step(params, state, x, t)
    plain.train_epoch(params, state, x, t, batch_size=5, order=order)
    assert len(given) > 5
    assert t.dtype == order.dtype == np.int64
    assert not any(np.shares_memory(array, own) for array in given for own in (t, order))


def test_two_threads_do_not_change_the_same_parameters(
    plain: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their steps would mix. Models that lie in one array are two; afterwards all is as before."""
    (x, t), both = mlp_data(), np.zeros(2 * plain.SIZE)
    shared = plain.init_params(0)
    one, other = plain.unflatten(both[: plain.SIZE]), plain.unflatten(both[plain.SIZE :])
    step, inside, leave = plain._step, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        inside.set()
        leave.wait(20)
        return step(*arguments)

    for params, others in ((shared, other), (one, other)):
        state = plain.init_state(params)
        inside.clear()
        leave.clear()
        with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
            patch.setattr(plain, "_step", slow)
            first = pool.submit(plain.train_step, params, state, x, t)
            assert inside.wait(20)
            patch.setattr(plain, "_step", step)
            try:
                for change in (
                    lambda p, s: plain.train_step(p, s, x, t),
                    lambda p, s: plain.train_epoch(p, s, x, t, batch_size=5),
                    lambda p, s: plain.update(p, p, s),
                ):
                    with pytest.raises(RuntimeError, match="params: another thread is changing them"):
                        change(plain.unflatten(plain.flatten(params)), state)
                    change(others, plain.init_state(others))
            finally:
                leave.set()
            first.result()
        assert np.isfinite(plain.train_step(params, state, x, t))
