"""The program of an optimiser's step, computed by equations, against the judge's reading of the spec."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fuzz.optimizers import optimizer_spec
from optimizer_paths import spec_with

from symgrad.calculus.program import check
from symgrad.calculus.terms import Entry, entries
from symgrad.compiler.planning.accumulation import SHARE_ADDED, SHARE_KEPT, accumulation_of
from symgrad.elaborate.first_values import first_states
from symgrad.elaborate.optimizer import AHEAD, after_gradient, elaborate_optimizer
from symgrad.errors import SpecError
from symgrad.graphs.interpret import interpret
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.spec.language.trees import names_in
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.sampling.hyper_values import drawn_hyper, own_hyper
from symgrad.verifier.steps.optimizer_meaning import Progress, gradient_point, start, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program
    from symgrad.spec.model import Model

SIZE = 6
EPOCH, STEPS = 3, 4
Arrays = dict[str, np.ndarray]
CLIPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "norm": {"clip_norm": 0.5},
    "norm never reached": {"clip_norm": 1e3},
    "both": {"clip_norm": 1.5, "clip_value": 0.3},
}
MORE: dict[str, tuple[Any, dict[str, Any]]] = {
    "scheduled": ("nadam", {"schedule": "one_cycle(total=9, k=step)"}),
    "descent with decay": ("sgd(0.1, weight_decay=0.5)", {"schedule": "inverse(decay=0.5, k=step)"}),
    "damped momentum": ("momentum(0.1, 0.8, dampening=0.3)", {"schedule": "cosine"}),
    "a gradient anew": ({"update": {"g": "2*g + theta", "theta": "theta - 0.1*g"}}, {}),
    "after the gradient": (
        {
            "state": {"v": 0, "before": 0, "far": 0},
            "update": {
                "v": "0.1*v/t - 0.2*g",
                "theta": "theta + v",
                "before": "theta",
                "far": "max(far, abs(theta - before))",
            },
        },
        {},
    ),
    "a state before it": (
        {"state": {"w": 0}, "update": {"w": "0.5*w + 1/t", "theta": "0.9*theta - 0.1*g"}},
        {},
    ),
}


def models() -> dict[str, Model]:
    """Every optimiser of the library, clipped and scheduled, and random ones."""
    found = {}
    for name in library.optimizers:
        for clip, train in CLIPS.items():
            found[f"{name}, {clip}"] = expand(read(spec_with(name, **train)))
    for name, (optimizer, train) in MORE.items():
        found[name] = expand(read(spec_with(optimizer, **train)))
    for seed in range(60):
        try:
            found[f"random {seed}"] = expand(read(optimizer_spec(Random(seed))))
        except SpecError:  # a rule that gives no finite number
            continue
    assert len(found) > 100
    return found


MODELS = models()


def before_step(model: Model) -> Progress:
    """Somewhere on the way: parameters and states that are all different."""
    rng = np.random.default_rng(3)
    states = {name: rng.uniform(0.1, 1, SIZE) for name in start(model, np.zeros(SIZE), DOUBLE).states}
    return Progress(rng.normal(size=SIZE), states, STEPS)


def given(model: Model, update: Program, before: Progress, gradient: np.ndarray) -> Arrays:
    time = {"epoch": EPOCH, "epochs": model.spec.train.epochs, "step": STEPS}
    numbers = {t.name: np.asarray(time[t.of]) for t in update.of_kind("input") if t.of}
    return {"theta": before.theta, "g": gradient, "t": np.asarray(STEPS + 1), **before.states, **numbers}


def agree(update: Program, values: Mapping[str, np.ndarray], after: Progress) -> None:
    expected = {"theta": after.theta, **after.states}
    found = {update.tensor[name].of: values[name] for name in update.outputs if name != AHEAD}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, 1e-11, 1e-13, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_what_the_spec_means(name: str) -> None:
    model = MODELS[name]
    update = elaborate_optimizer(model)
    assert check(update) is update
    before, gradient = before_step(model), np.random.default_rng(5).normal(size=SIZE)
    values = interpret(update, given(model, update, before, gradient), {"size": SIZE})
    agree(update, values, step(model, before, gradient, EPOCH, DOUBLE))
    if AHEAD in update.outputs:
        point = gradient_point(model, before, EPOCH, DOUBLE)
        np.testing.assert_allclose(values[AHEAD], np.broadcast_to(point, SIZE), 1e-12, 1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_with_other_hyper_parameters_is_the_step_of_the_spec_with_these(name: str) -> None:
    model = MODELS[name]
    update = elaborate_optimizer(model, named=True)
    assert [t.name for t in update.of_kind("hyper")] == [h.name for h in model.hyper]
    before, gradient = before_step(model), np.random.default_rng(5).normal(size=SIZE)
    for values in (own_hyper(model), drawn_hyper(model, np.random.default_rng(9))):
        numbers = {name: np.asarray(value) for name, value in values.items()}
        found = interpret(update, given(model, update, before, gradient) | numbers, {"size": SIZE})
        other = with_hyper(model, values)
        after = step(other, before, gradient, EPOCH, DOUBLE)
        if all(np.isfinite(array).all() for array in (after.theta, *after.states.values())):
            agree(update, found, after)
            if AHEAD in update.outputs:
                point = gradient_point(other, before, EPOCH, DOUBLE)
                np.testing.assert_allclose(found[AHEAD], np.broadcast_to(point, SIZE), 1e-12, 1e-14)


def test_no_hyper_parameter_is_left_out_of_the_step() -> None:
    """Each that changes what the judge computes changes what the program computes."""
    for model in MODELS.values():
        update = elaborate_optimizer(model, named=True)
        read = {name for equation in update.equations for name in equation.reads}
        starts = {e.tensor for start in first_states(model).values() for e in entries(start)}
        formulas = [*model.optimizer.update, *model.optimizer.state, ("", model.named_schedule)]
        named = {name for _, formula in formulas for name in names_in(formula)}
        assert {h.name for h in model.hyper if h.name in named} <= read | starts


DIVIDED = [name for name, model in MODELS.items() if accumulation_of(elaborate_optimizer(model))]


@pytest.mark.parametrize("name", DIVIDED)
def test_a_step_in_two_parts_is_the_same_step(name: str) -> None:
    """The gradient added where it goes, then the rest, which no longer knows what that vector held."""
    model = MODELS[name]
    update = elaborate_optimizer(model)
    parts = accumulation_of(update)
    assert parts is not None
    before, gradient = before_step(model), np.random.default_rng(5).normal(size=SIZE)
    arrays = given(model, update, before, gradient)
    shares = interpret(parts.shares, arrays, {"size": SIZE})
    into = next(t.name for t in parts.rest.of_kind("state") if t.of == parts.destination)
    arrays[into] = shares[SHARE_KEPT] * arrays.pop(parts.destination) + shares[SHARE_ADDED] * arrays.pop("g")
    values = interpret(parts.rest, arrays, {"size": SIZE})
    agree(after_gradient(update), values, step(model, before, gradient, EPOCH, DOUBLE))


def test_these_steps_come_in_two_parts() -> None:
    plain = ("sgd, plain", "momentum, plain", "classical_momentum, plain", "nesterov, plain")
    assert {*plain, *MORE} - {"scheduled"} <= {*DIVIDED}
    assert "nadam, plain" not in DIVIDED


def test_states_start_where_the_judge_starts_them() -> None:
    for model in MODELS.values():
        expected = start(model, np.zeros(SIZE), DOUBLE).states
        found = first_states(model)
        own = {Entry(name): value for name, value in own_hyper(model).items()}
        assert {name: value[0] for name, value in expected.items()} == {
            name: float(formula.xreplace(own)) for name, formula in found.items()
        }


def test_a_planted_fault_is_seen() -> None:
    """A step whose second equation reads the old state differs: the oracle is not the program's own."""
    model = MODELS["momentum, plain"]
    update = elaborate_optimizer(model)
    before, gradient = before_step(model), np.ones(SIZE)
    values = interpret(update, given(model, update, before, gradient), {"size": SIZE})
    values["theta'"] = before.theta - 0.01 * before.states["v"]
    with pytest.raises(AssertionError):
        agree(update, values, step(model, before, gradient, EPOCH, DOUBLE))
