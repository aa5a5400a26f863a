"""`fit` of an emitted module does what the spec's train block says, and what its caller says instead."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from module_use import LINE, line_data
from thread_ranks import on_ranks

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PLAN = {"epochs": 3, "batch_size": 3, "seed": 11, "shuffle": "once"}
GIVEN = ("epochs", "batch_size", "seed", "shuffle")


def module_with(folder: Path, **train: Any) -> ModuleType:
    """One layer trained as `train` says, run by Python."""
    return interpreted(written({**LINE, "train": {**LINE.get("train", {}), **train}}, folder))


def defaults(module: ModuleType) -> dict[str, Any]:
    """What `fit` does where nothing is said."""
    return {name: signature(module.fit).parameters[name].default for name in GIVEN}


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The orders and sizes of batches that `fit` of a module asks its train_epoch for."""

    def watch(module: ModuleType) -> list[tuple[Any, Any]]:
        asked: list[tuple[Any, Any]] = []
        inner = module.train_epoch

        def train_epoch(*arguments: Any, **options: Any) -> float:
            order = options["order"]
            asked.append((options["batch_size"], None if order is None else order.tolist()))
            return float(inner(*arguments, **options))

        monkeypatch.setattr(module, "train_epoch", train_epoch)
        return asked

    return watch


def test_the_train_block_is_what_fit_does(tmp_path: Path, orders: Any) -> None:
    module = module_with(tmp_path, **PLAN)
    assert defaults(module) == PLAN
    asked = orders(module)
    params, history = module.fit(*line_data())
    assert len(history) == 3
    order = np.random.default_rng(11).permutation(len(line_data()[0])).tolist()
    assert asked == [(3, order)] * 3
    said, _ = module.fit(*line_data(), epochs=3, batch_size=3, seed=11, shuffle="once")
    np.testing.assert_array_equal(module.flatten(params), module.flatten(said))


def test_the_caller_has_the_last_word(tmp_path: Path, orders: Any) -> None:
    module = module_with(tmp_path, **PLAN)
    asked = orders(module)
    module.fit(*line_data(), epochs=2, batch_size="full", shuffle=False)
    module.fit(*line_data(), epochs=2, batch_size=4, shuffle="never")
    assert asked == [("full", None)] * 2 + [(4, None)] * 2
    del asked[:]
    module.fit(*line_data(), epochs=2, shuffle=True)
    (_, first), (_, second) = asked
    assert sorted(first) == sorted(second) == list(range(len(line_data()[0])))
    assert first != second


def test_without_a_word_the_defaults_of_the_language_hold(tmp_path: Path) -> None:
    expected = {"epochs": 10, "batch_size": 32, "seed": 0, "shuffle": "each_epoch"}
    assert defaults(module_with(tmp_path)) == expected


def test_without_an_axis_of_rows_a_step_takes_everything(tmp_path: Path) -> None:
    spec = {
        "name": "f",
        "parameters": {"w": {"axes": [2], "init": 1}},
        "equations": {"y": "sum(w**2)"},
        "loss": "y",
    }
    module = interpreted(written(spec, tmp_path))
    assert defaults(module)["batch_size"] == "full"
    assert module.fit(epochs=2)[1][0] == 2.0


@pytest.mark.parametrize("shuffle", ["always", None, 2, ["once"], "each epoch"])
def test_another_way_to_shuffle_is_refused(shuffle: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shuffle: expected 'each_epoch', 'once' or 'never'"):
        module_with(tmp_path).fit(*line_data(), shuffle=shuffle)


HALVES = {"optimizer": "adam(0.05)", "schedule": "cosine(learning_rate)", "epochs": 7, "batch_size": 3}


@pytest.mark.parametrize("shuffle", ["each_epoch", "once", "never"])
def test_in_two_halves_as_in_one_to_the_last_bit(shuffle: str, tmp_path: Path) -> None:
    module = module_with(tmp_path, **HALVES, shuffle=shuffle)
    first, data = module.init_params(4), line_data()
    wholly, halves = module.init_state(first), module.init_state(first)
    params, history = module.fit(*data, params=first, state=wholly)
    for cut in range(1, 7):
        halves = module.init_state(first)
        half, early = module.fit(*data, params=first, state=halves, stop=cut)
        both, late = module.fit(*data, params=half, state=halves, start=cut)
        assert early + late == history
        assert module.flatten(both).tobytes() == module.flatten(params).tobytes()
        assert [a.tobytes() for a in halves] == [a.tobytes() for a in wholly]


def test_a_training_that_fails_leaves_the_state_as_it_was(tmp_path: Path) -> None:
    module = module_with(tmp_path, **HALVES)
    x, t = line_data()
    state = module.init_state(module.init_params())
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="the loss is"):
        module.fit(x * 1e20, t, state=state, shuffle=False)
    assert all(not array.any() for array in state)


