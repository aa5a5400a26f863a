"""Hyper-parameters are numbers of a module: with others it is the module of the spec with these."""

from __future__ import annotations

import difflib
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, judged, written
from click.testing import CliRunner
from optimizer_paths import START, STEPS, X, Y, module_of, path, spec_with
from seeds import one_in

import symgrad as sg
from symgrad.cli import main
from symgrad.compiler.loading.load import load
from symgrad.pipeline import module_text
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.behaviour.drawn_case import case_of
from symgrad.verifier.behaviour.suite import BEHAVIOURS, observed
from symgrad.verifier.interpretation.interpreter import parameter_shapes
from symgrad.verifier.sampling.hyper_values import drawn_hyper
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.trials.subject import InProcess, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

SCHEDULES = (
    "inverse(decay={decay})",
    "exponential(decay={decay})",
    "step_decay(step_size={step_size}, gamma={gamma})",
    "polynomial(power={power})",
    "cosine(eta_min={eta_min})",
    "linear_warmup(total={total}, k=step, start_factor={start_factor})",
    "one_cycle(pct_start={pct_start}, div_factor={div_factor}, final_div_factor={final_div_factor})",
)
NUMBERS = {
    "decay": 0.25,
    "step_size": 3,
    "gamma": 0.5,
    "power": 2,
    "eta_min": 0.001,
    "total": 9,
    "start_factor": 0.3,
    "pct_start": 0.4,
    "div_factor": 20,
    "final_div_factor": 1000,
}
UNRATED = ("adadelta", "rprop", "delta_bar_delta")
CASES = dict(zip(library.optimizers, cycle(SCHEDULES), strict=False))


def asked(name: str, numbers: dict[str, Any]) -> dict[str, Any]:
    """A spec of an optimiser of the library, a schedule and clipping, with these numbers."""
    names = [n for n, _ in library.optimizers[name].signature.defaults]
    call = f"{name}({', '.join(f'{n}={numbers[n]!r}' for n in names if n in numbers)})"
    train = {"clip_norm": numbers["clip_norm"], "clip_value": numbers["clip_value"], "epochs": 10}
    if name not in UNRATED:
        train["schedule"] = CASES[name].format(**NUMBERS | numbers)
    return spec_with(call, **train)


def own(name: str) -> dict[str, Any]:
    """The numbers of the library, but a weight decay that is computed."""
    defaults = library.optimizers[name].signature.defaults
    decay = {"weight_decay": 0.01} if "weight_decay" in dict(defaults) else {}
    return {"clip_norm": 1.5, "clip_value": 0.4, **decay}


