"""Repeated layers and equations: what they stand for, their values and slopes, and errors inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reader import read, with_frozen

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(7)
BASE: dict[str, Any] = {"name": "repeated", "dtype": "float64", "inputs": {"x": ["n", 3]}}
LEARNT: dict[str, Any] = {**BASE, "targets": {"t": ["n", 2]}, "loss": "mse", "gradients": ["x"]}


def equations(spec: dict[str, Any]) -> list[str]:
    return [f"{e.name}: {unparse(e.formula)}" for e in expand(read({**BASE, **spec})).equations]


def parameters(spec: dict[str, Any]) -> list[str]:
    return [p.name for p in expand(read({**BASE, **spec})).parameters]


def repeated(times: int, *layers: Any) -> dict[str, Any]:
    return {"repeat": {"times": times, "layers": list(layers)}}


def loop(times: Any, start: str, body: dict[str, str]) -> dict[str, Any]:
    return {"repeat": {"times": times, "start": start, "equations": body}}


def test_repeated_layers_are_those_written_out() -> None:
    block = ["dense(4, activation=relu)", "dense(3)"]
    for chain, plain in (
        ([repeated(3, *block), "dense(2)"], [*block * 3, "dense(2)"]),
        ([repeated(2, repeated(2, "tanh"), "dense(3)")], ["tanh", "tanh", "dense(3)"] * 2),
    ):
        short, long = (expand(read({**BASE, "layers": layers})) for layers in (chain, plain))
        assert short.equations == long.equations
        assert short.parameters == long.parameters


def test_branches_join_their_input() -> None:
    layers = ["dense(4)", repeated(2, {"residual": ["tanh", "dense(4)"]}), {"concat": ["dense(5)"]}]
    assert equations({"layers": layers}) == [
        "Z1: x @ W1 + b1",
        "A1: tanh(Z1)",
        "Z2: A1 @ W2 + b2",
        "R2: Z1 + Z2",
        "A2: tanh(R2)",
        "Z3: A2 @ W3 + b3",
        "R3: R2 + Z3",
        "Z4: R3 @ W4 + b4",
        "C4: concat(R3, Z4, axis=-1)",
    ]


def test_repeated_equations_go_on_from_the_value_before() -> None:
    body = {"a": "dense(h, 4, activation=relu)", "h": "h + dense(a, 3)"}
    spec = {"equations": {"h": loop(2, "x", body), "y": "a1 + dense(h, 4)"}}
    assert equations(spec) == [
        "a1_Z: x @ a1_W + a1_b",
        "a1: relu(a1_Z)",
        "h1_Z: a1 @ h1_W + h1_b",
        "h1: x + h1_Z",
        "a2_Z: h1 @ a2_W + a2_b",
        "a2: relu(a2_Z)",
        "h2_Z: a2 @ h2_W + h2_b",
        "h: h1 + h2_Z",
        "y_Z: h @ y_W + y_b",
        "y: a1 + y_Z",
    ]
    names = ["a1_W", "a1_b", "h1_W", "h1_b", "a2_W", "a2_b", "h2_W", "h2_b", "y_W", "y_b"]
    assert parameters(spec) == names


def test_what_runs_over_an_axis_keeps_its_name() -> None:
    body = {"a": "2*h", "h[n,k]": "h[n,k] + sum(a[n,h] * U[h,k], h) + max(a[n,a], a)"}
    spec = {"parameters": {"U": [3, 3]}, "equations": {"h": loop(2, "sin(x)", body)}}
    assert equations(spec) == [
        "h0: sin(x)",
        "a1: 2 * h0",
        "h1: h0[n, k] + sum(a1[n, h] * U[h, k], h) + max(a1[n, a], a)",
        "a2: 2 * h1",
        "h: h1[n, k] + sum(a2[n, h] * U[h, k], h) + max(a2[n, a], a)",
    ]


@pytest.mark.parametrize("times", [1, 3])
def test_values_are_those_of_a_loop_and_slopes_those_of_differences(times: int, tmp_path: Path) -> None:
    body = {"a": "dense(h, 4, activation=tanh)", "h": "h + dense(a, 3)"}
    in_graph = {**LEARNT, "equations": {"h": loop(times, "x", body), "y": "dense(h, 2)"}, "loss": "mse(y, t)"}
    branch = {"residual": ["dense(4, activation=tanh)", "dense(3)"]}
    in_chain = {**LEARNT, "layers": [repeated(times, branch), "dense(2)"]}
    x, t = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))

    def value(theta: np.ndarray) -> float:
        numbers = iter(theta)

        def affine(z: np.ndarray, units: int) -> np.ndarray:
            weight = np.array([[next(numbers) for _ in range(units)] for _ in range(z.shape[1])])
            return z @ weight + np.array([next(numbers) for _ in range(units)])

        h = x
        for _ in range(times):
            h = h + affine(np.tanh(affine(h, 4)), 3)
        return float(np.mean((affine(h, 2) - t) ** 2))

    for number, spec in enumerate((in_graph, in_chain)):
        folder = tmp_path / str(number)
        folder.mkdir()
        module = interpreted(written(spec, folder))
        theta = RNG.normal(size=module.SIZE)
        loss, grads = module.loss_and_grad(module.unflatten(theta), x, t)
        assert loss == pytest.approx(value(theta), rel=1e-13)
        along = RNG.normal(size=module.SIZE)
        slope = (value(theta + 1e-6 * along) - value(theta - 1e-6 * along)) / 2e-6
        assert module.flatten(grads) @ along == pytest.approx(slope, rel=1e-7)


def test_equal_blocks_are_written_once_whatever_their_numbers() -> None:
    block = {"residual": ["dense(40, activation=relu)", "dense(30)"]}
    spec = {"layers": ["dense(30)", repeated(7, block), "dense(2)"], "loss": "mse"}
    longer = {**spec, "layers": ["dense(30)", repeated(12, block), "dense(2)"]}
    texts = [module_text(read({**LEARNT, **each})) for each in (spec, longer)]
    assert texts[0].count("    gemm(") == texts[1].count("    gemm(")
    assert "for layer in range(12):" in texts[1]


def test_parameters_of_one_time_can_be_named() -> None:
    body = {"h": "h + dense(tanh(dense(h, 4)), 3)"}
    spec = read({**LEARNT, "equations": {"h": loop(3, "x", body), "y": "dense(h, 2)"}, "loss": "mse(y, t)"})
    assert expand(with_frozen(spec, ["h2_*"])).frozen == ("h2_W1", "h2_b1", "h2_W2", "h2_b2")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"layers": [repeated(0, "relu")]}, "layers.0.repeat.times is 0; expected at least 1"),
        ({"layers": [repeated(10**9, "relu")]}, "times is 1000000000; expected at most 1000"),
        ({"layers": [repeated(2, repeated(900, "relu"))]}, "1,800 layers .* may have 1,000; repeat fewer"),
        ({"layers": [{"repeat": 3, "layers": ["relu"]}]}, r"write repeat: \{times: 12, layers: "),
        ({"layers": [repeated(2, "dense(3)", "tanhh")]}, r"layers\.0\.repeat\.layers\.1:.*'tanhh'; did you"),
        ({"layers": [{"residual": ["dense(4)"]}]}, r"layers\.0\.residual:1:1: '\+' cannot combine"),
        ({"layers": [{"concat": []}]}, "layers.0.concat is an empty list|has 0 entries"),
        ({"equations": {"h": loop(3, "x", {"g": "h"})}}, "is 'g'; expected 'h', which the next time"),
        ({"equations": {"h": loop(999, "x", {"g": "h", "h": "g"})}}, "1,998 layers or equations"),
        ({"equations": {"h": {"times": 3, "equations": {"h": "h"}}}}, r"write repeat: \{times: 12, start"),
        ({"equations": {"a1": "x", "h": loop(2, "a1", {"a": "h", "h": "a"})}}, "'a1' has the name of the eq"),
        ({"equations": {"h": loop(2, "x", {"x": "h", "h": "x"})}}, "'x' has the name of the input"),
        ({"equations": {"h": loop(2, "x", {"n": "h", "h": "n"})}}, "'n' has the name of the axis"),
        (
            {"equations": {"h": loop(2, "x", {"h": "h + b"})}},
            r"repeat\.equations\.h:1:5: .*'b'",
        ),
        ({"equations": {"h": loop(2, "x", {"a": "h", "h": "a"}), "y": "a"}}, "'a'; did you mean 'a2'"),
        ({"equations": {"h" * 64: loop(2, "x", {"h" * 64: "h" * 64})}}, "65 characters; at most 64"),
    ],
)
def test_errors_point_into_the_block(spec: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        elaborate(expand(read({**BASE, **spec})))
