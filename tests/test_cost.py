"""Operations and bytes counted from plans, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest

from symgrad.compiler.planning.cost import Cost, CostModel
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

STEP = ("forward", "loss", "gradient")
BATCH, INPUTS, HIDDEN, OUTPUTS = 11, 7, 5, 3
DENSE: dict[str, Any] = {
    "name": "dense",
    "inputs": {"x": ["batch", INPUTS]},
    "targets": {"t": {"axes": ["batch"], "classes": OUTPUTS}},
    "layers": [f"dense({HIDDEN}, activation=relu)", f"dense({OUTPUTS})"],
    "loss": "softmax_cross_entropy",
    "train": {"optimizer": "sgd(learning_rate=0.1)"},
}
PARAMETERS = INPUTS * HIDDEN + HIDDEN + HIDDEN * OUTPUTS + OUTPUTS
PLAIN: dict[str, Any] = {
    "name": "plain",
    "dtype": "float64",
    "inputs": {"x": ["batch", 6]},
    "parameters": {"w": {"axes": [6], "init": "normal(std=1)"}, "b": {"axes": [6], "init": "zeros"}},
    "equations": {"y": "tanh(x)*w + b"},
}


def counted(spec: dict[str, Any], **sizes: int):
    """The cost model of a spec, and its update."""
    stages = stages_of(read(spec))
    return CostModel(stages.plan, sizes, stages.model.spec.dtype), stages.update


def with_optimizer(optimizer: str) -> dict[str, Any]:
    return {**DENSE, "train": {"optimizer": optimizer}}


def test_the_least_work_of_a_dense_network():
    model, update = counted(DENSE, batch=BATCH)
    first, second = 2 * BATCH * INPUTS * HIDDEN, 2 * BATCH * HIDDEN * OUTPUTS
    data = BATCH * INPUTS * 4 + BATCH * 8
    # forward both, the weights' gradients both, the hidden layer's gradient once, the input's never
    flops = first + second + first + second + second
    assert model.least(update, STEP) == Cost(flops, 2 * PARAMETERS * 4 + data)
    assert model.least(None, STEP) == Cost(flops, PARAMETERS * 4 + data)
    assert model.least(None, ("forward",)) == Cost(first + second, PARAMETERS * 4 + BATCH * INPUTS * 4)


def test_states_are_read_and_written():
    model, update = counted(with_optimizer("adam(learning_rate=0.1)"), batch=BATCH)
    without, plain = counted(DENSE, batch=BATCH)
    more = model.least(update, STEP).bytes - without.least(plain, STEP).bytes
    assert more == 2 * 2 * PARAMETERS * 4


def test_a_pass_over_rows():
    model, _ = counted(PLAIN, batch=10)
    moved = (10 * 6 + 6 + 6 + 10 * 6) * 8  # x, w and b read, y written
    assert sum(model.phase("forward"), Cost()) == Cost(3 * 10 * 6, moved)


def test_rows_can_be_changed():
    model, _ = counted(PLAIN, batch=10)
    assert sum(model.of_rows("batch", 1).phase("forward"), Cost()) == Cost(18, (6 + 6 + 6 + 6) * 8)


@pytest.mark.parametrize(
    ("optimizer", "vectors"),
    [("sgd(learning_rate=0.1)", 4), ("momentum(learning_rate=0.1)", 6), ("adam(learning_rate=0.1)", 8)],
)
def test_the_update_moves_every_vector_it_reads_and_writes(optimizer, vectors):
    # Bounding the gradient's norm needs all of it: it is not added while it is formed, and is read twice.
    spec = {**DENSE, "train": {"optimizer": optimizer, "clip_norm": 1.0}}
    model, update = counted(spec, batch=BATCH)
    assert model.update(update).bytes == vectors * PARAMETERS * 4


def test_the_operations_of_an_update():
    spec = {**DENSE, "train": {"optimizer": "sgd(learning_rate=0.1)", "clip_norm": 1.0}}
    model, update = counted(spec, batch=BATCH)
    # theta − 0.1·g, a factor that bounds g, and 2 for its norm: a square and a sum
    numbers = 2  # a maximum and a quotient for that factor
    assert model.update(update).flops == PARAMETERS * (2 + 1 + 2) + numbers


def test_a_gradient_added_while_it_is_formed_leaves_no_update_to_count():
    wide = {
        **DENSE,
        "layers": ["dense(64, activation=relu)", f"dense({OUTPUTS})"],
        "inputs": {"x": ["batch", 64]},
    }
    model, update = counted(wide, batch=64)
    assert model.plan.program.accumulated
    assert model.update(update) == Cost()
    # The product reads x, dZ1 and W1, and writes W1.
    product = Cost(2 * 64**3, (64 * 64 + 64 * 64 + 2 * 64 * 64) * 4)
    assert product in model.phase("gradient")


def test_a_table_is_read_where_it_is_looked_up():
    spec = {
        "name": "table",
        "inputs": {"w": {"axes": ["batch"], "classes": 1000}},
        "parameters": {"E": {"axes": [1000, 4], "init": "normal(std=1)"}},
        "equations": {"h[n,d]": "E[w[n],d]"},
    }
    model, _ = counted(spec, batch=3)
    entries = 3 * 4
    assert sum(model.phase("forward"), Cost()).bytes == entries * 4 + 3 * 8 + entries * 4
