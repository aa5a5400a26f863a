"""The ways to a derivative side by side: their values, verdicts and refusals, and the command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner
from manual_specs import GRAPH, HINGE, LMS, MLP, PRELU, changed

from symgrad.cli import main
from symgrad.comparison import ways as ways_module
from symgrad.comparison.compare import compare
from symgrad.comparison.judge import judge
from symgrad.comparison.measure import MeasuredGradient, measure
from symgrad.comparison.numerical import DIFFERENCES
from symgrad.comparison.problem import problem_of
from symgrad.comparison.reference_gradient import reference_of
from symgrad.comparison.ways import Way, ways
from symgrad.errors import DataError, SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["given formulas", "emitted module", "forward, h = 1e-4", "central", "Richardson", "complex step"]
KINK: dict[str, Any] = {
    "name": "kink",
    "dtype": "float64",
    "inputs": {"x": ["N", 3]},
    "parameters": {"w": {"axes": [3], "init": "normal(std=1)"}},
    "equations": {"z": "x - w"},
    "loss": "mean(abs(z))",
}


@pytest.fixture(scope="module")
def module_of(tmp_path_factory: pytest.TempPathFactory):
    """The module of a spec, run by Python."""
    made: dict[str, Any] = {}

    def make(spec):
        if spec["name"] not in made:
            made[spec["name"]] = interpreted(written(spec, tmp_path_factory.mktemp("modules")))
        return made[spec["name"]]

    return make


@pytest.fixture
def only_symgrad(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither PyTorch nor JAX were installed."""
    monkeypatch.setattr(ways_module, "installed", lambda package: None)


def by_name(comparison):
    return {result.name: result for result in comparison.results}


def test_all_ways_agree_and_the_better_ones_are_better(module_of, only_symgrad):
    comparison = compare(read(MLP), module_of(MLP), rows=5)
    assert comparison.passed
    results = by_name(comparison)
    assert list(results) == [*ALL, "PyTorch", "JAX"]
    assert {results[name].verdict for name in ALL} == {"agrees"}
    errors = [results[name].relative for name in ALL[2:]]
    assert errors == sorted(errors, reverse=True)
    assert 1e-6 < errors[0] < 1e-3
    assert errors[1] < 1e-8
    assert (
        max(results[name].relative for name in ("given formulas", "emitted module", "complex step")) < 1e-13
    )
    assert [results[name].evaluations for name in ALL] == [1, 1, 45, 89, 177, 45]
    assert all(results[name].seconds > 0 for name in ALL)
    assert [c.verdict for c in comparison.claims] == ["right"] * 8
    assert results["JAX"].note == results["PyTorch"].note == "not installed"


def test_the_loss_and_the_gradient_are_those_of_numpy(module_of, only_symgrad):
    spec = read(LMS)
    comparison = compare(spec, module_of(LMS), rows=7, seed=3)
    a = problem_of(expand(spec), module_of(LMS), rows=7, seed=3).sample.arrays
    delta = a["y"] - a["x"] @ a["w"]
    gradient = -2 * a["x"].T @ delta
    assert a["x"].shape == (7, 4)
    assert comparison.entry == f"w[{np.abs(gradient).argmax()}]"
    for result in comparison.results[:2]:
        assert result.loss == pytest.approx(delta @ delta, rel=1e-13)
        assert result.entry == pytest.approx(gradient[np.abs(gradient).argmax()], rel=1e-13)
        assert result.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-13)


def test_automatic_ways(module_of):
    pytest.importorskip("torch")
    results = by_name(compare(read(LMS), module_of(LMS)))
    assert results["PyTorch"].verdict == "agrees"
    assert results["PyTorch"].relative < 1e-13
    assert results["JAX"].verdict in ("agrees", "not run")


def test_a_wrong_formula_shows_in_both_places(module_of, only_symgrad):
    wrong = changed(LMS, **{"dw[j]": "-sum(delta[i] * x[i,j], i)"})
    comparison = compare(read(wrong), module_of(LMS))
    assert not comparison.passed
    assert by_name(comparison)["given formulas"].verdict == "off"
    assert by_name(comparison)["given formulas"].relative == pytest.approx(0.5)
    assert [claim.verdict for claim in comparison.claims] == ["wrong"]
    assert "(is a factor 2 missing?)" in " ".join(str(comparison).split())


def test_formulas_for_some_parameters_only(module_of, only_symgrad):
    manual = by_name(compare(read(PRELU), module_of(PRELU), rows=3))["given formulas"]
    assert (manual.verdict, manual.note, manual.norm) == ("agrees", "there is no dh_b, dy_W, dy_b", None)
    none = by_name(
        compare(read(changed(LMS, **{"dw[j]": None, "delta": None, "dp": "-2 * (y - p)"})), module_of(LMS))
    )
    assert (none["given formulas"].verdict, none["given formulas"].note) == (
        "not run",
        "there is no formula dw",
    )


