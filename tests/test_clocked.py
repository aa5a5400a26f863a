"""The copy of a module that reads a clock: what is timed in it, and that nothing else is changed."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from building import CORPUS
from module_use import MLP

from symgrad.benchmark.parts import parts_of
from symgrad.compiler.planning.cost import Cost, CostModel
from symgrad.pipeline import Stages, stages_of
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


class WithoutClock(ast.NodeTransformer):
    """A driver's copy without what the clock added to it."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        match node.value:
            case ast.Call(func=ast.Name("_symgrad_tick")) | ast.Constant():
                return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Name(name), args=[ast.Name("_symgrad_ticks"), *rest]):
                assert name.startswith("_clocked")
                return ast.Call(ast.Name(name.removeprefix("_clocked"), ast.Load()), rest, [])
        return self.generic_visit(node)


def functions(text: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("spec", [MLP, DEEP, MICRO], ids=["mlp", "deep", "micro"])
def test_nothing_but_the_readings_is_added(spec):
    stages = stages_of(read(spec))
    copy, timed = stages.clocked, functions(stages.clocked.text)
    assert copy.text.startswith(stages.text)
    names = [name for name in timed if name.startswith("_clocked")]
    assert {"_clocked_forward", "_clocked_step", "_clocked_epoch"} <= set(names)
    for name in names:
        ours, found = (timed[n] for n in (name.removeprefix("_clocked"), name))
        assert [a.arg for a in found.args.args] == ["_symgrad_ticks", *(a.arg for a in ours.args.args)]
        bodies = (ast.Module(WithoutClock().visit(f).body, []) for f in (ours, found))
        assert len({ast.dump(body) for body in bodies}) == 1, name


def test_every_equation_of_the_step_is_timed_once():
    statements = stages_of(read(MLP)).clocked.statements
    of_steps = [s for s in statements if s.function != "_predict"]
    equations = [equation for statement in of_steps for equation in statement.equations]
    assert len(equations) == len(set(equations))
    for beginning in ("dW1 = xᵀ·dZ1", "loss = ", "dZ2 = "):
        assert sum(equation.startswith(beginning) for equation in equations) == 1
    assert {"_update", "_gather"} <= {statement.calls for statement in statements}


@pytest.mark.parametrize("spec", [MLP, DEEP, *map(CORPUS.get, list(CORPUS)[:6])])
def test_statements_stand_in_the_order_of_the_plan(spec):
    """Every step of the plan is claimed by one statement, those of equal layers by one for all."""
    model = expand(read(spec))
    counts = CostModel(Stages(model).plan, _Ones(), model.spec.dtype)
    copy = stages_of(read(spec)).clocked
    costs = {phase: counts.phase(phase) for phase in ("forward", "loss", "gradient")}
    parts = parts_of(copy.statements, {s.place: 1.0 for s in copy.statements}, costs, None)
    claimed = sum((part.cost for part in parts if part.cost), Cost())
    assert claimed == sum((cost for phase in costs.values() for cost in phase), Cost())


def test_equal_layers_are_one_part():
    copy = stages_of(read(DEEP)).clocked
    layers = [s for s in copy.statements if s.times > 1]
    assert max(s.times for s in layers) >= 7


class _Ones(dict):
    """Some size for every free axis."""

    def __missing__(self, name: str) -> int:
        return 3 + len(name)
