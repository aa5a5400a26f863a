"""Checkpoints come back bit for bit, and never into a module they do not belong to."""

from __future__ import annotations

import os

import numpy as np
import pytest
from stub_module import State, make_module, make_spec

from symgrad.errors import DataError
from symgrad.runtime.array_archives import read_archive, write_archive
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
    save_checkpoint(path, checkpoint())
    if changes:
        arrays = read_archive(path) | {name.replace("__", "."): value for name, value in changes.items()}
        write_archive(path, {name: value for name, value in arrays.items() if value is not None})
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
        (
            {"network_sha256": np.array("c" * 64)},
            "another network, 'stub': the names and shapes are the same",
        ),
        ({"format_version": np.array(99)}, "format 99"),
        ({"params__W": np.zeros((3, 2), np.float32)}, r"W has the shape \[3, 2\] in it, \[2, 3\] in the"),
        ({"params__W": np.zeros((2, 3), np.int64)}, "params.W holds int64, not float32"),
        ({"params__W": np.full((2, 3), np.nan, np.float32)}, "params.W holds a number that is not finite"),
        ({"params__W": np.full((2, 3), 1e300)}, "params.W holds a number that is not finite in float32"),
        ({"params__W": None}, "W is missing in it"),
        ({"params__V": np.zeros(2, np.float32)}, "V is not in the module"),
        ({"epoch": None}, "epoch"),
        ({"network_sha256": None}, "network_sha256"),
        ({"format_version": np.array("one")}, "invalid literal"),
        ({"preparation": np.array("{")}, "Expecting property name"),
        (
            {"preparation": np.array('{"inputs": {"x": {"shape": [2], "mean": [1]}}}')},
            "mean is not one finite",
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
        with pytest.raises(DataError, match="it is damaged"):
            load_checkpoint(path, MODULE)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(DataError, match="no checkpoint"):
        load_checkpoint(tmp_path / "single.npy", MODULE)
    np.savez(path, format_version=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="Object arrays cannot be loaded"):
        load_checkpoint(path, MODULE)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_save_leaves_the_earlier_file_and_no_litter(tmp_path, monkeypatch, step):
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(DataError, match="No space left on device"):
        save_checkpoint(path, checkpoint())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_state_of_another_optimiser_is_left(tmp_path):
    for change in ({"state__extra": np.zeros(2)}, {"state__step": np.zeros(2, np.int64)}):
        found = load_checkpoint(saved(tmp_path, **change), MODULE)
        assert found.state is None
        np.testing.assert_array_equal(found.fitted.W, checkpoint().fitted.W)
