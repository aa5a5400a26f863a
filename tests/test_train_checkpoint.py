"""Checkpoints come back bit for bit, and never into a module they do not belong to."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pytest
from stub_module import State, make_module, make_spec

from symgrad.errors import DataError
from symgrad.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from symgrad.training.dataset.preparation import Preparation, TensorPreparation

SPEC = make_spec(dtype="float32")
MODULE = make_module(SPEC)


def checkpoint() -> Checkpoint:
    params = MODULE.init_params(seed=3)
    state = State(np.array([17]), np.linspace(0, 1, 9, dtype=np.float32))
    x = TensorPreparation((2,), mean=np.array([1.5, 0.1]), deviation=np.array([2.0, 1.0]))
    return Checkpoint(params, state, Preparation({"x": x}), epoch=4, seed=9, module=MODULE)


def saved(tmp_path, **changes):
    """A good checkpoint's path, some of its arrays replaced (None: left out)."""
    path = tmp_path / "model.npz"
    save_checkpoint(path, MODULE, checkpoint())
    if changes:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        arrays |= {name.replace("__", "."): value for name, value in changes.items()}
        np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_everything_comes_back(tmp_path):
    found, meant = load_checkpoint(saved(tmp_path), MODULE), checkpoint()
    for ours, theirs in zip((*found.fitted, *found.state), (*meant.fitted, *meant.state), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert type(found.state) is State
    assert MODULE.flatten(found.fitted).flags.writeable
    assert (found.epoch, found.seed) == (4, 9)
    assert found.preparation.to_json() == meant.preparation.to_json()


def test_the_file_needs_no_pickle_and_names_its_origin(tmp_path):
    with np.load(saved(tmp_path), allow_pickle=False) as file:
        assert str(file["spec_sha256"]) == SPEC.sha256
        assert str(file["symgrad_version"]) == "0.1.0"
        assert file["params.W"].shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec_sha256": np.array("b" * 64)}, "another spec"),
        ({"format_version": np.array(99)}, "format 99"),
        ({"params__W": np.zeros((3, 2), np.float32)}, r"params.W is float32 \[3, 2\], .* float32 \[2, 3\]"),
        ({"params__W": np.zeros((2, 3))}, "params.W is float64"),
        ({"params__W": np.full((2, 3), np.nan, np.float32)}, "params.W holds a number that is not finite"),
        ({"params__W": None}, "holds params b, the module has W, b"),
        ({"state__step": np.zeros(2, np.int64)}, "state.step"),
        ({"state__extra": np.zeros(2)}, "holds state"),
        ({"epoch": None}, "not a symgrad checkpoint"),
        ({"spec_sha256": None}, "not a symgrad checkpoint"),
        ({"format_version": np.array("one")}, "not a symgrad checkpoint"),
        ({"preparation": None}, "not a symgrad checkpoint"),
        ({"preparation": np.array("[1]")}, "not a symgrad checkpoint"),
        (
            {"preparation": np.array('{"inputs": {"x": {"shape": [2], "mean": [1]}}, "targets": {}}')},
            "one finite",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, words):
    with pytest.raises(DataError, match=words) as caught:
        load_checkpoint(saved(tmp_path, **changes), MODULE)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


def test_missing_cut_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.npz", MODULE)
    path = saved(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cannot be read|not a symgrad"):
            load_checkpoint(path, MODULE)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(DataError, match="single array"):
        load_checkpoint(tmp_path / "single.npy", MODULE)
    np.savez(path, format_version=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="cannot be read"):
        load_checkpoint(path, MODULE)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_save_leaves_the_earlier_file_and_no_litter(tmp_path, monkeypatch, step):
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(DataError, match="No space left on device"):
        save_checkpoint(path, MODULE, checkpoint())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_scalar_parameter_and_an_empty_state_survive(tmp_path):
    class Params(NamedTuple):
        a: np.ndarray

    class Empty(NamedTuple):
        pass

    module = make_module(SPEC)
    module.init_params = lambda seed=0: Params(np.zeros(1, np.float32)[0:1].reshape(()))
    module.flatten = lambda params: params.a.reshape(1)
    module.unflatten = lambda vector: Params(vector.reshape(()))
    module.init_state = lambda params: Empty()
    wanted = Checkpoint(Params(np.array(2.5, np.float32)), Empty(), Preparation(), 1, 0, module)
    save_checkpoint(tmp_path / "scalar.npz", module, wanted)
    found = load_checkpoint(tmp_path / "scalar.npz", module)
    assert found.params.a.shape == ()
    assert found.params.a == 2.5
    assert found.state == Empty()
