"""A step of training by its text, on exact numbers: every optimiser's is its equations; no other passes."""

from __future__ import annotations

import ast
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from building import judged
from fuzz.optimizers import optimizer_spec
from test_identity_mutants import Fault, changes

from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.identity.training.training_step import step_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from symgrad.verifier.text_identity import Identity


def spec_with(optimizer: Any, **train: Any) -> dict[str, Any]:
    """A line fitted with an optimiser."""
    return {
        "name": "steps",
        "dtype": "float32",
        "inputs": {"x": ["batch", 3]},
        "targets": {"y": ["batch", 2]},
        "layers": ["dense(2)"],
        "loss": "mse",
        "train": {"optimizer": optimizer, "epochs": 6, "batch_size": "full", **train},
    }


def found_of(spec: dict[str, Any], before: str = "", after: str = "") -> Identity:
    """What is found of a spec's steps, where one thing in the text is another."""
    text = module_text(read(spec))
    assert before in text
    found = step_identity(expand(read(spec)), parse(text.replace(before, after, 1)), 0)
    assert found is not None
    return found


NOT_IN_A_FIELD = ("nadam", "adamax", "polynomial(power=2)")
"""Powers that are no whole or half numbers, and what is the greater of two for reasons of its own."""


@pytest.mark.parametrize("name", library.optimizers)
def test_every_optimizer_steps_as_its_equations_say(name: str) -> None:
    state = found_of(spec_with(name)).state
    assert state == ("agrees" if name in NOT_IN_A_FIELD else "identical")


@pytest.mark.parametrize(
    "train",
    [
        {"schedule": "one_cycle(total=8, k=step)", "clip_norm": 1, "clip_value": 0.5},
        {"schedule": "cosine", "clip_norm": 2},
        {"schedule": "step_decay(2, k=step)", "clip_value": 0.1},
        {"schedule": "polynomial(power=2)"},
        {"schedule": "exponential(decay=0.3, k=step)", "batch_size": 4, "micro_batch_size": 2},
    ],
    ids=lambda train: train["schedule"],
)
def test_schedules_and_bounds_are_part_of_a_step(train: dict[str, Any]) -> None:
    for optimizer in ("adam(eps=0)", "nesterov", "momentum(momentum=0.9)"):
        assert found_of(spec_with(optimizer, **train)).state in ("identical", "agrees")


def test_random_optimizers_step_as_their_equations_say() -> None:
    states = []
    for seed in range(12):
        spec = optimizer_spec(Random(seed))
        try:
            states.append(found_of(spec).state)
        except SpecError:
            continue
    assert set(states) <= {"identical", "agrees"}
    assert states.count("identical") > len(states) / 2


@pytest.mark.parametrize("choice", ["max(0.25 - t, 49)", "min(t, 3)", "max(7, t) / max(t, 3)"])
def test_what_is_chosen_of_whole_numbers_divides_exactly(choice: str) -> None:
    update = {"part": choice, "theta": "theta - 0.1*abs(part) - 0.01*g/part"}
    assert found_of(spec_with({"state": {"part": 0}, "update": update})).state in ("identical", "agrees")


FREEZING = {"layers": ["dense(4)", "dense(4)", "dense(2)"]}


def freezing(optimizer: str, **train: Any) -> dict[str, Any]:
    """Training that leaves a layer in the midst as it is."""
    return spec_with(optimizer, freeze=["W2", "b2"], **train) | FREEZING


@pytest.mark.parametrize("optimizer", ["adam", "nesterov", "momentum"])
def test_a_step_leaves_frozen_parameters_alone(optimizer: str) -> None:
    assert found_of(freezing(optimizer)).state == "identical"
    assert found_of(freezing(optimizer, clip_norm=1)).state == "agrees"  # a root of a sum of squared roots


def test_parameters_with_numbers_of_their_own_are_stepped_by_these() -> None:
    groups = {"b*": {"weight_decay": 0}, "W3": {"learning_rate": 0.01}}
    spec = spec_with("adamw(0.1, weight_decay=0.1)", per_parameter=groups) | FREEZING
    assert found_of(spec).state == "identical"
    assert found_of(spec | {"train": spec["train"] | {"freeze": "W2"}}).state == "identical"
    assert found_of(spec, "(theta, 36, (8,)", "(theta, 37, (8,)").is_wrong


