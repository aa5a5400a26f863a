"""The benchmark of a spec: what it works on, what it reports, and the command. No time is judged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner
from module_use import LINE

import symgrad as sg
from symgrad.benchmark.bench import _difference, _differences, _losses
from symgrad.benchmark.benchmark_report import BenchmarkRow
from symgrad.benchmark.peers import Peer, peers
from symgrad.benchmark.timing import Contender, grown, run_of, take_turns
from symgrad.benchmark.workload import workload_of
from symgrad.cli import main
from symgrad.errors import DataError, SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

NETWORK: dict[str, Any] = {**LINE, "name": "network"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A cache folder, in which the network is compiled once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def found(cache: Path):
    return sg.bench(read(NETWORK), batch=8, rows=4096, seconds=0.1, peers=False)


@pytest.fixture(scope="module")
def module_of(tmp_path_factory: pytest.TempPathFactory):
    """The module of a spec, run by Python."""

    def make(spec):
        return interpreted(written(spec, tmp_path_factory.mktemp("modules")))

    return make


def work_of(spec, module_of, **options):
    return workload_of(expand(read(spec)), module_of(spec), **options)


def test_the_parts_are_the_step(found):
    assert found.kind == "training step"
    assert (found.rows_per_step, found.steps, dict(found.sizes)) == (8, 512, {"batch": 8})
    said = [line for part in found.parts for line in part.what]
    assert any(line.startswith("dW1 = xᵀ·dZ1") for line in said)
    assert "the update of all parameters" in said
    assert "the rows of a batch are gathered" in said
    seconds = [part.seconds for part in found.parts]
    assert seconds == sorted(seconds, reverse=True)
    assert all(s >= 0 for s in seconds)
    assert found.rest == pytest.approx(found.times.median - sum(seconds))
    gathered = next(part for part in found.parts if "gathered" in part.what[0])
    assert gathered.cost is None
    assert sum(part.cost.flops for part in found.parts if part.cost) == found.cost.flops


def test_the_floor_is_what_the_machine_could_do(found):
    machine = found.machine
    assert found.floor == found.least.flops / machine.product_rate + found.least.bytes / machine.bandwidth
    assert machine.product_rate > 1e8
    assert machine.bandwidth > 1e8
    assert found.cost.flops >= found.least.flops


def test_it_prints_and_can_be_read_by_machines(found):
    text = str(found)
    for piece in (
        "network: a training step with 8 parameters",
        "symgrad",
        "floor:",
        "dW1 = xᵀ·dZ1",
        "1 core",
    ):
        assert piece in text
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert record["floor"]["share"] == pytest.approx(found.floor / found.times.median)
    assert record["ways"][0]["name"] == "symgrad"
    assert record["parts"][0]["what"] == list(found.parts[0].what)


def test_the_command(found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, asked = tmp_path / "network.yaml", {}
    file.write_text(json.dumps(NETWORK), encoding="utf-8")

    def bench(spec, **options):
        asked.update(options)
        return found

    monkeypatch.setattr("symgrad.api.bench", bench)
    answer = CliRunner().invoke(main, ["bench", str(file), "--batch", "8", "--no-peers", "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == found.as_dict() | {"warnings": []}
    assert (asked["batch"], asked["peers"], asked["cores"]) == (8, False, 1)
    other = BenchmarkRow("another", found.times, difference=0.1)
    monkeypatch.setattr("symgrad.api.bench", lambda spec, **_: replace(found, rows=(*found.rows, other)))
    answer = CliRunner().invoke(main, ["bench", str(file)])
    assert answer.exit_code == 1
    assert answer.stderr == ""
    assert "DIFFER by 1.0e-01: not the same work" in " ".join(answer.stdout.split())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--cores", "4096"], "4096 cores of"),
        (["--batch", "9", "--rows", "8"], "a batch of 9 rows out of 8"),
    ],
)
def test_what_cannot_be_is_refused(options, problem, cache: Path, tmp_path: Path):
    file = tmp_path / "network.yaml"
    file.write_text(json.dumps(NETWORK), encoding="utf-8")
    answer = CliRunner().invoke(main, ["bench", str(file), *options])
    assert answer.exit_code == 2
    assert problem in answer.stderr


def test_rows_are_needed_to_choose_rows(module_of):
    spec = {"name": "f", "inputs": {"x": []}, "equations": {"y": "x**2"}, "loss": "y", "gradients": ["x"]}
    assert work_of(spec, module_of).kind == "gradient"
    with pytest.raises(SpecError, match="no axis of rows for --batch"):
        work_of(spec, module_of, batch=2)


def test_an_optimiser_that_needs_all_rows_gets_them(module_of):
    spec = {**LINE, "train": {"optimizer": "rprop()", "batch_size": "full"}}
    work = work_of(spec, module_of, rows=10)
    assert (work.batch, work.steps, grown(work).steps) == (10, 1, 1)
    with pytest.raises(SpecError, match="every step needs all rows"):
        work_of(spec, module_of, rows=10, batch=5)


def test_a_network_without_a_loss_is_run_forward(module_of):
    spec = {"name": "ahead", "inputs": {"x": ["batch", 3]}, "layers": ["dense(2)"]}
    work = work_of(spec, module_of, batch=4)
    assert work.kind == "forward pass"
    assert run_of(work, work.module)() > 0


def test_own_data_come_first(module_of, tmp_path: Path):
    rows = [f"{i},{2 * i},{i % 3},{i},{-i}" for i in range(10)]
    (tmp_path / "line.csv").write_text("\n".join(["a,b,c,d,e", *rows]), encoding="utf-8")
    file = tmp_path / "line.yaml"
    data = {"path": "line.csv", "columns": {"x": ["a", "b", "c"], "y": ["d", "e"]}}
    train = {"data": data, "batch_size": 4, "optimizer": "sgd(learning_rate=0.001)"}
    file.write_text(json.dumps({**LINE, "train": train}), encoding="utf-8")
    spec = read(file)
    work = workload_of(expand(spec), module_of(LINE))
    assert (work.batch, work.steps, work.origin) == (4, 2, "the first 10 rows of line.csv")
    assert work.arrays["x"][3].tolist() == [3, 6, 0]
    longer = work.with_steps(4)
    assert longer.arrays["x"][8].tolist() == work.arrays["x"][0].tolist()
    assert workload_of(expand(spec), work.module, random=True).origin == "4 rows of random data"


DROPPED: dict[str, Any] = {
    "name": "dropped",
    "inputs": {"x": ["batch", 3]},
    "targets": {"d": {"axes": ["batch"], "classes": 2}},
    "layers": ["dense(4)", "dropout(0.2)", "dense(2)"],
    "loss": "softmax_cross_entropy",
    "train": {"data": "d.csv", "batch_size": 4},
}


def test_own_data_of_a_spec_that_draws(module_of, tmp_path: Path):
    """Its functions stand in the model twice, and its streams are numbered: the data are the spec's."""
    (tmp_path / "dropped.yaml").write_text(json.dumps(DROPPED), encoding="utf-8")
    spec = read(tmp_path / "dropped.yaml")
    module = module_of({**DROPPED, "train": {}})
    with pytest.raises(DataError, match=r"d\.csv: there is no such file"):
        workload_of(expand(spec), module)
    rows = ["p,q,r,d", *(f"{k},{2 * k},{k % 3},{k % 2}" for k in range(10))]
    (tmp_path / "d.csv").write_text("\n".join(rows), encoding="utf-8")
    work = workload_of(expand(spec), module)
    assert work.arrays["x"][3].tolist() == [3, 6, 0]
    assert work.arrays["d"].tolist() == [0, 1] * 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_steps_stop_before_the_loss_is_no_number(module_of):
    spec = {**LINE, "train": {"optimizer": "sgd(learning_rate=1e12)"}}
    work = grown(work_of(spec, module_of, batch=2, rows=128))
    assert 1 <= work.steps < 64
    run_of(work, work.module)()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_never_finite_is_refused(module_of):
    work = work_of(LINE, module_of, batch=2)
    arrays = {name: np.full_like(values, 1e38) for name, values in work.arrays.items()}
    with pytest.raises(DataError, match="not a finite number"):
        grown(replace(work, arrays=arrays))


