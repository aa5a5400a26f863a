"""The plan: order, memory without overlap, products for BLAS, loops for equal layers."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from itertools import combinations

import pytest
from benchmarks.networks import NETWORKS
from benchmarks.residuals import residual
from building import by_rows, staged
from corpus import CORPUS, TRIED
from seeds import one_in

from symgrad.calculus.contraction import as_product
from symgrad.compiler.planning.plan import LoopNest, Plan, Product, Step, size_of
from symgrad.pipeline import Stages, module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

# Plain descent carries gradients into the parameters, Adam needs them by themselves.
LAYOUTS = {"columns": (nullcontext, "sgd"), "rows": (by_rows, "adam"), "accumulated": (by_rows, "sgd")}


@cache
def planned(name: str, layout: str) -> Plan:
    surroundings, optimizer = LAYOUTS[layout]
    with surroundings():
        return staged(name, optimizer).plan


@pytest.fixture(scope="module", params=one_in(4, TRIED))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=LAYOUTS)
def plan(request: pytest.FixtureRequest, name: str) -> Plan:
    return planned(name, request.param)


def _runs(plan: Plan) -> list[list[str]]:
    """The phases a caller may run one after another."""
    return [["forward", "prediction"], ["forward", "loss", "gradient"]]


def _carried(step: Step) -> list[str]:
    """What a loop over steps makes beside its equations."""
    return [tensor.name for tensor in step.all_carried] if isinstance(step, LoopNest) else []


def test_every_tensor_is_made_before_it_is_read(plan: Plan) -> None:
    phases = {p.name: p for p in plan.phases}
    for run in _runs(plan):
        made = {t.name for t in plan.program.declared}
        for step in (s for name in run for s in phases[name].steps):
            made |= {*_carried(step)}
            for equation in step.equations:
                assert equation.reads <= made, equation
                made.add(equation.target)


def test_memory_in_use_never_overlaps(plan: Plan) -> None:
    """Between its definition and its last use nothing else is written to where a tensor lies."""
    phases = {p.name: p for p in plan.phases}
    for run in _runs(plan):
        steps = [s for name in run for s in phases[name].steps]
        born = {
            n: k for k, s in enumerate(steps) for n in (*_carried(s), *_targets(s)) if n not in _locals(s)
        }
        read = ((name, k, s) for k, s in enumerate(steps) for e in s.equations for name in e.reads)
        dies = {name: k for name, k, s in read if name not in _locals(s)}
        lives = {n: (k, max(dies.get(n, k), k)) for n, k in born.items() if n in plan.places}
        lives |= {t.name: (0, len(steps)) for t in plan.program.of_kind("constant")}
        for a, b in combinations(lives, 2):
            handed_over = plan.memory_name(a) == plan.memory_name(b) or _is_next_of_state(plan, a, b)
            in_use_together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
            assert handed_over or not (in_use_together and _overlap(plan, a, b)), (a, b)


def _targets(step: Step) -> list[str]:
    return [equation.target for equation in step.equations]


def _is_next_of_state(plan: Plan, a: str, b: str) -> bool:
    """The next value of a state takes the place of its gradient, which is 0."""
    of = {g.name: g.of for g in plan.program.gradients}
    return any(of.get(one) is not None and other == f"{of[one]}_next" for one, other in ((a, b), (b, a)))


def _overlap(plan: Plan, a: str, b: str) -> bool:
    first, second = plan.places[a], plan.places[b]
    if (first.vector, first.unit) != (second.vector, second.unit):
        return False
    ends = {n: plan.places[n].offset + size_of(plan.axes_in_memory(n))[1] for n in (a, b)}
    return first.offset < ends[b] and second.offset < ends[a]


def test_a_tensor_that_hands_its_memory_over_is_not_read_afterwards(plan: Plan) -> None:
    order = [e for phase in plan.phases for s in phase.steps for e in s.equations]
    for giver, taker in plan.shared.items():
        made = max(k for k, e in enumerate(order) if e.target == taker)
        assert not [e for e in order[made + 1 :] if giver in e.reads]


def test_a_gradient_is_added_after_all_uses_of_its_parameter(name: str) -> None:
    """The vector it is added to may be that of the parameters."""
    plan = planned(name, "accumulated")
    parameters = {t.name for t in plan.program.of_kind("parameter")}
    parameter_of = {g.name: g.of for g in plan.program.gradients if g.accumulates}
    parameter_of |= {new: state for state, new in plan.program.renewed.items()}
    order = [e for s in plan.phases[-1].steps for e in s.equations]
    for number, equation in enumerate(order):
        if equation.target in parameter_of:
            assert not parameters & equation.reads
            later = [e.target for e in order[number:] if parameter_of[equation.target] in e.reads]
            assert later == []


def test_what_is_accumulated_fills_the_place_of_every_gradient(name: str) -> None:
    plan = planned(name, "accumulated")
    parameters = {t.name for t in plan.program.of_kind("parameter")}
    into = {g.name for g in plan.program.gradients if g.of in parameters}
    assert plan.program.accumulated.keys() in (into, set())
    assert {n for n, place in plan.places.items() if place.vector == "destination"} == {
        *plan.program.accumulated,
        *plan.program.renewed.values(),
    }


def test_nearly_all_networks_accumulate_their_gradients() -> None:
    """All but those whose gradients are no products, are sums of what they are added for, or clipped; those
    of all rows at once, which may be so many that they are computed in pieces.
    """
    others = {
        "clipped",
        "regularised",
        "micro_batches",
        "batched_scores",
        "convolution",
        "bilinear",
        "distances",
        "second_derivatives",
        "burgers",
        "optimizer_rprop",
        "optimizer_delta_bar_delta",
    }
    found = {name for name in CORPUS if not planned(name, "accumulated").program.accumulated}
    assert found == {*others, "scalars_only"}


def test_products_of_parameters_are_not_accumulated() -> None:
    """dU = dM·Vᵀ and dV = Uᵀ·dM would each have to wait for the other."""
    spec = {
        "inputs": {"x": ["batch", 20]},
        "targets": {"t": ["batch", 20]},
        "parameters": {"U": [20, 30], "V": [30, 20]},
        "equations": {"M": "U @ V", "y": "x @ M"},
        "loss": "mse",
    }
    model = expand(read(spec))
    plan = Stages(model).plan
    assert not plan.program.accumulated
    assert {g.of for g in plan.program.gradients} == {"U", "V"}


def test_a_small_network_is_three_kernels_of_loops() -> None:
    """Forward, loss and gradient: nothing between their equations needs more than a loop over the samples."""
    phases = {p.name: p.steps for p in planned("activation_tanh", "columns").phases}
    assert all(isinstance(phases[n][0], LoopNest) for n in ("forward", "loss", "gradient"))
    assert len(phases["forward"]) == len(phases["gradient"]) == 1
    (backward,) = phases["gradient"]
    assert {e.target for e in backward.equations if as_product(e)} == {"dW2", "dA1", "dW1"}


def test_matrix_products_go_to_blas_and_elementwise_chains_are_one_sweep() -> None:
    steps = [s for p in planned("activation_tanh", "rows").phases for s in p.steps]
    targets = {s.equation.target for s in steps if isinstance(s, Product)}
    assert targets == {"Z1_1", "Z2_1", "dA1", "dW1", "dW2"}
    fused = [[e.target for e in s.equations] for s in steps if isinstance(s, LoopNest)]
    assert ["Z1", "A1_slope", "A1"] in fused
    assert ["dZ1", "db1"] in fused


@pytest.mark.parametrize("layout", ["columns", "rows"])
def test_what_is_made_and_used_in_one_pass_takes_no_memory(layout: str) -> None:
    plan = planned("activation_tanh", layout)
    local = {n for p in plan.phases for s in p.steps for n in _locals(s)}
    assert "Z1" in local
    assert not local & plan.places.keys()
    assert "A1" in plan.places


def _locals(step: object) -> frozenset[str]:
    return step.local if isinstance(step, LoopNest) else frozenset()


def test_slopes_of_a_layer_and_the_layer_itself_are_one_pass() -> None:
    """Whichever of their products is formed first."""
    gradient = Stages(expand(read(residual("burgers", 4, 50)))).phases[-1].steps
    (layer,) = [step for step in gradient if "dA3_1" in _targets(step)]
    assert {"dA3_1_xx", "dA3_1_x", "dA3_1_t"} <= {*_targets(layer)}


def test_copies_of_windows_for_the_backward_pass_wait_for_it() -> None:
    """They need nothing that is made there, and are in the cache where they are made for a row of it."""
    spec = {**NETWORKS["resnet 16"], "dtype": "float32"}
    plan = Stages(expand(read(spec))).plan
    copies = [e for s in plan.phases[-1].steps for e in s.equations if e.target.endswith("_windows_2")]
    assert copies
    assert all(e.target in plan.by_rows for e in copies)


def _deep(layers: int) -> str:
    spec = {
        "inputs": {"x": ["batch", 20]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "layers": ["dense(20, activation=tanh)"] * layers + ["dense(3)"],
        "loss": "softmax_cross_entropy",
    }
    return module_text(read(spec))


def test_equal_layers_become_loops() -> None:
    few, many = _deep(12), _deep(60)
    assert "for layer in range(" in few
    for piece in ("\ndef ", "gemm("):
        assert few.count(piece) == many.count(piece) > 1


def test_sums_over_rows_of_data_are_formed_row_by_row() -> None:
    """Beside a pass over columns they would read a column at a time."""
    phases = Stages(expand(read(residual("burgers", 3, 20)))).plan.phases
    nests = [step for phase in phases for step in phase.steps if isinstance(step, LoopNest)]
    summed = [(nest, e) for nest in nests for e in nest.equations if any(b.axis.is_free for b in e.bound)]
    assert len(summed) > 4
    assert all(nest.loops and nest.loops[0].axis.is_free for nest, _ in summed)
