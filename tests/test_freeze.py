"""Frozen parameters: training leaves them as they are, and what is known of them is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from building import interpreted, is_identical, judged, written
from click.testing import CliRunner
from test_behaviour import bench
from thread_ranks import on_ranks

import symgrad as sg
from symgrad.cli import main
from symgrad.compiler.loading.load import load
from symgrad.errors import DataError, SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import with_frozen
from symgrad.verifier.behaviour.suite import BEHAVIOURS, LONG, SEEDS, observed
from symgrad.verifier.trials.behaviour_case import record

if TYPE_CHECKING:
    from pathlib import Path


def spec_of(freeze: Any, **train: Any) -> dict[str, Any]:
    return {
        "name": "frozen",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "layers": ["dense(4, activation=tanh)", "dense(4, activation=tanh)", "dense(2)"],
        "loss": "mse",
        "train": {"optimizer": "adam(0.05)", "freeze": freeze, "batch_size": 4, "epochs": 3, **train},
    }


def rows(count: int = 12) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(count, 3)), "t": rng.normal(size=(count, 2))}


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        ("W1", ("W1",)),
        (["b3", "W1"], ("W1", "b3")),
        ("b*", ("b1", "b2", "b3")),
        (["*1", "W[23]"], ("W1", "b1", "W2", "W3")),
        ([], ()),
    ],
)
def test_names_and_patterns_choose_parameters(freeze: Any, frozen: tuple[str, ...]) -> None:
    assert expand(sg.read(spec_of(freeze))).frozen == frozen


@pytest.mark.parametrize(
    ("freeze", "problem"),
    [
        (["W1", "W22"], "no parameter is called 'W22'; did you mean 'W2'?"),
        ("c*", "no parameter is called 'c*'; there are W1, b1, W2, b2, W3, b3"),
        (["b*", "W*"], "every parameter is frozen; leave one that training changes"),
    ],
)
def test_what_cannot_be_frozen_is_refused(freeze: Any, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand(sg.read(spec_of(freeze)))
    assert problem in str(caught.value)
    assert "train.freeze" in str(caught.value)


@pytest.mark.parametrize("optimizer", ["adam(0.05)", "momentum(weight_decay=0.1)", "nesterov", "sgd"])
def test_a_step_is_that_of_a_network_without_frozen_parameters(optimizer: str, tmp_path: Path) -> None:
    """Where nothing else sees a gradient, trained parameters do not feel that others are frozen."""
    data = rows()
    frozen = interpreted(written(spec_of(["W1", "b2"], optimizer=optimizer), tmp_path))
    (tmp_path / "all").mkdir()
    free = interpreted(written(spec_of([], optimizer=optimizer), tmp_path / "all"))
    start = free.init_params(3)
    found, expected = ((m.unflatten(m.flatten(start).copy())) for m in (frozen, free))
    states = frozen.init_state(found), free.init_state(expected)
    frozen.train_step(found, states[0], data["x"], data["t"])
    free.train_step(expected, states[1], data["x"], data["t"])
    for name, before, now, due in zip(start._fields, start, found, expected, strict=True):
        assert now.tobytes() == (before if name in ("W1", "b2") else due).tobytes(), name
    assert {state.size for state in states[0][1:]} <= {free.SIZE - start.W1.size - start.b2.size}
    _, every = frozen.loss_and_grad(start, data["x"], data["t"])
    _, due = free.loss_and_grad(start, data["x"], data["t"])
    assert [g.tobytes() for g in every] == [g.tobytes() for g in due], "the gradient is there for who asks"


def test_a_step_that_looks_ahead_is_compiled(tmp_path: Path) -> None:
    """Alone, and on ranks: there and here the point ahead begins as all that is frozen."""
    module = load(written(spec_of(["W1", "b2"], optimizer="nesterov"), tmp_path))
    data, start = rows(), module.flatten(module.init_params(3))

    def trained(**shared: Any) -> Any:
        params = module.unflatten(start.copy())
        module.train_epoch(params, module.init_state(params), data["x"], data["t"], batch_size=5, **shared)
        return module.flatten(params)

    for found in on_ranks(2, lambda comm: trained(comm=comm)):
        np.testing.assert_allclose(found, trained(), rtol=1e-5)


def test_no_step_forms_a_gradient_that_nothing_needs() -> None:
    text = module_text(sg.read(spec_of(["W1", "b1", "W2"])))
    step = text[text.index("def _step_gradient(") : text.index("def _input_gradients(")]
    assert "dW3 = " in step
    assert "db2 = " in step, "a bias below a frozen weight is trained"
    assert not any(f"d{name} = " in step for name in ("W1", "b1", "Z1", "W2"))
    assert "_step_gradient" not in module_text(sg.read(spec_of([])))


FAULTS = {
    "the norm of all": ("euclidean_norm(view(grad, 12, (20,)))", "euclidean_norm(view(grad, 0, (32,)))"),
    "one entry too many": ("view(theta, 12, (20,)), view(grad", "view(theta, 11, (20,)), view(grad"),
    "another's state": ("view(v, 20, (10,))", "view(v, 10, (10,))"),
    "a lost gradient": ("            dW3[i, j] = acc_dW3", "            dW3[i, j] = 0"),
    "nothing ahead": ("ahead[n] = theta[n]\n    _look_ahead_part", "ahead[n] = 0\n    _look_ahead_part"),
}
HARD = spec_of(["W1", "b2"], optimizer="nesterov(weight_decay=0.1)", clip_norm=0.5)


def test_the_judge_passes_the_module(tmp_path: Path) -> None:
    report = judged(HARD, tmp_path, compiled=False, points=1)
    assert report.passed, str(report)
    assert is_identical(report)
    assert {"frozen", "subscripts"} <= {c.name for c in report.checks if c.verdict == "pass"}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_finds_faults(fault: str, tmp_path: Path) -> None:
    right, wrong = FAULTS[fault]

    def edit(text: str) -> str:
        assert right in text
        before, found, after = text.rpartition(right)  # of two kernels, that of a step
        assert found
        return f"{before}{wrong}{after}"

    with np.errstate(all="ignore"):
        assert not judged(HARD, tmp_path, edit, compiled=False, points=1).passed


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("", "", ""),
        ("TRAINED_SIZE = 30", "TRAINED_SIZE = 31", "an entry for each of 30"),
        ('FROZEN = ("W1", "b2")', 'FROZEN = ("W1",)', "FROZEN is ('W1',), the spec says ('W1', 'b2')"),
    ],
)
def test_the_module_behaves(right: str, wrong: str, told: str, tmp_path: Path) -> None:
    module, case = bench(HARD, tmp_path, right, wrong)
    assert record("BehaviourCase", (), list(case)) == case
    with np.errstate(all="ignore"):
        found = [
            observed(module, behaviour, case)
            for behaviour in sorted(BEHAVIOURS.keys() - {"own verify", LONG, SEEDS})
        ]
    assert any(told in fault for fault in found if fault) if told else not any(found), found


@pytest.fixture(name="_uncompiled")
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)


@pytest.mark.usefixtures("_uncompiled")
def test_what_was_learnt_elsewhere_stays(tmp_path: Path) -> None:
    """Fine-tuning: the first run's layers are kept, the last one is trained; the run goes on as it began."""
    first = sg.train(spec_of([]), data=rows(), progress=False, out=tmp_path / "first")
    options: dict[str, Any] = {"data": rows(), "progress": False}
    begun = {"params_from": tmp_path / "first" / "checkpoint.npz", "freeze": ["*1", "*2"]}
    spec = spec_of([], checkpoint={"epochs": 1, "keep": 9})
    run = sg.train(spec, out=tmp_path / "second", **begun, **options)
    for name, array in run.params._asdict().items():
        same = array.tobytes() == getattr(first.params, name).tobytes()
        assert same == (name not in ("W3", "b3")), name
    (tmp_path / "second" / "checkpoints" / "epoch-0000003.npz").unlink()
    again = sg.train(resume=tmp_path / "second", **options)
    assert [a.tobytes() for a in again.params] == [a.tobytes() for a in run.params]
    assert [a.tobytes() for a in again.checkpoint.state] == [a.tobytes() for a in run.checkpoint.state]
    with pytest.raises(DataError, match="freeze does not go with resume"):
        sg.train(resume=tmp_path / "second", freeze="W1")
    with pytest.raises(SpecError, match=r"^train\.freeze:1:1: no parameter is called 'W9'"):
        sg.train(spec, freeze="W9", **options)