def test_contenders_take_turns():
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return 0.03

    times = take_turns([Contender(n, 3, lambda n=n: run(n)) for n in "ab"], seconds=0.0)
    assert order[2:] == ["a", "b"] * 3
    assert [t.median for t in times] == pytest.approx([0.01, 0.01])
    assert times[0].runs == 3


@pytest.mark.parametrize("optimizer", ["momentum(learning_rate=0.1)", "nesterov(learning_rate=0.1)"])
def test_other_libraries_do_the_same_work(optimizer, module_of):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    spec = {**LINE, "train": {"optimizer": optimizer, "clip_norm": 0.5}}
    work = work_of(spec, module_of, batch=4, rows=40)
    own = _losses(work)
    others = list(peers(work, 1, with_compile=False))
    assert [other.refusal for other in others] == ["", "", ""]
    assert all(_difference(other, own) < 1e-5 for other in others)
    assert all(other.run() > 0 for other in others)


def test_labels_that_choose_entries_reach_other_libraries(module_of):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    spec = {
        "name": "table",
        "inputs": {"w": {"axes": ["batch", 3], "classes": 6}},
        "targets": {"t": {"axes": ["batch"], "classes": 4}},
        "parameters": {"E": {"axes": [6, 4], "init": "normal(std=1)"}},
        "equations": {"z[n,d]": "mean(E[w[n,s],d], s)"},
        "loss": "softmax_cross_entropy(z, t)",
        "train": {"optimizer": "adam(learning_rate=0.1)"},
    }
    work = work_of(spec, module_of, batch=4, rows=40)
    own = _losses(work)
    assert len(set(own)) == 10
    for other in peers(work, 1, with_compile=False):
        assert _difference(other, own) < 1e-5


