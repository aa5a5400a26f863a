"""Edited modules before the judge: each fault is caught and named, the untouched module passes."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, judged, written
from click.testing import CliRunner
from module_use import MLP
from ruamel.yaml import YAML
from seeds import one_in

from symgrad.api import read, verify
from symgrad.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SQUARE: dict[str, Any] = {
    **MLP,
    "name": "square",
    "targets": {"t": ["batch", 4]},
    "layers": ["dense(4, activation=tanh)", "dense(4)"],
    "loss": "mse",
}
NARROW: dict[str, Any] = {
    **SQUARE,
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": ["batch", 2]},
    "layers": ["dense(2, activation=tanh)", "dense(2)"],
}
"""Of so few parameters that its own `verify`, which differences all of them, takes Python no long time."""
FORWARD: dict[str, Any] = {"name": "forward", "inputs": {"x": ["n", 3]}, "equations": {"y": "tanh(x)"}}
SGD = {**SQUARE, "train": {"optimizer": "sgd(learning_rate=0.1)"}}
MOMENTUM = {**SQUARE, "train": {"optimizer": "momentum(learning_rate=0.1, dampening=0.3)"}}

Faults = dict[str, tuple[str, str, set[str], str]]
DW2 = "gemm(1, A1.T, dZ2, 0, dW2)"
SHORT = "range(0, order.shape[0] - batch_size + 1, batch_size)"
WITHOUT_1_N = (
    "s0 = real(1) / real(batch)",
    "s0 = real(1)",
    {"W1", "b1", "W2", "b2"},
    "the batch size, is missing",
)
OF_ROWS: Faults = {
    "a transposed factor": ("gemm(1, dZ2, W2.T, 0, dZ1)", "gemm(1, dZ2, W2, 0, dZ1)", {"W1", "b1"}, ""),
    "a transposed gradient": (DW2, f"{DW2}; dW2[:] = dW2.T.copy()", {"W2"}, "transposed"),
    "a dropped 1/N": WITHOUT_1_N,
    "a missing sum over the batch": ("db1[i] += dZ1[n, i]", "db1[i] = dZ1[n, i]", {"b1"}, ""),
    "a sign": ("db2[i] += dZ2[n, i]", "db2[i] -= dZ2[n, i]", {"b2"}, "opposite sign"),
    "another factor": (DW2, DW2.replace("1,", "2,"), {"W2"}, ""),
    "what was there before": (DW2, DW2.replace("0,", "1,"), {"W2"}, ""),
    "a stale activation": (DW2, DW2.replace("A1.T", "np.arctanh(A1).T"), {"W2"}, ""),
    "a slope at the wrong point": ("tanh_slope(Z1)", "tanh_slope(tanh(Z1))", {"W1", "b1"}, ""),
    "a lost gradient": (DW2, "dW2[:] = 0", {"W2"}, "the gradient is lost"),
    "one wrong entry": (DW2, f"{DW2}; dW2[1, 2] *= 1.001", {"W2"}, "entry [1, 2]"),
    "nan": (DW2, f"{DW2}; dW2[3, 0] = np.nan", {"W2"}, "entry [3, 0] is nan"),
    "a sign in the update": ("theta[n] - s4", "theta[n] + s4", {"update"}, ""),
    "another decay": ("s1 * m[n]", "real(0.8) * m[n]", {"update"}, ""),
    "no correction of the first steps": ("s4 * s5 * m[n]", "s5 * m[n]", {"update"}, ""),
    "a hyper-parameter that is ignored": ("b2 = hyper[2]", "b2 = 0.999", {"hyper"}, ""),
    "hyper-parameters exchanged": ("b1 = hyper[1]", "b1 = hyper[1] + hyper[2] - 0.999", {"hyper"}, ""),
    "a step that forgets them": ("(x, t), (epoch, hyper))", "(x, t), (epoch, None))", {"hyper"}, ""),
    "an epoch that forgets them": ("order, (epoch, hyper))", "order, (epoch, None))", {"hyper"}, ""),
    "a step counter that stands": ("step[0] += 1", "step[0] = 1", {"update"}, ""),
    "a missing last batch": ("range(0, order.shape[0], batch_size)", SHORT, {"train_epoch"}, ""),
    "an order that is ignored": ("order[start + k] * width", "(start + k) * width", {"train_epoch"}, ""),
    "a sum over batches": ("value * (batch / order.shape[0])", "value * batch", {"train_epoch"}, ""),
    "a loss with another mean": ("real(4) * real(batch)", "real(batch)", {"loss"}, ""),
    "another activation": ("A1[n, i] = tanh(Z1)", "A1[n, i] = np.sin(Z1)", {"forward"}, ""),
}
STORED = "dW2[i, j] = acc_dW2"
OF_COLUMNS: Faults = {
    "a transposed factor": ("W2[i, j] * dZ2[j, n]", "W2[j, i] * dZ2[j, n]", {"W1", "b1"}, ""),
    "a transposed gradient": (STORED, STORED.replace("i, j", "j, i"), {"W2"}, "transposed"),
    "a dropped 1/N": WITHOUT_1_N,
    "a missing sum over the batch": ("acc_db1 += dZ1[i, n]", "acc_db1 = dZ1[i, n]", {"b1"}, ""),
    "a missing sum in a product": ("acc_dW1 += dZ1[j, n]", "acc_dW1 = dZ1[j, n]", {"W1"}, ""),
    "a sign": ("acc_db2 += dZ2[i, n]", "acc_db2 -= dZ2[i, n]", {"b2"}, "opposite sign"),
    "a stale activation": ("A1[i, n] * dZ2[j, n]", "np.arctanh(A1[i, n]) * dZ2[j, n]", {"W2"}, ""),
    "a slope at the wrong point": ("tanh_slope(Z1)", "tanh_slope(tanh(Z1))", {"W1", "b1"}, ""),
    "a lost gradient": (STORED, "dW2[i, j] = 0", {"W2"}, "the gradient is lost"),
    "one wrong entry": (STORED, f"{STORED} * (1.001 if i == 1 and j == 2 else 1)", {"W2"}, "entry [1, 2]"),
    "nan": (STORED, f"{STORED} * (np.nan if i == 3 and j == 0 else 1)", {"W2"}, "entry [3, 0] is nan"),
    "rows among columns": (
        "view(rows, 0, (width, count))",
        "view(rows, 0, (count, width)).T",
        {"train_epoch"},
        "",
    ),
    "an order that is ignored": ("drawn[k] * width", "(start + k) * width", {"train_epoch"}, ""),
    "a loss with another mean": ("real(4) * real(batch)", "real(batch)", {"loss"}, ""),
    "another activation": ("A1[i, n] = tanh(Z1)", "A1[i, n] = np.sin(Z1)", {"forward"}, ""),
}
INTO_W2, INTO_B1 = (
    "gemm(scale, A1.T, dZ2, keep, destination_W2)",
    "accumulate(db1, destination_b1, keep, scale)",
)
BY_W2 = "gemm(1, dZ2, W2.T, 0, dZ1)"
ADDED_W2 = "# dW2 = A1ᵀ·dZ2   [4, 4]\n    # destination_W2 ← keep·destination_W2 + scale·dW2"
IN_ORDER = f"{BY_W2}\n    {ADDED_W2}\n    {INTO_W2}"
OF_MOMENTUM: Faults = {
    "a product that keeps all": (INTO_W2, INTO_W2.replace("keep", "1"), {"W2"}, ""),
    "a product that forgets": (INTO_W2, INTO_W2.replace("keep", "0"), {"train_step"}, ""),
    "a product of another scale": (INTO_W2, INTO_W2.replace("scale", "1"), {"train_step"}, ""),
    "a product of the opposite scale": (INTO_W2, INTO_W2.replace("scale", "-scale"), {"W2"}, "opposite sign"),
    "a bias that is not added": (INTO_B1, "pass", {"b1"}, ""),
    "a bias that keeps all": (INTO_B1, INTO_B1.replace("keep", "1"), {"b1"}, ""),
    "a bias that forgets": (INTO_B1, INTO_B1.replace("keep", "0"), {"train_step"}, ""),
    "a bias of another scale": (INTO_B1, INTO_B1.replace("scale", "1"), {"train_step"}, ""),
    "into the bias of another layer": (INTO_B1, INTO_B1.replace("_b1", "_b2"), {"b1", "b2"}, ""),
    "another part to keep": ("keep = momentum", "keep = 0.8", {"train_step"}, ""),
    "a share of the spec's own": ("keep = momentum", "keep = 0.9", {"hyper"}, ""),
    "another scale": ("scale = 1 - ", "scale = 2 - ", {"train_step"}, ""),
    "keep and scale exchanged": ("real(keep), real(scale)", "real(scale), real(keep)", {"train_step"}, ""),
    "into the parameters": ("_backward(theta, state[1]", "_backward(theta, theta", {"train_step"}, ""),
    "a step that does not end": ("_end_of_step(theta, state[0]", "(theta, state[0]", {"train_step"}, ""),
}
OF_DESCENT: Faults = {
    "before the last use of its parameter": (IN_ORDER, f"{INTO_W2}; {BY_W2}", {"train_step"}, ""),
    "an opposite step": ("scale = -learning_rate", "scale = learning_rate", {"train_step"}, ""),
    "a forgotten parameter": ("keep = 1\n", "keep = 0\n", {"train_step"}, ""),
}
KINDS = {
    "rows": (by_rows, SQUARE, OF_ROWS),
    "columns": (nullcontext, SQUARE, OF_COLUMNS),
    "momentum": (by_rows, MOMENTUM, OF_MOMENTUM),
    "descent": (by_rows, SGD, OF_DESCENT),
}
ALL = [(kind, name) for kind, (_, _, faults) in KINDS.items() for name in faults]


def edit(before: str, after: str) -> Any:
    """The replacement of one place in a module's text."""

    def edited(text: str) -> str:
        assert text.count(before) == 1, f"{before!r} stands there {text.count(before)} times"
        assert before != after
        return text.replace(before, after)

    return edited


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@pytest.mark.parametrize(("kind", "fault"), one_in(5, ALL))
def test_every_fault_is_caught_and_named(kind: str, fault: str, tmp_path: Path) -> None:
    """At one point already; `symgrad verify` tries three."""
    surroundings, spec, faults = KINDS[kind]
    before, after, guilty, words = faults[fault]
    with surroundings():
        report = judged(spec, tmp_path, edit(before, after), compiled=False, points=1)
    assert not report.passed
    wrong = {p.name for p in report.parameters if p.verdict == "fail"}
    failed = wrong | {check.name for check in report.checks if check.verdict == "fail"}
    assert guilty <= failed, str(report)
    if guilty <= set(SHAPES):
        assert wrong == guilty, str(report)
        assert all(any(line.startswith(f"{name}: ") for line in report.failures) for name in guilty)
    elif guilty & {"update", "train_step", "train_epoch"}:
        assert wrong == set()
    assert any(words in line for line in report.failures)


