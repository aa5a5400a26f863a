"""Parameters of a standardised run take standardised inputs: its `predict` standardises, they warn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

import symgrad as sg
from symgrad.training.dataset.data import load_data
from symgrad.training.split import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.run import Run

SPEC = """
name: st
dtype: float64
inputs: {x: [n, 2]}
targets: {t: [n, 1]}
layers: ['dense(1)']
loss: mse
train:
  data: st.csv
  standardize: true
  optimizer: sgd(learning_rate=0.1)
  epochs: 200
  batch_size: full
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run's files lie."""
    return tmp_path_factory.mktemp("st")


@pytest.fixture(scope="module")
def trained(folder: Path) -> tuple[Run, Any]:
    """A run on t = 2 a + 3, beside a column that never changes, and the module that was trained."""
    a = 1000 + 50 * np.random.default_rng(0).normal(size=30)
    rows = [f"{x!r},7.0,{2 * x + 3!r}" for x in a.tolist()]
    (folder / "st.csv").write_text("\n".join(["a,b,t", *rows]))
    (folder / "st.yaml").write_text(SPEC)
    module = interpreted(written(str(folder / "st.yaml"), folder))
    return sg.train(str(folder / "st.yaml"), module, out=folder / "out", progress=False), module


def test_a_standardised_run_predicts_from_the_data_as_they_are(
    trained: tuple[Run, Any], folder: Path
) -> None:
    run, module = trained
    raw = np.array([[1000, 7], [1100, 7]])
    np.testing.assert_allclose(run.predict(raw), [[2003], [2203]], rtol=1e-9)
    saved = sg.load_checkpoint(folder / "out" / "checkpoint.npz", module)
    np.testing.assert_array_equal(saved.predict(raw), run.predict(raw))
    assert "`predict` of the run" in str(run)
    assert run.notes == tuple(run.as_dict()["notes"])
    assert "Training standardises the inputs" in module.__doc__


def test_its_parameters_alone_come_with_a_warning(trained: tuple[Run, Any], folder: Path) -> None:
    run, module = trained
    saved = sg.load_checkpoint(folder / "out" / "checkpoint.npz", module)
    for owner in (run, saved):
        with pytest.warns(sg.DataWarning, match="st: these parameters take inputs as they were trained on"):
            assert (module.flatten(owner.params) == module.flatten(saved.fitted)).all()


def test_a_run_on_data_as_they_are_says_nothing_of_it(tmp_path: Path) -> None:
    spec = {"name": "p", "dtype": "float64", "inputs": {"x": ["n"]}, "targets": {"t": ["n"]}}
    spec |= {"parameters": {"w": {"axes": [], "init": 0}}, "equations": {"y": "w * x"}, "loss": "mse"}
    module = interpreted(written(spec, tmp_path))
    np.savez(tmp_path / "p.npz", x=np.array([1.0, 2.0]), t=np.array([2.0, 4.0]))
    run = sg.train(spec, module, data=tmp_path / "p.npz", epochs=3, progress=False)
    np.testing.assert_array_equal(run.predict([3.0]), module.predict(run.params, [3.0]))
    assert not run.notes
    assert "standardises" not in module.__doc__


def test_inputs_that_do_not_fit_are_refused(trained: tuple[Run, Any]) -> None:
    run, _ = trained
    wrong: dict[tuple[Any, ...], str] = {
        (): "predict got 0 arrays for 1 inputs; give x",
        (((1, 7),), ((1,),)): "predict got 2 arrays",
        (((1000,),),): r"'x' has rows of shape \[1\], those in training had \[2\]",
        ((1000, 7),): r"rows of shape \[\]",
        (1000,): r"rows of shape \[\]",
    }
    for inputs, problem in wrong.items():
        with pytest.raises(sg.DataError, match=problem):
            run.predict(*inputs)


def test_a_derivative_by_what_is_standardised_is_doubted() -> None:
    """The equation that a physicist wrote would silently be another one."""
    spec: dict[str, Any] = {
        "inputs": {"x": ["batch", 1]},
        "equations": {"u": "dense(x, 1, activation=tanh)", "s": "2 * u", "r": "d(s, x, x) + d(s, u)"},
        "loss": "mean(r**2)",
        "train": {"standardize": True},
    }
    with pytest.warns(
        sg.SpecWarning, match=r"equations\.r:1:1: a derivative by 'x'.*scale in the formula"
    ) as told:
        sg.read(spec)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.SpecWarning)
        sg.read({**spec, "train": {}})


def test_lengths_and_masks_stay_as_they_are() -> None:
    """They would say other things once they are scaled."""
    spec = sg.read(
        {
            "name": "sequences",
            "dtype": "float64",
            "inputs": {"x": ["N", "T", 2], "n": ["N"], "m": ["N", "T"]},
            "targets": {"t": ["N", 1]},
            "equations": {
                "h": "gru(x, 3, lengths=n)",
                "p": "global_max_pool(x, mask=m)",
                "y": "dense(last(h, lengths=n), 1) + dense(p, 1)",
            },
            "loss": "mse(y, t)",
            "train": {"standardize": True},
        }
    )
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(3, 2, (9, 4, 2)), "n": rng.integers(0, 5, 9), "m": rng.integers(0, 2, (9, 4))}
    found = prepare(spec, load_data(spec, {**data, "t": rng.normal(size=(9, 1))}), 0).training.inputs
    np.testing.assert_array_equal(found["n"], data["n"])
    np.testing.assert_array_equal(found["m"], data["m"])
    np.testing.assert_allclose(found["x"].mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("wrong", [5, -1, 2.5])
def test_lengths_that_no_row_can_have_are_refused(wrong: float) -> None:
    spec = sg.read(
        {
            "name": "sequences",
            "inputs": {"x": ["N", "T", 2], "n": ["N"]},
            "targets": {"t": ["N", 1]},
            "equations": {"h": "lstm(x, 3, lengths=n)", "y": "dense(last(h, lengths=n), 1)"},
            "loss": "mse(y, t)",
        }
    )
    lengths = np.array([0.0, 4.0, wrong])
    with pytest.raises(sg.DataError, match=r"n\[2\]: .* is no length of a row .* 0 to 4, the places of 'x'"):
        load_data(spec, {"x": np.zeros((3, 4, 2)), "n": lengths, "t": np.zeros((3, 1))})
