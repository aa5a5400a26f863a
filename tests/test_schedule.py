"""The plan: order, memory without overlap, products for BLAS, loops for equal layers."""

from __future__ import annotations

from itertools import combinations

import pytest
from building import program_of
from corpus import CORPUS

from symgrad.compiler.plan import Plan, Product, Sweep, size_of
from symgrad.pipeline import module_text, plan_of
from symgrad.spec.reader import read


def planned(name: str) -> Plan:
    return plan_of(program_of(name))


@pytest.fixture(scope="module", params=CORPUS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return planned(request.param)


def _runs(plan: Plan) -> list[list[str]]:
    """The phases a caller may run one after another."""
    return [["forward", "prediction"], ["forward", "loss", "gradient"]]


def test_every_tensor_is_made_before_it_is_read(plan: Plan) -> None:
    phases = {p.name: p for p in plan.phases}
    for run in _runs(plan):
        made = {t.name for t in plan.program.declared}
        for step in (s for name in run for s in phases[name].steps):
            for equation in step.equations:
                assert equation.reads <= made, equation
                made.add(equation.target)


def test_memory_in_use_never_overlaps(plan: Plan) -> None:
    """Between its definition and its last use nothing else is written to where a tensor lies."""
    phases = {p.name: p for p in plan.phases}
    for run in _runs(plan):
        steps = [s for name in run for s in phases[name].steps]
        born = {e.target: k for k, s in enumerate(steps) for e in s.equations}
        dies = {name: k for k, s in enumerate(steps) for e in s.equations for name in e.reads}
        lives = {n: (k, max(dies.get(n, k), k)) for n, k in born.items() if n in plan.places}
        lives |= {t.name: (0, len(steps)) for t in plan.program.of_kind("constant")}
        for a, b in combinations(lives, 2):
            handed_over = plan.memory_name(a) == plan.memory_name(b)
            in_use_together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
            assert handed_over or not (in_use_together and _overlap(plan, a, b)), (a, b)


def _overlap(plan: Plan, a: str, b: str) -> bool:
    first, second = plan.places[a], plan.places[b]
    if (first.vector, first.unit) != (second.vector, second.unit):
        return False
    ends = {n: plan.places[n].offset + size_of(plan.program.tensor[n].axes)[1] for n in (a, b)}
    return first.offset < ends[b] and second.offset < ends[a]


def test_a_tensor_that_hands_its_memory_over_is_not_read_afterwards(plan: Plan) -> None:
    order = [e for phase in plan.phases for s in phase.steps for e in s.equations]
    for giver, taker in plan.shared.items():
        made = max(k for k, e in enumerate(order) if e.target == taker)
        assert not [e for e in order[made + 1 :] if giver in e.reads]


def test_matrix_products_go_to_blas_and_elementwise_chains_are_one_sweep() -> None:
    steps = [s for p in planned("activation_tanh").phases for s in p.steps]
    targets = {s.equation.target for s in steps if isinstance(s, Product)}
    assert targets == {"Z1_1", "Z2_1", "dA1", "dW1", "dW2"}
    fused = [[e.target for e in s.equations] for s in steps if isinstance(s, Sweep)]
    assert ["Z1", "A1"] in fused
    assert ["dZ1", "db1"] in fused


def _deep(layers: int) -> str:
    spec = {
        "inputs": {"x": ["batch", 8]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "layers": ["dense(8, activation=tanh)"] * layers + ["dense(3)"],
        "loss": "softmax_cross_entropy",
    }
    return module_text(read(spec))


def test_equal_layers_become_loops() -> None:
    few, many = _deep(12), _deep(60)
    assert "for layer in range(" in few
    assert few.count("@compiled") == many.count("@compiled")
    assert few.count("np.dot(") == many.count("np.dot(")
