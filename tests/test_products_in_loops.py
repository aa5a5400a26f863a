"""Sums of products that are computed in loops: told with their cost and a remedy, which helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli.group import main

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"batch": 32}


def spec_of(equation: str, formula: str, **parameters: list[Any]) -> dict[str, Any]:
    return {
        "name": "sums",
        "inputs": {"x": ["batch", 16, 64]},
        "parameters": {name: {"axes": axes, "init": "he_normal"} for name, axes in parameters.items()},
        "equations": {equation: formula},
        "loss": "sum(y**2)",
    }


@pytest.mark.parametrize(
    ("equation", "formula", "parameters", "number", "remedy"),
    [
        (
            "y[n,i,d]",
            "sum(x[n,i,c]*W[c,k]*V[k,d], c, k)",
            {"W": [64, 8], "V": [8, 6]},
            32 * 16 * 64 * 48,
            "two at a time",
        ),
        (
            "y[n,i,d]",
            "sum(exp(x[n,i,c]*W[c,d]), c)",
            {"W": [64, 32]},
            32 * 16 * 64 * 32,
            "an equation of its own",
        ),
        (
            "y[n,i,o]",
            "sum(x[n,i + u,c + v]*W[u,v,o], u, v, c)",
            {"W": [3, 5, 8]},
            32 * 14 * 3 * 5 * 60 * 8,
            "moving places",
        ),
    ],
)
def test_what_runs_in_loops_is_told(
    equation: str, formula: str, parameters: dict[str, list[Any]], number: int, remedy: str
) -> None:
    found = sg.derive(spec_of(equation, formula, **parameters)).products_in_loops(SIZES)
    assert found[0].formula.startswith("y")
    assert found[0].multiplications == number
    assert f"{number:,} multiplications" in found[0].problem
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    ("equation", "formula", "parameters"),
    [
        ("y[n,i,h,d]", "sum(x[n,i,c]*W[c,h,d], c)", {"W": [64, 4, 8]}),
        ("y[n,i,j]", "sum(x[n,i,c]*x[n,j,c], c)", {}),
        ("y[n,i,o]", "sum(x[n,i + u,c]*W[u,c,o], u, c)", {"W": [3, 64, 8]}),
        ("y[n,i]", "sum(x[n,i,c]*w[c]*x[n,i,c], c)", {"w": [64]}),
    ],
)
def test_products_of_a_library_and_sums_that_wait_for_memory_are_not(
    equation: str, formula: str, parameters: dict[str, list[Any]]
) -> None:
    assert not sg.derive(spec_of(equation, formula, **parameters)).products_in_loops(SIZES)


def test_inspect_says_it_beside_its_page(tmp_path: Path) -> None:
    file = tmp_path / "sums.yaml"
    file.write_text(
        "{name: sums, inputs: {x: [batch, 16, 64]}, parameters: {W: [64, 8], V: [8, 6]}, loss: sum(y**2),"
        "equations: {'y[n,i,d]': 'sum(x[n,i,c]*W[c,k]*V[k,d], c, k)'}}"
    )
    shown = CliRunner().invoke(main, ["inspect", str(file)])
    assert shown.exit_code == 0
    assert "sums: warning: y[n,i,d] = " in shown.stderr
    assert "multiplications in loops, as no product of matrices; multiply two" in shown.stderr
    assert "in loops" not in shown.stdout


def test_a_residual_block_with_batch_norm_has_none() -> None:
    """Its slopes could overflow beside a choice that is 0, which costs no loops, as in a dense layer."""
    inside = ["conv2d(16, kernel=3, padding=1)", "batch_norm2d", "relu", "conv2d(16, kernel=3, padding=1)"]
    layers = [{"residual": [*inside, "batch_norm2d"]}, "relu", "global_avg_pool", "dense(2)"]
    spec = {"inputs": {"x": ["batch", 8, 8, 16]}, "targets": {"t": ["batch", 2]}, "layers": layers}
    assert not sg.derive({**spec, "loss": "mse"}).products_in_loops({"batch": 32})
