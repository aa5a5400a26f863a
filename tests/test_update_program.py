"""The program of an optimiser's step, computed by equations, against the judge's reading of the spec."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fuzz.optimizers import optimizer_spec
from optimizer_paths import spec_with

from symgrad.calculus.program import check
from symgrad.calculus.terms import Entry, entries
from symgrad.compiler.planning.accumulation import SHARE_ADDED, SHARE_KEPT, accumulation_of
from symgrad.elaborate.optimizer import AHEAD, after_gradient, elaborate_optimizer
from symgrad.elaborate.starting.first_values import first_states
from symgrad.errors import SpecError
from symgrad.graphs.interpret import interpret
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.spec.language.trees import names_in
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.optimizer_meaning import Progress, gradient_point, start, step
from symgrad.verifier.sampling.hyper_values import drawn_hyper, own_hyper

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


LIBRARY = [f"{name}, {clip}" for name in library.optimizers for clip in CLIPS]
RANDOM = [f"random {seed}" for seed in range(50)]
NAMES = [*LIBRARY, *MORE, *RANDOM]


@cache
def model_of(name: str) -> Model:
    """An optimiser of the library, clipped, one of the rest, or the first random one that is not refused."""
    optimizer, _, clip = name.partition(", ")
    if name in MORE:
        optimizer, train = MORE[name]
        return expand(read(spec_with(optimizer, **train)))
    if clip:
        return expand(read(spec_with(optimizer, **CLIPS[clip])))
    random = Random(name)
    while True:
        with suppress(SpecError):  # a rule that gives no finite number
            model = expand(read(optimizer_spec(random)))
            return replace(model, frozen=(), groups=())  # the rule is that of any entry


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


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_what_the_spec_means(name: str) -> None:
    """In one, and where it can be divided in two: the gradient added where it goes, then the rest.

    The rest no longer knows what that vector held.
    """
    model = model_of(name)
    update = elaborate_optimizer(model)
    assert check(update) is update
    before, gradient = before_step(model), np.random.default_rng(5).normal(size=SIZE)
    expected = step(model, before, gradient, EPOCH, DOUBLE)
    arrays = given(model, update, before, gradient)
    values = interpret(update, arrays, {"size": SIZE})
    agree(update, values, expected)
    if AHEAD in update.outputs:
        point = gradient_point(model, before, EPOCH, DOUBLE)
        np.testing.assert_allclose(values[AHEAD], np.broadcast_to(point, SIZE), 1e-12, 1e-14)
    parts = accumulation_of(update)
    if parts is not None:
        shares = interpret(parts.shares, arrays, {"size": SIZE})
        into = next(t.name for t in parts.rest.of_kind("state") if t.of == parts.destination)
        kept = shares[SHARE_KEPT] * arrays.pop(parts.destination)
        arrays[into] = kept + shares[SHARE_ADDED] * arrays.pop("g")
        agree(after_gradient(update), interpret(parts.rest, arrays, {"size": SIZE}), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_with_other_hyper_parameters_is_the_step_of_the_spec_with_these(name: str) -> None:
    model = model_of(name)
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


@pytest.mark.parametrize("name", NAMES)
def test_no_hyper_parameter_is_left_out_of_the_step(name: str) -> None:
    """Each that changes what the judge computes changes what the program computes."""
    model = model_of(name)
    update = elaborate_optimizer(model, named=True)
    read = {name for equation in update.equations for name in equation.reads}
    starts = {e.tensor for start in first_states(model).values() for e in entries(start)}
    formulas = [*model.optimizer.update, *model.optimizer.state, ("", model.named_schedule)]
    named = {name for _, formula in formulas for name in names_in(formula)}
    assert {h.name for h in model.hyper if h.name in named} <= read | starts


def test_these_steps_come_in_two_parts() -> None:
    plain = ("sgd, plain", "momentum, plain", "classical_momentum, plain", "nesterov, plain")
    divided = {name for name in (*LIBRARY, *MORE) if accumulation_of(elaborate_optimizer(model_of(name)))}
    assert {*plain, *MORE} - {"scheduled"} <= divided
    assert "nadam, plain" not in divided


@pytest.mark.parametrize("name", NAMES)
def test_states_start_where_the_judge_starts_them(name: str) -> None:
    model = model_of(name)
    expected = start(model, np.zeros(SIZE), DOUBLE).states
    found = first_states(model)
    own = {Entry(name): value for name, value in own_hyper(model).items()}
    assert {name: value[0] for name, value in expected.items()} == {
        name: float(formula.xreplace(own)) for name, formula in found.items()
    }


def test_a_planted_fault_is_seen() -> None:
    """A step whose second equation reads the old state differs: the oracle is not the program's own."""
    model = model_of("momentum, plain")
    update = elaborate_optimizer(model)
    before, gradient = before_step(model), np.ones(SIZE)
    values = interpret(update, given(model, update, before, gradient), {"size": SIZE})
    values["theta'"] = before.theta - 0.01 * before.states["v"]
    with pytest.raises(AssertionError):
        agree(update, values, step(model, before, gradient, EPOCH, DOUBLE))
