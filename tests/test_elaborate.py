"""What formulas mean: shapes and values against NumPy, names, and every refusal with its message."""

from __future__ import annotations

import re
import time
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sympy as sp
from bad_shapes import BAD_SHAPES
from expansion import Expansion, arguments
from golden import compare

from symgrad.calculus.axes import show_axes
from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from symgrad.calculus.program import Program

SECONDS = 5.0  # of this process alone, whatever else the machine does
FREE = {"N": 2, "n": 2}

SHAPES: dict[str, list[int | str]] = {
    "s": [],
    "v": [3],
    "A": [2, 3],
    "B": [3, 4],
    "C": [1, 3],
    "D": [2, 1],
    "T": [4, 2, 3],
    "U": [4, 3, 2],
    "Q": [2, 4, 2, 3],
    "R": [2, 1, 3, 2],
    "x": ["N", 3],
}
FUNCTIONS = {"f(z)": "z * z + 1", "g(z, k=2)": "f(z) / k", "h(A, s)": "A - s", "total(z)": "sum(z * A)"}

# Formula of the language -> the same in NumPy, over the tensors of SHAPES.
MEANINGS = {
    "A + C": "A + C",
    "A * D": "A * D",
    "C - D": "C - D",
    "A / v": "A / v",
    "s - A": "s - A",
    "T + A": "T + A",
    "Q * v": "Q * v",
    "A**2": "A**2",
    "x + v": "x + v",
    "v @ v": "v @ v",
    "A @ v": "A @ v",
    "v @ B": "v @ B",
    "A @ B": "A @ B",
    "T @ v": "T @ v",
    "T @ B": "T @ B",
    "A @ U": "A @ U",
    "v @ U": "v @ U",
    "T @ U": "T @ U",
    "Q @ v": "Q @ v",
    "Q @ U": "Q @ U",
    "Q @ R": "Q @ R",
    "T @ R": "T @ R",
    "x @ B": "x @ B",
    "x @ x.T": "x @ x.T",
    "A.T": "A.T",
    "T.T": "T.T",
    "(T + A).T * s": "(T + A).T * s",
    "sum(T)": "T.sum()",
    "sum(T, axis=1)": "T.sum(axis=1)",
    "max(T, axis=-1)": "T.max(axis=-1)",
    "min(Q, axis=0, keepdims=true)": "Q.min(axis=0, keepdims=True)",
    "mean(x)": "x.mean()",
    "mean(x, axis=0)": "x.mean(axis=0)",
    "mean(T, keepdims=true)": "T.mean(keepdims=True)",
    "sum(x) / N": "x.sum() / 2",
    "logsumexp(A, axis=0)": "np.log(np.exp(A).sum(axis=0))",
    "sum(max(T, axis=0) * A)": "(T.max(axis=0) * A).sum()",
    "max(A, C)": "np.maximum(A, C)",
    "min(s, A)": "np.minimum(s, A)",
    "where(A > C, A, s)": "np.where(A > C, A, s)",
    "where(1 > 2, A, C)": "C + 0 * A",
    "sum(A[i, j] * v[j], i, j)": "(A * v).sum()",
    "max(A[i, 0], i)": "A[:, 0].max()",
    "mean(v[i]**2, i)": "(v**2).mean()",
    "sum(v[i] * sum(A[j, i] * D[j, 0], j), i)": "(A * v * D).sum()",
    "sum(B[i + 1, 0] * B[1 - i, 1], i)": "sum(B[i + 1, 0] * B[1 - i, 1] for i in range(2))",
    "sum(B[0, i + u] * A[i, u], i, u)": "sum(B[0, i + u] * A[i, u] for i in range(2) for u in range(3))",
    "f(A)": "A * A + 1",
    "g(A)": "(A * A + 1) / 2",
    "g(A, k=s)": "(A * A + 1) / s",
    "h(B, v[0])": "B - v[0]",
    "total(2)": "2 * A.sum()",
    "abs(A) + sign(C)": "np.abs(A) + np.sign(C)",
    "onehot(c)": "np.eye(4)[c]",
    "onehot(c) @ B.T": "np.eye(4)[c] @ B.T",
    "A * D_size": "A * 7",
}  # fmt: skip

