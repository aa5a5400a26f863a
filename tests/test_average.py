"""The moving average of the parameters: kept by the optimiser, used by what is measured and predicted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from building import interpreted, is_identical, judged, written

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from pathlib import Path


def spec_of(average: Any, **train: Any) -> dict[str, Any]:
    return {
        "name": "averaged",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "layers": ["dense(4, activation=tanh)", "dense(2)"],
        "loss": "mse",
        "train": {"optimizer": "adam(0.05)", "average": average, "batch_size": 4, "epochs": 4, **train},
    }


def rows(count: int = 16) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(count, 3)), "t": rng.normal(size=(count, 2))}


@pytest.mark.parametrize("average", [0, 1, -0.5, "often"])
def test_a_decay_lies_between_0_and_1(average: Any) -> None:
    with pytest.raises(SpecError, match="average"):
        expand(sg.read(spec_of(average)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [0.5, 0.999, 0.99999])
def test_it_is_the_weighted_mean_of_all_steps(decay: float, dtype: str, tmp_path: Path) -> None:
    """Of the steps t = 1 … n, the one before weighs `decay` times as much as the next; by definition."""
    spec = {**spec_of(decay, freeze="b1", optimizer="momentum"), "dtype": dtype}
    module = interpreted(written(spec, tmp_path))
    rng, params = np.random.default_rng(3), module.init_params(1)
    state, path = module.init_state(params), []
    assert [a.tobytes() for a in module.averaged(params, state)] == [a.tobytes() for a in params]
    for _ in range(30):
        gradient = rng.normal(size=module.SIZE).astype(dtype)
        module.update(params, module.unflatten(gradient), state)
        path.append(module.flatten(params).astype(np.float64).copy())
    weights = decay ** np.arange(len(path) - 1, -1, -1.0)
    expected = module.unflatten(np.average(path, axis=0, weights=weights).astype(dtype))
    found = module.averaged(params, state)
    for name, due in expected._asdict().items():
        tolerance = 1e-12 if dtype == "float64" else 3e-6
        np.testing.assert_allclose(getattr(found, name), due, rtol=tolerance, atol=tolerance, err_msg=name)
    assert found.b1.tobytes() == params.b1.tobytes()
    assert not np.shares_memory(found.W1, params.W1)
    assert module.State._fields == ("step", "v", "average")


@pytest.mark.parametrize("change", [(0.5, 0.9999), (0.9999, 0.5), (0.9, 0.99)])
def test_it_lies_among_the_parameters_where_its_decay_changes_on_the_way(
    change: tuple[float, float], tmp_path: Path
) -> None:
    """It was divided by 1 − decayᵗ of the new decay, as though all steps had known it: far too large."""
    module = interpreted(written(spec_of(change[0]), tmp_path))
    rng, params, path = np.random.default_rng(4), module.init_params(1), []
    state = module.init_state(params)
    for number in range(40):
        hyper = {"average_decay": change[number >= 20]}
        gradient = module.unflatten(rng.normal(size=module.SIZE))
        module.update(params, gradient, state, hyper=hyper)
        path.append(module.flatten(params).copy())
        found = module.flatten(module.averaged(params, state))
        assert np.all(found <= np.max(path, axis=0) + 1e-12), number
        assert np.all(found >= np.min(path, axis=0) - 1e-12), number


def test_steps_do_not_feel_it(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = interpreted(written(spec_of(None), tmp_path / "plain"))
    module = interpreted(written(spec_of(0.9), tmp_path))
    found, expected = (m.fit(**rows(), epochs=2)[0] for m in (module, plain))
    assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]


FAULTS = {
    "the parameters before the step": (
        "        theta[n] = theta[n] - s4",
        "        average[n] += s8 * (theta[n] - average[n]); theta[n] = theta[n] - s4",
    ),
    "no correction of the first steps": ("(1 - average_decay ** t)", "1"),
    "a number that is ignored": ("    average_decay = hyper[", "    average_decay = _DEFAULTS["),
    "another place": ("TRAINED = ((0, 12, 0), (16, 10, 12))", "TRAINED = ((0, 12, 0), (16, 10, 11))"),
}
HARD = spec_of(0.9, freeze="b1", per_parameter={"W*": {"weight_decay": 0.1}})


def test_the_judge_passes_the_module(tmp_path: Path) -> None:
    report = judged(HARD, tmp_path, compiled=False, points=1)
    assert report.passed, str(report)
    assert is_identical(report)
    assert {"average", "hyper"} <= {c.name for c in report.checks if c.verdict == "pass"}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_finds_faults(fault: str, tmp_path: Path) -> None:
    right, wrong = FAULTS[fault]

    def edit(text: str) -> str:
        assert right in text
        return text.replace(right, wrong)

    with np.errstate(all="ignore"):
        report = judged(HARD, tmp_path, edit, compiled=False, points=1)
    assert "average" in {c.name for c in report.checks if c.verdict == "fail"}


@pytest.fixture(name="_uncompiled")
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)


@pytest.mark.usefixtures("_uncompiled")
def test_what_is_measured_and_kept_is_the_average(tmp_path: Path) -> None:
    data, every = rows(), {"epochs": 1, "keep": 9}
    spec = spec_of(0.8, validation=0.25, checkpoint=every, stop={"patience": 3})
    run = sg.train(spec, data=data, progress=False, out=tmp_path)
    module = run.checkpoint.module
    raw = module.unflatten(run.checkpoint.more["unaveraged.params"])
    used = module.averaged(raw, run.checkpoint.state)
    assert [a.tobytes() for a in run.params] == [a.tobytes() for a in used]
    assert [a.tobytes() for a in run.params] != [a.tobytes() for a in raw]
    best = run.history.records[run.best_epoch - 1]
    assert best.validation_loss == run.validation.loss, "the best snapshot is that of the averages"
    assert "moving average" in str(run)
    again = sg.open_run(tmp_path, module)
    assert again.predict(data["x"]).tobytes() == module.predict(used, data["x"]).tobytes()
    assert sg.evaluate(again, data).metrics.loss == pytest.approx(module.loss(used, data["x"], data["t"]))
    for epoch in (3, 4):
        (tmp_path / "checkpoints" / f"epoch-{epoch:07}.npz").unlink()
    resumed = sg.train(resume=tmp_path, data=data, progress=False)
    assert [a.tobytes() for a in resumed.params] == [a.tobytes() for a in run.params]
    assert [a.tobytes() for a in resumed.checkpoint.state] == [a.tobytes() for a in run.checkpoint.state]
    assert [{**vars(r), "seconds": 0} for r in resumed.history.records] == [
        {**vars(r), "seconds": 0} for r in run.history.records
    ]


@pytest.mark.usefixtures("_uncompiled")
def test_estimators_use_it(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("symgrad.sklearn")
    file = tmp_path / "net.yaml"
    file.write_text(json.dumps(spec_of(0.9)))
    data = rows()
    model = sklearn.Regressor(str(file), epochs=3, random_state=0).fit(data["x"], data["t"])
    network = model.network_
    module, params = network.module, network.module.unflatten(np.array(network.theta))
    used = module.averaged(params, module.State(*map(np.array, network.state)))
    np.testing.assert_array_equal(model.predict(data["x"]), module.predict(used, data["x"]))


def test_derivations_show_its_equation() -> None:
    spec = sg.read(spec_of(0.9))
    assert "average_W1 ← 0.1·(W1 − average_W1)/(1 − 0.9ᵗ) + average_W1" in sg.derive(spec).text()
    assert "average_decay" in stages_of(spec).text
    assert sg.summary(spec).as_dict()["state_bytes"] == 3 * 26 * 8


def test_callbacks_get_it_beside_the_parameters_that_training_goes_on_from(tmp_path: Path) -> None:
    module, seen = interpreted(written(spec_of(0.9), tmp_path)), []

    def told(record: Any, params: Any) -> None:
        seen.append((record.step, module.flatten(params), module.flatten(record.averaged)))

    options: dict[str, Any] = {"data": rows(), "progress": False}
    run = sg.train(spec_of(0.9), module, after_epoch=told, after_steps=(3, told), **options)
    raw = [params for _, params, _ in seen]
    plain = interpreted(written(spec_of(None), tmp_path))
    without = []
    sg.train(
        spec_of(None),
        plain,
        after_epoch=lambda record, params: without.append((plain.flatten(params), record.averaged)),
        **options,
    )
    assert [step for step, _, _ in seen] == [3, 4, 6, 8, 9, 12, 12, 15, 16]
    assert {averaged for _, averaged in without} == {None}
    ends = [raw[k] for k in (1, 3, 6, 8)]
    np.testing.assert_allclose(ends, [params for params, _ in without], rtol=1e-12)
    np.testing.assert_array_equal(seen[-1][2], module.flatten(run.params))
    assert not np.array_equal(seen[-1][1], seen[-1][2])