OWN = {
    "hyper": {"keep": 0.3, "learning_rate": 0.05},
    "state": {"v": 0, "r": "keep * 2"},
    "update": {
        "g": "g + 0.1 * theta",
        "part": "tanh(g) * r",
        "r": "0.9 * r + (1 - keep) * abs(g)",
        "v": "max(v * keep, g)",
        "theta": "theta - learning_rate * (v + part) / (1 + sqrt(r))",
    },
}
PLANTED = {
    "adam": spec_with("adam(weight_decay=0.1)", schedule="exponential(decay=0.1)", clip_norm=1),
    "nesterov": spec_with("nesterov", clip_value=0.5),
    "accumulated": spec_with("momentum", schedule="cosine", batch_size=4)
    | {"layers": ["dense(200)", "dense(2)"]},
    "rprop": spec_with("rprop"),
    "own": spec_with(OWN),
    "frozen": freezing("momentum", clip_norm=1),
}
STEP = ("_update", "_update_part", "_step", "_look_ahead", "_shares", "_end_of_step", "_first_states")
EVERY = 6
"""One of so many faults is planted."""


def reached(functions: Mapping[str, ast.FunctionDef], name: str) -> set[str]:
    """The functions that one asks for, it among them."""
    asked = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
    others = {other: function for other, function in functions.items() if other != name}
    return {name}.union(*(reached(others, other) for other in asked & others.keys()))


def faults(text: str) -> Iterator[Fault]:
    """Changes in the functions of a step of one process, but for the last entry in place of the only one: -1
    for 0. Ranks that share a step have a rule of their own where one part of the parameters asks for others.
    """
    functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    of_step = reached(functions, "_step") | reached(functions, "_first_states")
    for function in functions.values():
        if function.name in STEP and function.name in of_step:
            for place, node in enumerate(ast.walk(function)):
                if not isinstance(node, ast.Constant) or node.value != 0:
                    yield from (Fault(function, place, change) for change in range(len(changes(node))))


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_of_a_step_are_found(name: str) -> None:
    text, model = module_text(read(PLANTED[name])), expand(read(PLANTED[name]))
    planted = list(faults(text))[::EVERY]
    missed = [
        f
        for f in planted
        if (found := step_identity(model, parse(f.planted(text)), 0)) and not found.is_wrong
    ]
    assert len(planted) >= 5
    assert not [fault.planted(text) for fault in missed]


FAINT = {
    "a step that is too long by 1e-11": ("adam", "- s6 * s7 * m[n]", "- 1.00000000001 * s6 * s7 * m[n]"),
    "an eps of 0": ("adam", "s8 = real(eps)", "s8 = real(0)"),
    "one step more for the bias": ("adam", "b2 ** t)", "b2 ** (t + 1))"),
    "a late step": ("adam", "    step[0] += 1\n", "    step[0] += 1 if step[0] != 20 else 2\n"),
    "a first state": ("own", "return (0.0, ", "return (1e-13, "),
    "the gradient where theta is": ("nesterov", "value = _gradient(ahead,", "value = _gradient(theta,"),
    "a share": ("accumulated", "scale = 1\n", "scale = 1.00000000001\n"),
    "another number in HYPER": ("adam", '"b1": 0.9,', '"b1": 0.9000000000000002,'),
}


@pytest.mark.parametrize("name", FAINT)
def test_faint_faults_of_a_step_are_found(name: str) -> None:
    spec, before, after = FAINT[name]
    assert found_of(PLANTED[spec], before, after).is_wrong


def test_what_is_too_faint_for_differences_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    _, before, after = FAINT["a step that is too long by 1e-11"]
    report = judged(PLANTED["adam"], tmp_path, lambda text: text.replace(before, after), compiled=False)
    assert [line.split(":")[0] for line in report.failures] == ["training step"]


def test_a_module_whose_step_is_another_is_not_identical() -> None:
    spec = read(PLANTED["rprop"])
    text = module_text(spec).replace("eta_plus = hyper[2]", "eta_plus = hyper[1]")
    found = identity_of(expand(spec), text)
    assert found.state == "identical"
    assert found.is_wrong
    assert found.fault.startswith("theta after step")