INDEXED = {
    ("y[i, j]", "A[i, j] * v[j]"): "A * v",
    ("y[j, i]", "A[i, j] + 1"): "A.T + 1",
    ("y[n, k]", "sum(x[n, d] * B[d, k], d)"): "x @ B",
    ("y[i, j]", "Q[i, 0, i, j]"): "np.array([Q[i, 0, i] for i in range(2)])",
    ("y[n]", "B[0, c[n]] * x[n, 1]"): "B[0, c] * x[:, 1]",
    ("y[k, i]", "sum(T[k, j, i], j) / max(v[u], u)"): "T.sum(axis=1) / v.max()",
}


def built(equations: dict[str, str], **more: Any) -> Program:
    """The primal program of equations over the tensors of SHAPES."""
    inputs: dict[str, Any] = {name: list(axes) for name, axes in SHAPES.items()}
    inputs["c"] = {"axes": ["N"], "classes": 4}
    spec = {"axes": {"D_size": 7}, "inputs": inputs, "functions": FUNCTIONS, "equations": equations, **more}
    return elaborate(expand(read(spec)))


def values_of(program: Program) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The value of y at random numbers, and these numbers by tensor."""
    random = np.random.default_rng(1)
    given = {
        cell: sp.Integer(int(random.integers(4))) if cell[0] == "c" else sp.Float(random.normal() + 0.1, 20)
        for cell in arguments(program, FREE)
    }
    values = Expansion(program, FREE, given).values
    arrays = {}
    for tensor in program.tensors:
        shape = [a.size or FREE[str(a.name)] for a in tensor.axes]
        array = np.empty(shape, dtype=int if tensor.is_integer else float)
        for place in product(*map(range, shape)):
            array[place] = values[tensor.name, place]
        arrays[tensor.name] = array
    return arrays.pop("y"), arrays


@pytest.mark.parametrize("formula", MEANINGS)
def test_a_formula_means_what_numpy_means(formula: str) -> None:
    value, arrays = values_of(built({"y": formula}))
    expected = np.asarray(
        eval(MEANINGS[formula], {"np": np, "sum": sum, "range": range, **arrays})
    )  # our own table
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("equation", INDEXED)
def test_index_notation_means_its_sums(equation: tuple[str, str]) -> None:
    value, arrays = values_of(built(dict([equation])))
    expected = np.asarray(eval(INDEXED[equation], {"np": np, **arrays}))  # our own table
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_an_index_without_an_entry_of_its_own_has_no_range() -> None:
    with pytest.raises(SpecError, match="range of index 'i' is not known"):
        built({"y[i]": "v[2 - i]"})


def test_an_argument_is_computed_once() -> None:
    program = built({"y": "f(sum(T, axis=0) @ B)"})
    products = [e for e in program.equations if e.reduction == "sum"]
    assert len(products) == 2


def test_a_choice_in_the_last_place_of_a_choice_is_one_choice() -> None:
    (equation,) = built({"y": "where(x < 0, -x, where(x > 1, 1, x))"}).equations
    assert [str(condition) for _, condition in equation.body.args][-1] == "True"
    assert len(equation.body.args) == 3
    assert len(built({"y": "where(x < 0, where(x < -1, 1, -x), x)"}).equations) == 2


def test_a_functions_argument_hides_a_tensor() -> None:
    value, arrays = values_of(built({"y": "h(v, 1)"}))
    np.testing.assert_allclose(value, arrays["v"] - 1, rtol=1e-12)


def test_parameters_keep_the_order_of_the_spec() -> None:
    program = built(
        {"a": "dense(x, 4)", "b": "dense(a * k, 2, bias=false)"}, parameters={"k": [4], "last": [2]}
    )
    names = [(t.name, show_axes(t.axes)) for t in program.of_kind("parameter")]
    assert names == [("k", "[4]"), ("last", "[2]"), ("a_W", "[3, 4]"), ("a_b", "[4]"), ("b_W", "[4, 2]")]


def test_layers_in_one_equation_are_numbered() -> None:
    program = built({"y": "dense(tanh(dense(x, 5)), 2)"})
    names = [t.name for t in program.of_kind("parameter")]
    assert names == ["y_W1", "y_b1", "y_W2", "y_b2"]


def test_a_chain_is_named_by_its_depth() -> None:
    program = elaborate(
        expand(read({"inputs": {"x": ["N", 3]}, "layers": ["dense(4, activation=relu)", "dense(2)"]}))
    )
    assert [e.target for e in program.equations if program.tensor[e.target].kind == "value"] == [
        "Z1",
        "A1",
        "Z2",
    ]
    assert [t.name for t in program.of_kind("parameter")] == ["W1", "b1", "W2", "b2"]


def test_a_layers_parameter_takes_no_name_of_the_user() -> None:
    spec = {"axes": {"W1": 3}, "inputs": {"x": ["N", "W1"]}, "layers": ["dense(2)"]}
    assert [t.name for t in elaborate(expand(read(spec))).of_kind("parameter")] == ["W1_2", "b1"]


@pytest.mark.parametrize("name", ["prediction", "loss", "y_1", "loss_1", "dW"])
def test_every_name_is_the_users_to_use(name: str) -> None:
    equations = {"y": "2 * mean(x, axis=0) + 1", name: "x * y"}
    targets = {"k": {"axes": ["N"], "classes": 3}}
    program = built(equations, targets=targets, loss=f"softmax_cross_entropy({name}, k) + mean(y)")
    assert program.tensor[name].kind == "value"
    assert program.outputs == (name,)
    assert program.loss != name
    assert name not in program.prediction


def test_an_equation_may_be_called_like_a_loss() -> None:
    program = built({"mse": "mean(x**2)"}, loss="mse")
    assert str(program.definition[str(program.loss)].body) == "mse"


def test_a_target_hidden_in_a_function_is_no_part_of_the_output() -> None:
    program = built(
        {"y": "2 * x", "z": "r(y)"}, targets={"t": ["N", 3]}, functions={"r(z)": "z - t"}, loss="mean(z**2)"
    )
    assert program.outputs == ("y",)


def test_a_large_formula_is_split_into_small_bodies() -> None:
    nested = "s"
    for number in range(30):
        nested = f"sqrt({number + 1} + {nested} * s)"
    program = built({"y": nested})
    assert max(sum(1 for _ in sp.preorder_traversal(e.body)) for e in program.equations) < 150


@cache
def refusal(text: str) -> tuple[str, float]:
    """The message with which a text is refused, or that it was not; and the seconds it takes."""
    start, message = time.process_time(), "ACCEPTED"
    try:
        module_text(read(text))
    except SpecError as error:
        message = str(error)
    return message, time.process_time() - start


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_is_refused_with_place_problem_and_remedy(name: str) -> None:
    message, seconds = refusal(BAD_SHAPES[name])
    assert seconds < SECONDS
    assert re.fullmatch(r"<text>:\d+:\d+: [^;].*; .+", message), message
    assert len(message) < 400


def test_messages_are_the_golden_ones() -> None:
    lines = [f"{name}\n    {refusal(text)[0]}\n" for name, text in BAD_SHAPES.items()]
    compare("bad_shapes.txt", "".join(lines))


@pytest.mark.parametrize("index", ["t", "k"])
def test_an_index_with_the_name_of_a_target_reads_no_target(index: str) -> None:
    spec = {
        "inputs": {"x": ["n", "T", 2]},
        "targets": {"t": ["n", "T"]},
        "parameters": {"a": [2]},
        "equations": {"h": "x @ a", f"y[n,{index}]": f"h[n,{index}]**2 + 1"},
        "loss": "mean((y - t)**2)",
    }
    assert elaborate(expand(read(spec))).outputs == ("y",)
    assert elaborate(expand(read({**spec, "outputs": ["y", "h"]}))).outputs == ("y", "h")


def test_an_entry_taken_by_a_label_reads_the_labels() -> None:
    spec = {
        "inputs": {"x": ["n", 3]},
        "targets": {"t": {"axes": ["n"], "classes": 3}},
        "parameters": {"a": [3]},
        "equations": {"z": "x * a", "l[n]": "z[n, t[n]]"},
        "loss": "-mean(l)",
    }
    assert elaborate(expand(read(spec))).outputs == ("z",)