SHAPES = ("W1", "b1", "W2", "b2")


@pytest.mark.parametrize("kind", KINDS)
def test_the_untouched_module_passes(kind: str, tmp_path: Path) -> None:
    surroundings, spec, _ = KINDS[kind]
    with surroundings():
        report = judged(spec, tmp_path, compiled=False)
    assert report.passed, str(report)
    assert [p.name for p in report.parameters] == list(SHAPES)
    assert {"forward", "predict", "loss", "update", "train_step", "train_epoch"} <= {
        check.name for check in report.checks
    }


DX = "_array(work, 16 + 20 * batch"


@pytest.mark.parametrize(
    ("surroundings", "before", "after"),
    [
        (by_rows, "gemm(1, dZ1, W1.T, 0, dx)", "gemm(-1, dZ1, W1.T, 0, dx)"),
        (nullcontext, "dx[i, n] = acc_dx", "dx[i, n] = -acc_dx"),
        (nullcontext, f"np.moveaxis({DX}, (3, batch)), -1, 0)", f"{DX}, (batch, 3))"),
    ],
    ids=["rows", "columns", "columns for rows"],
)
def test_a_wrong_input_gradient_is_caught(surroundings: Any, before: str, after: str, tmp_path: Path) -> None:
    spec = {**SQUARE, "gradients": ["x"]}
    with surroundings():
        assert judged(spec, tmp_path, compiled=False).passed
        report = judged(spec, tmp_path, edit(before, after), compiled=False)
    assert [line.split(":")[0] for line in report.failures] == ["identity", "dloss/dx", "order"]


