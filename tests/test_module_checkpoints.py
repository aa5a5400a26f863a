"""What an emitted module saves, it loads; with nothing but both, an application predicts and trains on."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SPEC: dict[str, Any] = {
    "name": "pets",
    "dtype": "float64",
    "inputs": {"x": ["n", 3]},
    "targets": {"t": {"axes": ["n"], "classes": 2}},
    "layers": ["dense(4, activation=tanh)", "dense(2)"],
    "loss": "softmax_cross_entropy",
    "train": {"optimizer": "adam(0.05)", "epochs": 6, "batch_size": 4},
}
MEAN, DEVIATION = np.array([1.0, 2.0, 0.1]), np.array([2.0, 0.5, 3.0])
LEARNT = {
    "inputs": {"x": {"shape": [3], "mean": MEAN.tolist(), "deviation": DEVIATION.tolist()}},
    "targets": {"t": {"shape": [], "classes": ["cat", "dog"]}},
}
X = np.random.default_rng(1).normal(size=(9, 3)) * DEVIATION + MEAN
T = np.arange(9) % 2


def pets(folder: Path, **change: Any) -> ModuleType:
    folder.mkdir(exist_ok=True)
    return interpreted(written(SPEC | change, folder))


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    return pets(tmp_path)


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - MEAN) / DEVIATION


def saved(module: ModuleType, folder: Path, **more: Any) -> Path:
    params = module.init_params(3)
    state = module.init_state(params)
    params, _ = module.fit(standardised(X), T, params=params, state=state, stop=3)
    module.save(folder / "pets.npz", params, state, epoch=3, preparation=LEARNT, **more)
    return folder / "pets.npz"


def bits(module: ModuleType, params: Any, state: Any) -> list[bytes]:
    return [module.flatten(params).tobytes(), *(array.tobytes() for array in state)]


def test_from_a_checkpoint_training_goes_on_as_if_never_stopped(module: ModuleType, tmp_path: Path) -> None:
    first = module.init_params(3)
    wholly = module.init_state(first)
    params, _ = module.fit(standardised(X), T, params=first, state=wholly)
    model = module.load(saved(module, tmp_path))
    again, _ = module.fit(standardised(X), T, params=model.params, state=model.state, start=model.epoch)
    assert bits(module, again, model.state) == bits(module, params, wholly)


def test_predictions_are_of_inputs_as_they_stand_in_the_data(module: ModuleType, tmp_path: Path) -> None:
    model = module.load(saved(module, tmp_path))
    expected = module.predict(model.params, standardised(X))
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model.predict(X.tolist()), expected)
    assert model.labels(X).tolist() == ["cat" if row[0] >= row[1] else "dog" for row in expected]
    with pytest.raises(ValueError, match=r"x: expected shape \[n, 3\], got \[9, 1\]"):
        model.predict(X[:, :1])
    with pytest.raises(ValueError, match="x: the entry"):
        model.predict(X * np.inf)
    holes, filled = np.array(X), np.array(X)
    holes[2, 1], filled[2, 1] = np.nan, 0.5
    record = {"inputs": {"x": LEARNT["inputs"]["x"] | {"fill": [9.0, 0.5, 9.0]}}}
    np.testing.assert_array_equal(model._replace(preparation=record).predict(holes), model.predict(filled))
    with pytest.raises(TypeError, match="expected 1 inputs, x, or a dict of columns; got 2"):
        model.predict(X, X)


@pytest.mark.parametrize(
    ("loss", "classes", "names"),
    [
        ("binary_cross_entropy_with_logits", None, [0, 1]),
        ("hinge", None, [-1, 1]),
        ("binary_cross_entropy_with_logits", ["no", "yes"], None),
    ],
)
def test_decisions_have_labels_too(tmp_path: Path, loss: str, classes: Any, names: Any) -> None:
    spec = {
        **SPEC,
        "targets": {"t": ["n"]},
        "parameters": {"w": {"axes": [3], "init": "normal(std=1)"}},
        "equations": {"y": "x @ w"},
        "loss": loss,
    }
    del spec["layers"]
    module = interpreted(written(spec, tmp_path))
    params = module.init_params(2)
    module.save(
        tmp_path / "y.npz", params, preparation={"targets": {"t": {"classes": classes}}} if classes else None
    )
    found = module.load(tmp_path / "y.npz").labels(standardised(X))
    kinds = classes or names
    assert found.tolist() == [kinds[int(score > 0)] for score in standardised(X) @ params.w]
    assert len(set(found.tolist())) == 2


def test_numbers_are_no_labels(tmp_path: Path) -> None:
    spec = {**SPEC, "targets": {"t": ["n", 2]}, "loss": "mse"}
    module = interpreted(written(spec, tmp_path))
    module.save(tmp_path / "y.npz", module.init_params())
    with pytest.raises(ValueError, match="predicts numbers"):
        module.load(tmp_path / "y.npz").labels(X)


def test_the_file_is_plain(module: ModuleType, tmp_path: Path) -> None:
    path = saved(module, tmp_path, mine=np.arange(3))
    with np.load(path, allow_pickle=False) as file:
        assert str(file["network_sha256"]) == module.NETWORK_SHA256
        assert json.loads(str(file["preparation"])) == LEARNT
        assert file["mine"].tolist() == module.load(path).more["mine"].tolist() == [0, 1, 2]
        assert {key for key in file.files if "." in key} == {
            *(f"params.{name}" for name in ("W1", "b1", "W2", "b2")),
            *(f"state.{name}" for name in module.State._fields),
        }


def test_what_the_spec_says_of_training_does_not_matter(module: ModuleType, tmp_path: Path) -> None:
    path = saved(module, tmp_path)
    mean = module.load(path).params
    other = pets(tmp_path / "b", name="b", train={"optimizer": "sgd(0.1)", "standardize": True})
    model = other.load(path)
    assert model.state is None
    assert module.flatten(mean).tobytes() == other.flatten(model.params).tobytes()
    narrow = pets(tmp_path / "c", dtype="float32").load(path)
    np.testing.assert_array_equal(narrow.params.W1, mean.W1.astype(np.float32))
    assert narrow.state.step == 9


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            ["dense(5, activation=tanh)", "dense(2)"],
            r"W1 has the shape \[3, 4\] in it, \[3, 5\] in the module",
        ),
        (
            ["dense(4, activation=relu)", "dense(2)"],
            "the names and shapes are the same, but not the equations",
        ),
        (["dense(2)"], "W2 is not in the module, b2 is not in the module, W1 has"),
        (["dense(4)", "dense(4)", "dense(2)"], "W3 is missing in it, b3 is missing in it"),
    ],
)
def test_another_network_is_refused_with_what_differs(
    module: ModuleType, tmp_path: Path, layers: list[str], words: str
) -> None:
    path = saved(module, tmp_path)
    with pytest.raises(ValueError, match=f"pets.npz: a checkpoint of another network, 'pets': .*{words}"):
        pets(tmp_path / "other", layers=layers).load(path)


def test_whatever_byte_is_damaged_nothing_wrong_is_loaded(module: ModuleType, tmp_path: Path) -> None:
    """Every byte of the directory and the headers, and some of the numbers."""
    path = saved(module, tmp_path)
    whole, model = path.read_bytes(), module.load(path)
    refused, rng = 0, np.random.default_rng(0)
    places = {*range(0, len(whole), 17), *rng.integers(0, len(whole), 100).tolist()}
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ rng.integers(1, 256)]) + whole[place + 1 :])
        try:
            found = module.load(path)
        except ValueError as error:
            refused += str(error).startswith(str(path))
        else:
            assert bits(module, found.params, found.state) == bits(module, model.params, model.state)
            assert found[2:] == model[2:]  # no more arrays
    assert refused > 0.8 * len(places)
    for length in range(0, len(whole), 101):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="it is damaged"):
            module.load(path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_file(
    module: ModuleType, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(module, tmp_path)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        module.save(path, module.init_params())
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_numbers_that_are_none_are_refused(module: ModuleType, tmp_path: Path) -> None:
    params = module.init_params()
    params.W1[0, 0] = np.nan
    module.save(tmp_path / "a.npz", params)
    with pytest.raises(ValueError, match=r"params.W1 holds a number that is not finite in float64"):
        module.load(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        module.load(tmp_path / "none.npz")
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="damaged, or no checkpoint: Object arrays cannot be loaded"):
        module.load(tmp_path / "b.npz")
    with pytest.raises(TypeError, match="params: expected Params"):
        module.save(tmp_path / "a.npz", [1.0])
    with pytest.raises(ValueError, match=r"state.mine: this key has a meaning of its own"):
        module.save(tmp_path / "a.npz", params, **{"state.mine": np.zeros(1)})