def test_what_cannot_be_gone_on_with_is_refused(tmp_path: Path) -> None:
    module, data = module_with(tmp_path, **HALVES), line_data()
    params = module.init_params()
    with pytest.raises(ValueError, match="start: to go on after 2 epochs, give the params and the state"):
        module.fit(*data, start=2, params=params)
    for limits, said in (
        ({"stop": 8}, "stop: of 7 epochs after 0, expected 1 to 7, got 8"),
        ({"start": 3, "stop": 3}, "stop: of 7 epochs after 3, expected 4 to 7, got 3"),
        ({"start": 7}, "start: of 7 epochs, expected 0 to 6, got 7"),
        ({"start": 9, "stop": 3}, "start: of 7 epochs, expected 0 to 6, got 9"),
    ):
        given = {"params": params, "state": module.init_state(params), **limits}
        with pytest.raises(ValueError, match=said):
            module.fit(*data, **given)


def test_after_epoch_sees_epochs_changes_numbers_and_ends_training(tmp_path: Path) -> None:
    module = module_with(tmp_path, epochs=6, batch_size=3, optimizer="sgd(learning_rate=0.05)")
    seen: list[tuple[int, float, Any]] = []

    def after_epoch(epoch: int, loss: float, params: Any) -> Any:
        seen.append((epoch, loss, module.flatten(params).copy()))
        module.flatten(params)[:] = np.nan  # a copy
        return {2: {"learning_rate": 0.01}, 4: np.True_}.get(epoch)

    params, history = module.fit(*line_data(), after_epoch=after_epoch)
    state = module.init_state(module.init_params(module.fit.__kwdefaults__["seed"]))
    first, early = module.fit(*line_data(), state=state, stop=2)
    last, late = module.fit(
        *line_data(), params=first, state=state, start=2, stop=4, hyper={"learning_rate": 0.01}
    )
    assert history == [*early, *late] == [loss for _, loss, _ in seen]
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3, 4]
    np.testing.assert_array_equal(module.flatten(params), module.flatten(last))
    np.testing.assert_array_equal(module.flatten(params), seen[-1][2])
    for bad in (1, "f", False):
        with pytest.raises(TypeError, match="after_epoch: expected a function of an epoch"):
            module.fit(*line_data(), after_epoch=bad)
    with pytest.raises(TypeError, match="after_epoch: expected None, True to stop, or a dict"):
        module.fit(*line_data(), after_epoch=lambda *_: 0.5)
    with pytest.raises(ValueError, match="hyper: there is no 'lr'"):
        module.fit(*line_data(), after_epoch=lambda *_: {"lr": 0.5})


def test_losses_that_are_just_held_have_a_mean(tmp_path: Path) -> None:
    """Each step of one row at 1.3e308 takes 0.1 of the weight: losses of 1, 0.9 and 0.8 times that."""
    module = interpreted(
        written(
            {
                "dtype": "float64",
                "inputs": {"x": ["n"]},
                "parameters": {"w": {"axes": [], "init": 1.0}},
                "equations": {"y": "w*x"},
                "loss": "sum(y)",
                "train": {"optimizer": "sgd(learning_rate=0.1)", "clip_norm": 1.0},
            },
            tmp_path,
        )
    )
    rows, told = np.full(3, 1.3e308), []
    for pieces in ({}, {"after_steps": (1, lambda *now: told.append(now[1]))}):
        with np.errstate(over="ignore"):  # a square in the norm, which is then computed again
            _, history = module.fit(rows, epochs=1, batch_size=1, **pieces)
        np.testing.assert_allclose(history, [0.9 * 1.3e308], rtol=1e-12)
    np.testing.assert_allclose(told, [1.3e308, 0.9 * 1.3e308, 0.8 * 1.3e308], rtol=1e-12)

    def shared(comm: Any) -> float:
        params = module.init_params()
        with np.errstate(over="ignore"):
            return float(module.train_epoch(params, module.init_state(params), rows, batch_size=1, comm=comm))

    np.testing.assert_allclose(on_ranks(2, shared), 0.9 * 1.3e308, rtol=1e-12)
