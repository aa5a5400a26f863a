"""Which optimisers take in a gradient while it is formed, and with which factors."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from corpus import CORPUS

from symgrad.calculus.terms import Entry
from symgrad.compiler.planning.accumulation import SHARE_ADDED, SHARE_KEPT, Accumulation, accumulation_of
from symgrad.elaborate.optimizer import elaborate_optimizer
from symgrad.pipeline import stages_of
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read


def accumulated(optimizer: Any, **train: Any) -> Accumulation | None:
    spec = {**CORPUS["optimizer_sgd"], "train": {"optimizer": optimizer, "batch_size": "full", **train}}
    return accumulation_of(elaborate_optimizer(expand(read(spec))))


def shares(found: Accumulation) -> tuple[sp.Expr, sp.Expr]:
    """The factors keep and scale."""
    definition = found.shares.definition
    return definition[SHARE_KEPT].body, definition[SHARE_ADDED].body


RATE = Entry("learning_rate")
TENTH = sp.Rational(1, 10)
TAKES: dict[str, tuple[str, Any, Any]] = {
    "sgd(0.1)": ("theta", 1, -TENTH),
    "sgd(0.1, weight_decay=0.5)": ("theta", 1 - TENTH / 2, -TENTH),
    "momentum(0.1, 0.8)": ("v", sp.Rational(4, 5), 1),
    "classical_momentum(0.1, 0.8)": ("v", sp.Rational(4, 5), -TENTH),
    "nesterov(0.1, 0.8)": ("v", sp.Rational(4, 5), -TENTH),
}


@pytest.mark.parametrize("call", TAKES)
def test_keeps_and_scales(call: str) -> None:
    found = accumulated(call)
    assert found is not None
    assert (found.destination, *map(sp.nsimplify, shares(found))) == TAKES[call]


def test_the_rest_of_the_library_needs_the_gradient_itself() -> None:
    takes = {name for name in library.optimizers if accumulated(name) is not None}
    assert takes == {call.partition("(")[0] for call in TAKES}


def test_a_part_may_change_from_step_to_step() -> None:
    """The damping of PyTorch's momentum starts with the second step, a schedule is a number of the step."""
    damped = accumulated("momentum(0.1, 0.8, dampening=0.3)")
    assert damped is not None
    assert [shares(damped)[1].subs(Entry("t"), t) for t in (1, 2)] == pytest.approx([1, 0.7])
    scheduled = accumulated("sgd(0.1, weight_decay=0.5)", schedule="cosine(total=9)")
    assert scheduled is not None
    keep, scale = shares(scheduled)
    assert sp.expand(keep - (1 - RATE / 2)) == 0
    assert scale == -RATE
    assert "learning_rate" in scheduled.shares.definition


def own(update: dict[str, str], **state: float) -> dict[str, Any]:
    return {"hyper": {"a": 0.1}, "state": state, "update": update}


NEEDS_IT: dict[str, tuple[Any, dict[str, Any]]] = {
    "clipping by norm": ("sgd", {"clip_norm": 1}),
    "clipping by value": ("sgd", {"clip_value": 1}),
    "decay into the velocity": ("momentum(0.1, weight_decay=0.1)", {}),
    "decay into the classical velocity": ("classical_momentum(0.1, weight_decay=0.1)", {}),
    "the gradient used twice": (own({"v": "a*v + g", "theta": "theta - g"}, v=0), {}),
    "its square": (own({"theta": "theta - a*g**2"}), {}),
    "its sign": (own({"theta": "theta - a*sign(g)"}), {}),
    "a factor for each entry": (own({"theta": "theta - v*g", "v": "a*v"}, v=1), {}),
    "a part kept of each entry": (own({"theta": "v*theta - a*g", "v": "a*v"}, v=1), {}),
    "theta read after it": (own({"theta": "theta - a*g", "v": "theta"}, v=0), {}),
    "something that is added": (own({"theta": "theta - a*g + 1"}), {}),
    "something before it": (own({"v": "a*v", "theta": "theta - v - a*g"}, v=1), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDS_IT)
def test_the_gradient_itself_is_needed_for(name: str) -> None:
    optimizer, train = NEEDS_IT[name]
    assert accumulated(optimizer, **train) is None


def test_a_gradient_set_anew_is_written_out() -> None:
    found = accumulated(own({"g": "2*g + theta", "theta": "theta - a*g"}))
    assert found is not None
    assert shares(found) == (pytest.approx(0.9), pytest.approx(-0.2))
    assert accumulated(own({"g": "2*g", "v": "a*v + g", "theta": "theta - g"}, v=0)) is None


def test_what_comes_after_it_stays_to_be_done() -> None:
    found = accumulated("momentum(0.1, 0.8)")
    assert found is not None
    (equation,) = found.rest.equations
    assert found.rest.tensor[equation.target].of == "theta"
    v, theta = (Entry(name, equation.indices) for name in ("v'", "theta"))
    assert sp.nsimplify(sp.expand(equation.body - theta + v / 10)) == 0


def test_micro_batches_sum_gradients_that_are_written_down() -> None:
    train = {"optimizer": "sgd", "batch_size": 4, "micro_batch_size": 2}
    assert not stages_of(read({**CORPUS["optimizer_sgd"], "train": train})).takes_gradients_in
