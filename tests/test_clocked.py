"""The copy of a module that reads a clock: what is timed in it, and that nothing else is changed."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from building import CORPUS
from module_use import MLP

from symgrad.benchmark.clocked import clocked
from symgrad.benchmark.parts import parts_of
from symgrad.compiler.planning.cost import Cost, CostModel
from symgrad.pipeline import Stages, module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

DEEP: dict[str, Any] = {
    "name": "deep",
    "inputs": {"ticks": ["batch", 8]},
    "targets": {"y": ["batch", 8]},
    "layers": ["dense(8, activation=tanh)"] * 9,
    "loss": "mse",
    "train": {"optimizer": "adam(learning_rate=0.1)"},
}
MICRO = {**MLP, "train": {"optimizer": "adam(learning_rate=0.1)", "micro_batch_size": 3}}


def without_clock(text: str) -> str:
    """The copy's lines without what was added to them."""
    start, end = text.index("_symgrad_clock ="), text.index("def _symgrad_ticks_cost")
    end = text.index("\n\n\n", end) + 3
    lines = (text[:start] + text[end:]).replace("(_symgrad_ticks, ", "(").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("_symgrad_tick("))


@pytest.mark.parametrize("spec", [MLP, DEEP, MICRO], ids=["mlp", "deep", "micro"])
def test_nothing_but_the_readings_is_added(spec):
    text = module_text(read(spec))
    copy = clocked(text).text
    ast.parse(copy)
    assert without_clock(copy).split() == text.split()


def test_every_equation_of_the_step_is_timed_once():
    statements = clocked(module_text(read(MLP))).statements
    equations = [equation for statement in statements for equation in statement.equations]
    assert len(equations) == len(set(equations))
    for beginning in ("dW1 = xᵀ·dZ1", "loss = ", "dZ2 = "):
        assert sum(equation.startswith(beginning) for equation in equations) == 1
    assert {"_update", "_gather"} <= {statement.calls for statement in statements}


@pytest.mark.parametrize("spec", [MLP, DEEP, *map(CORPUS.get, list(CORPUS)[:6])])
def test_statements_stand_in_the_order_of_the_plan(spec):
    """Every step of the plan is claimed by one statement, those of equal layers by one for all."""
    model = expand(read(spec))
    counts = CostModel(Stages(model).plan, _Ones(), model.spec.dtype)
    copy = clocked(module_text(read(spec)))
    costs = {phase: counts.phase(phase) for phase in ("forward", "loss", "gradient")}
    parts = parts_of(copy.statements, {s.place: 1.0 for s in copy.statements}, costs, None)
    claimed = sum((part.cost for part in parts if part.cost), Cost())
    assert claimed == sum((cost for phase in costs.values() for cost in phase), Cost())


def test_equal_layers_are_one_part():
    copy = clocked(module_text(read(DEEP)))
    layers = [s for s in copy.statements if s.times > 1]
    assert max(s.times for s in layers) >= 7


class _Ones(dict):
    """Some size for every free axis."""

    def __missing__(self, name: str) -> int:
        return 3 + len(name)