def test_a_wrong_module_is_off(module_of, only_symgrad, monkeypatch):
    module = module_of(LMS)
    right = module.loss_and_grad

    def wrong(*arguments):
        loss, gradients = right(*arguments)
        gradients.w[1] *= 1 + 1e-6
        return loss, gradients

    monkeypatch.setattr(module, "loss_and_grad", wrong)
    results = by_name(compare(read(LMS), module))
    assert results["emitted module"].verdict == "off"
    assert {results[name].verdict for name in ALL if name != "emitted module"} == {"agrees"}
    monkeypatch.setattr(
        module, "loss_and_grad", lambda *arguments: (right(*arguments)[0] * 1.001, right(*arguments)[1])
    )
    assert by_name(compare(read(LMS), module))["emitted module"].verdict == "off"


def test_a_module_too_large_for_fifty_digits_is_its_own_reference(module_of, only_symgrad, monkeypatch):
    monkeypatch.setattr("symgrad.comparison.reference_gradient.AFFORDABLE", 500)
    comparison = compare(read(LMS), module_of(LMS))
    assert comparison.reference.startswith("the symbolic gradient (which agrees with slopes in 50 digits")
    assert by_name(comparison)["emitted module"].relative < 1e-14
    assert comparison.passed
    module = module_of(LMS)
    right = module.loss_and_grad

    def wrong(*arguments):
        loss, gradients = right(*arguments)
        gradients.w[2] *= 1 + 1e-5
        return loss, gradients

    monkeypatch.setattr(module, "loss_and_grad", wrong)
    assert by_name(compare(read(LMS), module))["emitted module"].verdict == "off"


def test_without_parameters_it_is_differentiated_by_inputs(module_of, only_symgrad):
    comparison = compare(read(GRAPH), module_of(GRAPH))
    assert comparison.size == 3
    assert comparison.passed
    assert {result.verdict for result in comparison.results[:6]} == {"agrees"}


def test_a_complex_step_is_refused_where_the_loss_is_not_analytic(module_of, only_symgrad):
    step = by_name(compare(read(HINGE), module_of(HINGE)))["complex step"]
    assert (step.verdict, step.note) == ("not run", "not analytic: where, max, min, abs or sign on the way")


def test_a_way_that_takes_too_long_is_left_out_and_says_so(module_of, only_symgrad):
    comparison = compare(read(LMS), module_of(LMS), time_limit=1e-6)
    results = by_name(comparison)
    assert {results[name].verdict for name in ALL[2:]} == {"not run"}
    assert results["central"].note.startswith("9 evaluations would take")
    assert results["central"].note.endswith("more than the limit of 1e-06 s (--time-limit)")


def test_entries_at_a_kink_are_left_out_of_a_difference(module_of, only_symgrad):
    problem = problem_of(expand(read(KINK)), module_of(KINK))
    inputs = {"x": problem.sample.inputs["x"].copy()}
    inputs["x"][0, 1] = problem.sample.parameters["w"][1] + 2e-6
    problem = replace(problem, sample=replace(problem.sample, inputs=inputs))
    runs = {way.name: (way, measure(way, 60)) for way in ways(problem)}
    reference = reference_of(problem, runs["emitted module"][1].gradient)
    results = {name: judge(way, run, problem, reference) for name, (way, run) in runs.items()}
    assert [results[d.name].kinks for d in DIFFERENCES] == [1, 1, 1]
    assert {results[d.name].verdict for d in DIFFERENCES} == {"agrees"}
    assert "without 1 entry" in results["central"].note
    way, run = runs["central"]
    spoilt = replace(run, gradient=run.gradient + np.array([1e-3, 0, 0]))
    assert judge(way, spoilt, problem, reference).verdict == "off"


def test_nan_and_infinity_never_agree(module_of, only_symgrad):
    problem = problem_of(expand(read(LMS)), module_of(LMS))
    reference = reference_of(problem, np.zeros(4))
    for loss, number in ((math.nan, 0.0), (reference.loss, math.nan), (reference.loss, math.inf)):
        gradient = reference.gradient + number
        result = judge(
            Way("automatic", "any", lambda: None), MeasuredGradient(loss, gradient, 1, 1), problem, reference
        )
        assert result.verdict == "off"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.name)