def test_what_is_frozen_beside_a_spec_leaves_the_places_of_the_spec() -> None:
    text = "inputs: {x: [n, 2]}\nparameters: {w: [3], v: [2]}\nequations:\n  y: x * w + v\nloss: sum(y**2)\n"
    with pytest.raises(SpecError, match=r"^<text>:4:6: '\*' cannot combine"):
        sg.derive(with_frozen(sg.read(text), ["w"]))


def test_a_parameter_that_is_used_twice_is_frozen_in_both_places(tmp_path: Path) -> None:
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 3]},
        "parameters": {"U": [3, 3], "a": [3]},
        "equations": {"h": "tanh(x @ U + a)", "y": "h @ U"},
        "loss": "mse(y, t) + 0.1 * l2(U)",
        "train": {"optimizer": "adam", "freeze": "U", "batch_size": 4},
    }
    report = judged(spec, tmp_path, compiled=False, points=1)
    assert report.passed, str(report)


def test_reports_say_what_is_frozen(tmp_path: Path) -> None:
    spec = sg.read(spec_of(["W1", "b*"]))
    assert "(24 trained, 22 frozen)" in str(sg.summary(spec)).replace("\n", " ")
    facts = sg.summary(spec).as_dict()
    assert (facts["parameters"], facts["trained"]) == (46, 24)
    assert facts["state_bytes"] == 2 * 24 * 8
    free = sg.summary(spec_of([]))
    assert facts["backward_flops"] < free.backward_flops
    assert facts["update_flops"] < free.update_flops
    page = sg.derive(spec).text()
    assert "Training leaves W1, b1, b2, b3 as before." in page
    assert "W2 ← W2" in page
    assert "W1 ← W1" not in page
    update = sg.derive(spec).as_dict()["update"]
    assert update["frozen"] == ["W1", "b1", "b2", "b3"]
    assert [*update["parameters"]] == ["W2", "W3"]
    opening = stages_of(spec).text.partition('"""\n')[2][:2000] + stages_of(spec).text[:2000]
    assert "every parameter but W1, b1, b2, b3, which stay as they are" in opening


