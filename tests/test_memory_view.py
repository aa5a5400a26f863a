"""What is kept for the backward pass: which values, and how many bytes."""

from __future__ import annotations

import pytest

import symgrad as sg
from symgrad.compiler.planning.residuals import memory_use
from symgrad.pipeline import Stages
from symgrad.spec.expand import expand

TANH = "dense(30, activation=tanh)"
RELU = "dense(30, activation=relu)"
SQUARE = {"functions": {"square(z)": "z * z"}}


def spec_with(layer: str, **more: object) -> dict[str, object]:
    return {
        "inputs": {"x": ["batch", 20]},
        "targets": {"t": ["batch", 5]},
        "layers": [layer, "dense(5)"],
        "loss": "mse",
        **more,
    }


def kept(layer: str, dtype: str = "float32", **more: object) -> dict[str, str]:
    """The values kept of a layer before a linear one, with their bytes."""
    model = expand(sg.read(spec_with(layer, dtype=dtype, **more)))
    plan = Stages(model).plan
    return {value.name: str(value.amount) for value in memory_use(plan, dtype).residuals}


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (TANH, {"A1_slope", "A1", "Z2"}),
        (RELU, {"A1", "Z2"}),
        ("dense(30, activation=elu)", {"Z1", "A1", "Z2"}),
        ("dense(30)", {"Z1", "Z2"}),
        ("dense(30, activation=square)", {"Z1", "A1", "Z2"}),
    ],
)
def test_only_what_a_gradient_reads_is_kept(layer: str, names: set[str]) -> None:
    assert kept(layer, **(SQUARE if "square" in layer else {})).keys() == names


def test_sizes_are_counted_in_bytes() -> None:
    assert kept(RELU) == {"A1": "120·batch", "Z2": "20·batch"}
    assert kept(TANH, "float64") == {"A1_slope": "240·batch", "A1": "240·batch", "Z2": "40·batch"}


def test_every_format_shows_it() -> None:
    spec = sg.read(spec_with(TANH))
    shown = sg.derive(spec).showing(memory=True)
    assert "A1_slope = tanh′(Z1)   [120·batch bytes, for dZ1]" in str(shown)
    assert "A1 = tanh(Z1)   [120·batch bytes, for dW2]" in str(shown)
    assert "Kept for the backward pass" in shown.latex()
    assert "Kept for the backward pass" in shown.html()
    memory = shown.as_dict()["memory"]
    assert memory["kept"][0] == {
        "name": "A1_slope",
        "axes": "[batch, 30]",
        "bytes": "120·batch",
        "for": ["dZ1"],
    }
    assert "Kept" not in str(sg.derive(spec))
