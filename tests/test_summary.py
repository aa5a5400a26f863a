"""A network at a glance: parameters, operations and memory, against counts by hand and by the plan."""

from __future__ import annotations

import json
import pydoc
from typing import Any

import pytest
from click.testing import CliRunner
from corpus import GRAPHS, INDEXED

import symgrad as sg
from symgrad.cli import main
from symgrad.compiler.planning.cost import CostModel
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

BATCH, INPUTS, HIDDEN, CLASSES = 11, 7, 5, 3
WRITTEN = {**GRAPHS, **INDEXED}
DENSE: dict[str, Any] = {
    "name": "dense",
    "inputs": {"x": ["batch", INPUTS]},
    "targets": {"t": {"axes": ["batch"], "classes": CLASSES}},
    "layers": [f"dense({HIDDEN}, activation=relu)", f"dense({CLASSES})"],
    "loss": "softmax_cross_entropy",
    "train": {"optimizer": "adam", "batch_size": 4},
}


def test_layers_have_their_parameters_and_products() -> None:
    found = sg.summary(DENSE, {"batch": BATCH})
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["Z1", "A1", "Z2", "loss"]
    assert dict(rows["Z1"].parameters) == {"W1": INPUTS * HIDDEN, "b1": HIDDEN}
    assert dict(rows["Z2"].parameters) == {"W2": HIDDEN * CLASSES, "b2": CLASSES}
    assert not rows["A1"].parameters
    assert rows["Z1"].flops == BATCH * HIDDEN * (2 * INPUTS + 1)  # the product, and to add the bias
    assert rows["A1"].flops == BATCH * HIDDEN
    assert rows["Z2"].shape == "[batch, 3]"
    assert found.parameters == INPUTS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
    assert found.parameter_bytes == 4 * found.parameters
    assert found.state_bytes == 2 * found.parameter_bytes  # both moments of Adam


def test_rows_are_those_of_the_specs_batch() -> None:
    assert dict(sg.summary(DENSE).sizes) == {"batch": 4}
    full = {**DENSE, "train": {"optimizer": "adam", "batch_size": "full"}}
    assert dict(sg.summary(full).sizes) == {"batch": 1}


@pytest.mark.parametrize("name", WRITTEN)
def test_no_operation_is_lost_or_counted_twice(name: str) -> None:
    spec = read(WRITTEN[name])
    stages = stages_of(spec)
    sizes = {axis: 2 + k for k, axis in enumerate(sorted(stages.plan.program.size_names))}
    found = sg.summary(spec, sizes)
    cost = CostModel(stages.plan, sizes, found.dtype)
    forward = sum(c.flops for phase in ("forward", "loss") for c in cost.phase(phase))
    parameters = [name for row in found.rows for name, _ in row.parameters]
    assert found.forward_flops == forward
    assert len(parameters) == len(set(parameters))
    assert str(found)
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"rows": 3}, "no axis"), ({"batch": 0}, "the size of batch"), ({"batch": 2.5}, "2.5")],
)
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(sg.SymgradError, match=said):
        sg.summary(DENSE, sizes)


def test_the_command(tmp_path: Any) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["summary", "examples/digits.yaml", *arguments])

    said = run("--size", "batch=64")
    assert said.exit_code == 0
    assert "4,810 parameters" in said.output
    assert "batch 64" in said.output
    found = json.loads(run("--json").output)
    assert found["parameters"] == 4810
    assert found["sizes"] == {"batch": 32}
    for wrong in ("batch", "batch=", "batch=0", "batch=-1", "batch=1.5", "rows=3"):
        refused = run("--size", wrong)
        assert refused.exit_code == 2, wrong
        assert wrong.partition("=")[0] in refused.stderr


def test_help_lists_the_functions() -> None:
    assert "summary(spec" in pydoc.plain(pydoc.render_doc(sg))


def test_states_are_neither_trained_nor_frozen() -> None:
    layers = [f"dense({HIDDEN})", "batch_norm", f"dense({CLASSES})"]
    found = sg.summary({**DENSE, "layers": layers})
    assert found.states == 2 * HIDDEN
    assert f"({found.parameters - 2 * HIDDEN} trained, {2 * HIDDEN} in states)" in " ".join(
        str(found).split()
    )
    frozen = sg.summary({**DENSE, "layers": layers, "train": {**DENSE["train"], "freeze": ["W1"]}})
    assert f"{INPUTS * HIDDEN} frozen, {2 * HIDDEN} in states)" in " ".join(str(frozen).split())