def test_another_library_that_is_not_installed_is_named(module_of, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("symgrad.benchmark.peers.installed", lambda package: None)
    work = work_of(LINE, module_of, batch=4)
    assert {other.refusal for other in peers(work, 1, with_compile=True)} == {"not installed"}


def test_losses_that_are_no_numbers_differ():
    assert _difference(Peer("x", losses=lambda count: [float("nan")] * count), [1.0, 2.0]) == float("inf")
    assert _difference(Peer("x", losses=lambda count: [1.0, 1.0]), [1.0, 2.0]) == pytest.approx(0.5)


def test_a_loss_that_is_no_number_can_be_written(found):
    rows = (*found.rows, BenchmarkRow("another", found.times, difference=float("inf")))
    worse = replace(found, rows=rows)
    assert not worse.passed
    record = json.loads(json.dumps(worse.as_dict(), allow_nan=False))
    assert (record["ways"][1]["difference"], record["ways"][1]["agrees"]) == (None, False)
    assert record["ways"][0]["agrees"] is None


def test_losses_may_differ_by_what_rounding_does(found, module_of, monkeypatch: pytest.MonkeyPatch):
    work, twin = work_of(LINE, module_of, batch=4, rows=40), module_of(LINE)
    twin.DTYPE = np.float64
    monkeypatch.setattr("symgrad.benchmark.bench.double_precision_twin", lambda module: twin)
    shifted = [loss * 1.001 for loss in _losses(work)]
    differences, rounding = _differences(work, [Peer("x", losses=lambda count: shifted[:count])])
    assert differences == [pytest.approx(1e-3, rel=0.01)]
    assert 0 < rounding < 1e-5
    assert not BenchmarkRow("x", found.times, differences[0], rounding).agrees
    assert BenchmarkRow("x", found.times, differences[0], rounding=6e-4).agrees