def test_the_interface_judges_a_module_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    path = written(NARROW, tmp_path, edit("acc_db2 += dZ2[i, n]", "acc_db2 -= dZ2[i, n]"))
    report = verify(read(NARROW), interpreted(path), points=1)
    assert not report.passed
    assert "b2" in str(report)


def test_a_module_of_another_spec_is_refused_or_noted(tmp_path: Path) -> None:
    module = interpreted(written({**SQUARE, "layers": ["dense(4)"]}, tmp_path))
    module.DTYPE = np.float64
    report = verify(read(SQUARE), module, points=1)
    assert not report.passed
    assert "the module was generated from a spec with another text (SPEC_SHA256 differs)" in report.notes


def test_a_module_with_parameters_of_another_spec_fails(tmp_path: Path) -> None:
    module = interpreted(written({**SQUARE, "dtype": "float64"}, tmp_path))
    report = verify(read(FORWARD), module, points=1)
    assert "declarations: Params has the fields W1, b1, W2, b2, the spec none" in report.failures


def test_a_spec_without_a_loss_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # in the process of the module
    report = verify(read(FORWARD), written(FORWARD, tmp_path), points=1)
    assert report.passed, str(report)
    assert "declarations" in {check.name for check in report.checks}


def test_the_command_exits_with_1_and_names_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it exits with 0 for a good module, test_cli.py shows."""
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    spec = tmp_path / "square.yaml"
    with spec.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(NARROW, stream)
    before, after, guilty, _ = OF_COLUMNS["an order that is ignored"]
    path = written(str(spec), tmp_path, edit(before, after))
    run = CliRunner().invoke(main, ["verify", str(spec), "--module", str(path), "--json", "--points", "2"])
    assert run.exit_code == 1, run.output
    report = json.loads(run.stdout)
    assert report["passed"] is False
    failed = {r["name"] for r in (*report["parameters"], *report["checks"]) if r["verdict"] == "fail"}
    wider = {"identity", "order", "own verify", "epochs", "fit", "hyper", "ranks", "other sizes"}  # too
    assert failed - wider == guilty