@pytest.mark.parametrize("name", one_in(2, CASES))
def test_other_numbers_at_run_time_are_those_of_another_spec_bit_for_bit(name: str, tmp_path: Path) -> None:
    spec = read(asked(name, own(name)))
    drawn = drawn_hyper(expand(spec), np.random.default_rng(4))
    assert set(drawn) >= {"clip_norm", "clip_value"}
    other = asked(name, own(name) | drawn)
    module, expected = (
        module_in(tmp_path / "own", asked(name, own(name))),
        module_in(tmp_path / "other", other),
    )
    assert {**module.HYPER, **drawn} == expected.HYPER
    params, state = start(module, drawn)
    for theta in path(expected, STEPS // 2):
        module.train_step(params, state, X, Y, hyper=drawn)
        np.testing.assert_array_equal(module.flatten(params), theta)


def module_in(folder: Path, spec: dict[str, Any]) -> ModuleType:
    folder.mkdir()
    return interpreted(written(spec, folder))


def start(module: ModuleType, hyper: dict[str, float]) -> tuple[Any, Any]:
    params = module.unflatten(START.copy())
    return params, module.init_state(params, hyper=hyper)


@pytest.mark.parametrize("name", ["adam", "momentum", "nadam"])
def test_texts_of_specs_with_other_numbers_differ_in_these_alone(name: str) -> None:
    first = asked(name, own(name))
    second = asked(name, own(name) | drawn_hyper(expand(read(first)), np.random.default_rng(4)))
    texts = [module_text(read(spec)).splitlines() for spec in (first, second)]
    changed = [
        line[1:] for line in difflib.unified_diff(*texts, n=0) if line[0] in "+-" and line[1] not in "+-"
    ]
    names = expand(read(first)).hyper
    kept = ("Spec SHA-256", "SPEC_SHA256", *(f'    "{hyper.name}": ' for hyper in names))
    assert changed
    assert all(line.startswith(kept) for line in changed), changed


def test_fit_and_epochs_take_them(tmp_path: Path) -> None:
    module = module_in(tmp_path / "own", spec_with("rprop(0.05)"))
    expected = module_in(tmp_path / "other", spec_with("rprop(0.1, eta_plus=1.5)"))
    hyper = {"learning_rate": 0.1, "eta_plus": 1.5}
    found, history = module.fit(X, Y, epochs=5, hyper=hyper)
    theirs, losses = expected.fit(X, Y, epochs=5)
    assert history == losses
    np.testing.assert_array_equal(module.flatten(found), expected.flatten(theirs))


def test_a_sweep_compiles_once(tmp_path: Path) -> None:
    module = load(written(spec_with("sgd(0.1, weight_decay=0.01)", schedule="cosine"), tmp_path))
    ends = []
    for rate in (0.2, 0.05, 0.01, None):
        hyper = None if rate is None else {"learning_rate": rate, "weight_decay": rate / 10}
        params, _ = module.fit(X, Y, epochs=3, hyper=hyper)
        ends.append(module.flatten(params))
    assert len({end.tobytes() for end in ends}) == 4
    assert len(module._epoch.signatures) == 1


REFUSED: dict[str, tuple[Any, str]] = {
    "negative rate": (
        {"learning_rate": -0.1},
        r"hyper: learning_rate is -0.1; expected a number in \(0, inf\)",
    ),
    "rate of 0": ({"learning_rate": 0}, "learning_rate is 0"),
    "b1 of 1": ({"b1": 1}, r"hyper: b1 is 1; expected a number in \[0, 1\)"),
    "not a number": ({"b2": float("nan")}, "hyper: b2 is nan, which float64 cannot hold"),
    "infinite": ({"learning_rate": float("inf")}, "cannot hold"),
    "unknown": ({"rate": 0.1}, "hyper: there is no 'rate'; expected learning_rate or b1"),
    "switched off": ({"weight_decay": 0.1}, "weight_decay is 0 in the spec, so no step computes its terms"),
    "another rule": ({"eps": 0}, "eps cannot become 0"),
    "text": ({"b1": "0.5"}, "hyper: b1 must be a number, got '0.5'"),
    "a truth value": ({"b1": True}, "must be a number"),
    "no float": ({"learning_rate": 10**6000}, "learning_rate is larger than any number of float64"),
    "a span of time": ({"learning_rate": np.timedelta64(1)}, "must be a number"),
    "no float's digits": ({"learning_rate": np.longdouble("1e400")}, "is inf, which float64 cannot hold"),
    "no dict": (0.1, "hyper: expected a dict of numbers by their names, got float"),
}


@pytest.fixture(scope="module")
def adam(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return module_of("adam(0.1)", tmp_path_factory.mktemp("adam"))


@pytest.mark.parametrize("case", REFUSED)
def test_numbers_that_a_spec_could_not_have_are_refused(case: str, adam: ModuleType) -> None:
    hyper, words = REFUSED[case]
    params = adam.init_params()
    state = adam.init_state(params)
    before = adam.flatten(params).copy()
    calls: list[Callable[..., Any]] = [
        lambda h: adam.update(params, params, state, hyper=h),
        lambda h: adam.train_step(params, state, X, Y, hyper=h),
        lambda h: adam.train_epoch(params, state, X, Y, 4, hyper=h),
        lambda h: adam.fit(X, Y, hyper=h),
        lambda h: adam.init_state(params, h),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError), match=words):
            call(hyper)
    np.testing.assert_array_equal(adam.flatten(params), before)
    assert int(state.step[0]) == 0


def test_an_end_of_an_interval_may_be_another_number(tmp_path: Path) -> None:
    module = module_of("rprop", tmp_path)
    params = module.init_params()
    module.init_state(params, {"min_step_size": 2, "max_step_size": 3})
    with pytest.raises(ValueError, match=r"max_step_size is 1; expected a number in \[min_step_size, inf\)"):
        module.init_state(params, {"min_step_size": 2, "max_step_size": 1})


NEAR_AN_END = {
    "adam(b1=0.99999999)": ("float32", "b1", 0.99999999),
    "rprop(eta_plus=1.00000001)": ("float32", "eta_plus", 1.00000001),
    "rmsprop(alpha=0.9999999999999999)": ("float64", "", 0.0),
}
"""Optimisers whose steps would be others, and what says so at run time of a module."""


@pytest.mark.parametrize("call", NEAR_AN_END)
def test_a_number_that_the_type_takes_for_the_end_of_its_interval_is_refused(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype, name, value = NEAR_AN_END[call]
    spec = {**spec_with(call), "dtype": dtype}
    with pytest.raises(sg.SpecError, match=f"{dtype} cannot tell .* from 1.*another number"):
        module_text(read(spec))
    if name:
        monkeypatch.setattr("numba.config.DISABLE_JIT", True)
        spec["train"]["optimizer"] = call.partition("(")[0]
        module = interpreted(written(spec, tmp_path))
        with pytest.raises(ValueError, match=rf"{name} is {value}, for float32 1; expected a number in "):
            module.init_state(module.init_params(), {name: value})


FAULTS = {
    "a number of its own": ("b2 = hyper[2]", "b2 = 0.999", "hyper"),
    "another number's place": ("eps = hyper[3]", "eps = hyper[3] * hyper[2] / 0.999", "hyper"),
    "a schedule that forgets": ("decay = hyper[4]", "decay = 0.1", "hyper"),
    "a bound that forgets": ("clip_value = hyper[5]", "clip_value = 0.3", "hyper"),
    "other defaults": ('"b1": 0.9,', '"b1": 0.91,', "declarations"),
    "fit that forgets": ('{"hyper": hyper, **setting}', '{"hyper": None, **setting}', "fit"),
    "an interval too wide": ('"b1": "[0, 1)",', '"b1": "[0, 2)",', "epochs"),
    "names that nothing has": ("    if name not in HYPER:\n", "    if not name:\n", "epochs"),
}


SPEC = spec_with("adam(0.01)", schedule="exponential(decay=0.1)", clip_value=0.3)


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_the_judge_tries_other_numbers(fault: str | None, tmp_path: Path) -> None:
    before, after, row = FAULTS[fault] if fault else ("", "", "hyper")

    def planted(text: str) -> str:
        assert text.count(before) == 1
        return text.replace(before, after)

    edit = planted if fault else str
    if row in BEHAVIOURS:
        model, module = expand(read(SPEC)), interpreted(written(SPEC, tmp_path, edit))
        sample = draw(model, "", 0)
        shapes = parameter_shapes(model, {**sample.inputs, **sample.targets})
        assert observed(module, row, case_of(model, Subject(model, InProcess(module), shapes), 0))
    else:
        report = judged(SPEC, tmp_path, edit, compiled=False, points=1)
        verdict = {check.name: check.verdict for check in report.checks}
        assert verdict[row] == ("fail" if fault else "pass"), str(report)


XOR: dict[str, Any] = {
    "name": "xor",
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": ["batch", 1]},
    "layers": ["dense(2, activation=tanh)", "dense(1)"],
    "loss": "mse",
    "train": {"optimizer": "adam(0.05)", "schedule": "exponential(decay=0.01)", "epochs": 4, "batch_size": 2},
}
ROWS = ([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]])


@pytest.mark.parametrize("dotted", [False, True])
def test_train_takes_them(dotted: bool, tmp_path: Path) -> None:
    hyper = {"optimizer.learning_rate": 0.01, "schedule.decay": 0.3} if dotted else {"learning_rate": 0.01}
    train = {**XOR["train"], "optimizer": "adam(0.01)"}
    if dotted:
        train["schedule"] = "exponential(decay=0.3)"
    other = {**XOR, "train": train}
    modules = [module_in(tmp_path / name, spec) for name, spec in (("own", XOR), ("other", other))]
    run = sg.train(XOR, modules[0], data=ROWS, hyper=hyper, progress=False)
    expected = sg.train(other, modules[1], data=ROWS, progress=False)
    assert run.history.records[-1].loss == expected.history.records[-1].loss
    np.testing.assert_array_equal(run.params.W1, expected.params.W1)
    assert run.as_dict()["hyper"] == {name.rpartition(".")[2]: value for name, value in hyper.items()}


UNTRAINED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"optimizer.rate": 0.1}, "there is no hyper-parameter 'optimizer.rate' here"),
    "switched off": ({"weight_decay": 0.1}, "the spec leaves weight_decay at 0"),
    "outside": ({"b1": 1.5}, "b1 is 1.5"),
    "no number": ({"b1": float("nan")}, "b1 is nan"),
    "text": ({"b1": "0.5"}, "b1 is '0.5'"),
    "twice": ({"b1": 0.5, "optimizer.b1": 0.5}, "given twice"),
    "another rule": ({"eps": 0}, "eps cannot become 0"),
}


