"""Fine-tuning: parameters of a checkpoint that fit a network are taken, and it is told which."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import DataError, ModuleError
from symgrad.training.borrowed_params import borrow

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

OLD: dict[str, Any] = {
    "name": "old",
    "inputs": {"x": ["n", 3]},
    "targets": {"t": {"axes": ["n"], "classes": 5}},
    "layers": ["dense(4, activation=tanh)", "dense(5)"],
    "loss": "softmax_cross_entropy",
}
NEW = OLD | {"name": "new", "targets": {"t": {"axes": ["n"], "classes": 2}}}
NEW |= {"layers": ["dense(4, activation=relu)", "dense(2)"], "dtype": "float64", "train": {"epochs": 1}}


def module_of(spec: Any, folder: Path) -> ModuleType:
    folder.mkdir(exist_ok=True)
    return interpreted(written(spec, folder))


@pytest.fixture
def old(tmp_path: Path) -> ModuleType:
    module = module_of(OLD, tmp_path / "old")
    module.save(tmp_path / "old.npz", module.init_params(9))
    return module


def test_what_fits_by_name_and_shape_is_taken(old: ModuleType, tmp_path: Path) -> None:
    module = module_of(NEW, tmp_path / "new")
    found = borrow(tmp_path / "old.npz", {}, module, seed=1)
    first = module.init_params(1)
    np.testing.assert_array_equal(found.params.W1, old.init_params(9).W1)
    np.testing.assert_array_equal(found.params.W2, first.W2)
    assert found.note == (
        f"from {tmp_path / 'old.npz'}: W1, b1; from first values: W2 (of shape [4, 2], there [4, 5]), "
        "b2 (of shape [2], there [5])"
    )


def test_names_may_differ(old: ModuleType, tmp_path: Path) -> None:
    spec = {**NEW, "parameters": {"A": [3, 4], "B": [4, 2]}, "equations": {"y": "tanh(x @ A) @ B"}}
    del spec["layers"]
    found = borrow(tmp_path / "old.npz", {"A": "W1"}, module_of(spec, tmp_path / "new"), seed=0)
    np.testing.assert_array_equal(found.params.A, old.init_params(9).W1)
    assert "A (its W1); from first values: B (not in it); not used: b1, W2, b2" in found.note


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"W3": "W1"}, "the module has no parameter 'W3'; expected one of W1"),
        ({"W1": "encoder"}, "the checkpoint has no parameter 'encoder'; expected one of W1, b1, W2, b2"),
        ({"W2": "W2"}, r"'W2' cannot be 'W2': of shape \[4, 2\], there \[4, 5\]"),
        ({"W1": "W2", "b1": "b2"}, r"'W2' cannot be 'W1'"),
    ],
)
def test_names_that_do_not_fit_are_refused(
    old: ModuleType, tmp_path: Path, names: dict[str, str], words: str
) -> None:
    assert old.SIZE == 41
    with pytest.raises(DataError, match=words):
        borrow(tmp_path / "old.npz", names, module_of(NEW, tmp_path / "new"), 0)


@pytest.mark.usefixtures("old")
def test_where_nothing_fits_that_is_said(tmp_path: Path) -> None:
    module = module_of({**NEW, "inputs": {"x": ["n", 7]}, "layers": ["dense(2)"]}, tmp_path / "new")
    with pytest.raises(
        DataError,
        match=r"no parameter fits: W1 \(of shape \[7, 2\], there \[3, 4\]\), b1 .*; it has W1, b1, W2, b2; ",
    ):
        borrow(tmp_path / "old.npz", {}, module, 0)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        borrow(tmp_path / "none.npz", {}, module, 0)
    (tmp_path / "old.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="it is damaged"):
        borrow(tmp_path / "old.npz", {}, module, 0)


@pytest.mark.usefixtures("old")
def test_training_starts_from_them(tmp_path: Path) -> None:
    module = module_of(NEW, tmp_path / "new")
    x = np.random.default_rng(0).normal(size=(12, 3))
    np.savez(tmp_path / "rows.npz", x=x, t=np.arange(12) % 2)
    source, data = tmp_path / "old.npz", tmp_path / "rows.npz"
    run = sg.train(NEW, module, data=data, params_from=source, progress=False, out=tmp_path / "run")
    params = borrow(source, {}, module, 0).params
    order = np.random.default_rng([0, 2, 1]).permutation(12)
    module.train_epoch(params, module.init_state(params), x, np.arange(12) % 2, batch_size=12)
    np.testing.assert_array_equal(run.checkpoint.fitted.W1, params.W1)
    assert len(order) == 12
    assert run.notes[0].startswith(f"from {source}: W1, b1;")
    again = sg.train(NEW, module, data=data, resume=tmp_path / "run", epochs=2, progress=False)
    expected = sg.train(NEW, module, data=data, params_from=source, epochs=2, progress=False)
    np.testing.assert_array_equal(again.checkpoint.fitted.W1, expected.checkpoint.fitted.W1)


def test_what_does_not_fit_is_refused_before_anything_is_read_or_written(
    old: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are no data, and nothing may be built: the source alone is looked at."""
    assert old.SPEC_NAME == "old"
    monkeypatch.setattr("symgrad.api.build", lambda *_, **__: pytest.fail("built"))
    other = {**NEW, "layers": ["dense(6)", "dense(2)"], "train": {"data": "nowhere.csv"}}
    (tmp_path / "other.yaml").write_text(json.dumps(other))
    sources = {
        "missing.npz": "cannot be read",
        "old.npz": r"no parameter fits: W1 \(of shape \[3, 6\], there \[3, 4\]\)",
    }
    for file, said in sources.items():
        with pytest.raises(DataError, match=said):
            sg.train(other, params_from=tmp_path / file)
        arguments = [str(tmp_path / "other.yaml"), "--params-from", str(tmp_path / file)]
        refused = CliRunner().invoke(main, ["train", *arguments, "--out", str(tmp_path / "run")])
        assert refused.exit_code == 2
        assert re.search(said, refused.stderr)
    assert not (tmp_path / "run").exists()


def test_a_missing_log_is_refused_before_anything_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("symgrad.api.build", lambda *_, **__: pytest.fail("built"))
    spec = {**NEW, "train": {"data": "nowhere.csv"}}
    (tmp_path / "new.yaml").write_text(json.dumps(spec))
    with pytest.raises(ModuleError, match="MLflow cannot be loaded"):
        sg.train(spec, log="mlflow", out=tmp_path / "run")
    arguments = [str(tmp_path / "new.yaml"), "--log", "mlflow", "--out", str(tmp_path / "run")]
    refused = CliRunner().invoke(main, ["train", *arguments])
    assert (refused.exit_code, "MLflow cannot be loaded" in refused.stderr) == (2, True)
    assert not (tmp_path / "run").exists()