def test_differences_of_a_cubic(difference):
    """Where f = x³, a forward difference is off by 3xh + h², a central one by h², Richardson by nothing."""
    vector = np.array([0.5, 2.0])
    before = vector.copy()
    here, slopes = difference.gradient(lambda: float((vector**3).sum()), vector)
    steps = difference.step(vector)
    excess = {
        "forward, h = 1e-4": 3 * vector * steps + steps**2,
        "central": steps**2,
        "Richardson": 0 * steps,
    }
    assert here == 8.125
    assert slopes == pytest.approx(3 * vector**2 + excess[difference.name], abs=2e-9)
    assert np.array_equal(vector, before)
    assert difference.name != "forward, h = 1e-4" or np.array_equal(steps, [1e-4, 1e-4])


def test_what_machines_read(module_of, only_symgrad):
    record = compare(read(HINGE), module_of(HINGE)).as_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == ["name", "passed", "size", "data", "entry", "reference", "ways", "claims"]
    assert record["reference"] == "slopes of the loss in 50 digits"
    kinds = [way["kind"] for way in record["ways"]]
    assert kinds == ["manual", "symbolic", *["numerical"] * 4, *["automatic"] * 2]
    assert record["ways"][1]["first_seconds"] > 0
    assert record["ways"][5]["seconds"] is None
    assert [claim["verdict"] for claim in record["claims"]] == ["right", "right"]
    assert record["claims"][1]["axes"] == [4]
    assert record["claims"][0]["axes"] == ["N"]
    wrong = compare(read(changed(HINGE, dw="x.T @ dp")), module_of(HINGE)).as_dict()["claims"][1]
    assert wrong["where"].keys() == {"index", "claimed", "true"}
    assert wrong["message"].startswith("entry [")


def test_refusals(module_of):
    with pytest.raises(SpecError, match="no loss to differentiate"):
        problem_of(expand(read({"inputs": {"x": ["N", 2]}, "equations": {"y": "x"}})), None)
    with pytest.raises(SpecError, match="nothing to differentiate by; add parameters, or gradients"):
        problem_of(expand(read({**GRAPH, "gradients": [], "manual": {}})), None)
    with pytest.raises(DataError, match="there is no such file"):
        problem_of(expand(read({**LMS, "train": {"data": "missing.csv"}})), None)
    problem = problem_of(expand(read({**LMS, "train": {"data": "missing.csv"}})), None, random=True, rows=3)
    assert problem.origin == "3 rows of random data"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a spec and its data, where modules are run by Python."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    rows = [f"{a},{b},{c},{a * b},{a - c}" for a in (-1, 0, 1) for b in (-1, 1) for c in (0, 1)]
    (tmp_path / "lms.csv").write_text("\n".join(["p,q,r,s,y", *rows]))
    (tmp_path / "lms.yaml").write_text(json.dumps({**LMS, "train": {"data": "lms.csv", "batch_size": 5}}))
    return tmp_path


def test_the_command(folder: Path, only_symgrad: None) -> None:
    good = CliRunner().invoke(main, ["compare", "lms.yaml"])
    assert (good.exit_code, good.stderr) == (0, "")
    assert good.stdout.startswith("lms: the gradient of the loss by 4 numbers, 8 ways")
    assert "the first 5 rows of lms.csv" in good.stdout
    assert max(map(len, good.stdout.splitlines())) <= 100
    assert "\x1b" not in good.stdout
    record = CliRunner().invoke(main, ["compare", "lms.yaml", "--json", "--random", "--rows", "6"])
    assert (record.exit_code, record.stderr) == (0, "")
    assert json.loads(record.stdout)["data"] == "6 rows of random data"
    text = (folder / "lms.yaml").read_text()
    (folder / "lms.yaml").write_text(text.replace("-2 * sum", "2 * sum"))
    assert CliRunner().invoke(main, ["compare", "lms.yaml"]).exit_code == 1
    (folder / "lms.yaml").write_text(text.replace('"delta": "y - p"', '"delta": "y - q"'))
    bad = CliRunner().invoke(main, ["compare", "lms.yaml"])
    assert bad.exit_code == 2
    assert "unknown name 'q'" in bad.stderr
    assert CliRunner().invoke(main, ["compare", "lms.yaml", "--time-limit", "0"]).exit_code == 2


def test_no_differences_are_made_of_what_a_gradient_takes_for_constant(module_of, only_symgrad):
    spec = {**KINK, "name": "held", "loss": "mean((z - stop_gradient(2 * w))**2)"}
    comparison = compare(read(spec), module_of(spec), rows=3)
    results = by_name(comparison)
    assert comparison.passed
    assert {results[name].verdict for name in ALL[2:]} == {"not run"}
    assert "by stop_gradient or in a solver" in results["central"].note