@pytest.mark.parametrize("case", UNTRAINED)
def test_training_refuses_what_a_spec_could_not_have(case: str, tmp_path: Path) -> None:
    hyper, words = UNTRAINED[case]
    module = module_in(tmp_path / "own", XOR)
    with pytest.raises(sg.SymgradError, match=words):
        sg.train(XOR, module, data=ROWS, hyper=hyper, progress=False)


def test_what_is_doubtful_in_a_spec_is_doubtful_at_run_time(tmp_path: Path) -> None:
    module = module_in(tmp_path / "own", XOR)
    with pytest.warns(sg.SpecWarning, match="the learning rate is 0 in epoch 1"):
        sg.train(XOR, module, data=ROWS, hyper={"decay": 1e4}, progress=False)
    with pytest.warns(
        sg.SpecWarning, match="learning_rate is 5000: so long a step leaves every minimum behind"
    ):
        sg.train(XOR, module, data=ROWS, hyper={"learning_rate": 5000}, progress=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("learning_rate", "is not NAME=NUMBER"),
        ("learning_rate=fast", "is not NAME=NUMBER"),
        ("=1", "has no name"),
        ("rate=1", "there is no hyper-parameter 'rate' here"),
        ("optimizer.learning_rate=-1", "learning_rate is -1"),
    ],
)
def test_the_command_says_what_is_wrong(given: str, words: str, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    run = CliRunner().invoke(main, ["train", "examples/xor.yaml", "--set", given, "--out", out])
    assert run.exit_code == 2
    assert words in run.stderr