@pytest.mark.usefixtures("_uncompiled")
def test_the_command_line_freezes(tmp_path: Path) -> None:
    file, data = tmp_path / "net.yaml", tmp_path / "data.npz"
    file.write_text(json.dumps({**spec_of("b1"), "name": "net"}))
    np.savez(data, **rows())
    command = ["train", str(file), "--data", str(data), "--freeze", "W1", "--no-verify", "--epochs", "1"]
    done = CliRunner().invoke(main, [*command, "-q", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    module = sg.load(tmp_path / "run" / "net.py")
    assert module.FROZEN == ("W1", "b1")
    assert (sg.open_run(tmp_path / "run").params.W1 == module.init_params(0).W1).all()
    (tmp_path / "run" / "checkpoints" / "epoch-0000001.npz").unlink()
    again = CliRunner().invoke(main, ["train", "--resume", str(tmp_path / "run"), "-q"])
    assert again.exit_code == 0, again.output
    assert (sg.open_run(tmp_path / "run").params.W1 == module.init_params(0).W1).all()
    assert sg.open_run(tmp_path / "run").epoch == 1
    more = ["--resume", str(tmp_path / "run"), "-q", "--epochs", "2"]
    again = CliRunner().invoke(main, ["train", str(file), *more])
    assert again.exit_code == 0, again.output
    assert sg.open_run(tmp_path / "run").epoch == 2
    file.write_text(json.dumps({**spec_of("b1"), "name": "net", "loss": "mae(y, t)"}))
    other = CliRunner().invoke(main, ["train", str(file), *more])
    assert (other.exit_code, "not the one that this run was begun with" in other.output) == (2, True)
    wrong = CliRunner().invoke(main, [*command, "--freeze", "V1"])
    assert wrong.exit_code == 2
    assert "no parameter is called 'V1'" in wrong.output
