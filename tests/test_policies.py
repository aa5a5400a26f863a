"""0 times infinity, ties and edges of domains: what README.md, "Limits", promises, row by row, compiled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sympy as sp
from building import interpreted, judged, written
from fuzz.modules import InPython
from fuzz.modules import interpreted as in_memory
from onnxruntime import InferenceSession
from seeds import one_in

from symgrad.calculus.axes import Axis
from symgrad.calculus.bounds import Bounds
from symgrad.calculus.domains import domain, forgotten
from symgrad.calculus.program import Equation, Loop
from symgrad.calculus.real import Piecewise, within
from symgrad.calculus.terms import Entry, index_symbol, sigmoid
from symgrad.compiler.loading.load import load
from symgrad.compiler.targets.onnx.onnx_model import onnx_model
from symgrad.passes.guarding.doubts import Doubts
from symgrad.passes.guarding.guards import guarded_derivative, guarded_step
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE, EXTENDED, FIFTY_DIGITS, product
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import ModuleType

INF, NAN = np.inf, np.nan

# A formula of the inputs named, its value there, and its slope by each that has one.
Row = tuple[str, dict[str, Any], float, dict[str, Any]]
ROWS: dict[str, Row] = {
    "norm of 0": ("sqrt(sum({x}**2))", {"x": [0, 0]}, 0, {"x": [0, 0]}),
    "norm of a layer of 0": ("sqrt(sum(relu({x})))", {"x": [0, -1]}, 0, {"x": [0, 0]}),
    "root at 0": ("sum(sqrt({x}))", {"x": [0, 4]}, 2, {"x": [INF, 0.25]}),
    "deviation of equal numbers": (
        "sqrt(mean(({x} - mean({x}))**2))",
        {"x": [2, 2, 2]},
        0,
        {"x": [0, 0, 0]},
    ),
    "division by a deviation of 0": (
        "sum({x}/(sqrt(mean(({x} - mean({x}))**2)) + 1))",
        {"x": [2, 2]},
        4,
        {"x": [1, 1]},
    ),
    "weight 0 of a root of 0": ("sum({w}*sqrt({x}))", {"w": [0, 1], "x": [0, 4]}, 2, {"x": [0, 0.25]}),
    "a power at 0": ("sum({x}**{y})", {"x": [0, 0], "y": [1, 2]}, 0, {"x": [1, 0], "y": [0, 0]}),
    "acos of a clip": ("sum(acos(clip({x}, -1, 1)))", {"x": [10, -10]}, np.pi, {"x": [0, 0]}),
    "acos of a minimum": ("sum(acos(max(min({x}, 1), -1)))", {"x": [10]}, 0, {"x": [0]}),
    "cross-entropy that is right": (
        "binary_cross_entropy({p}, {t})",
        {"p": [0, 1], "t": [0, 1]},
        0,
        {"p": [0.5, -0.5]},
    ),
    "cross-entropy that is wrong": (
        "binary_cross_entropy({p}, {t})",
        {"p": [0, 1], "t": [1, 0]},
        INF,
        {"p": [-INF, INF]},
    ),
    "entropy": ("-sum({x}*log({x}))", {"x": [0, 1]}, 0, {"x": [INF, -1]}),
    "entropy of what is rectified": (
        "sum(relu({x})*log(relu({x})))",
        {"x": [-1, 0, 1]},
        0,
        {"x": [0, 0, 1]},
    ),
    "entropy of a clip": ("sum(clip({x}, 0, 1)*log(clip({x}, 0, 1)))", {"x": [-1, 2]}, 0, {"x": [0, 0]}),
    "logsumexp of nothing": (
        "logsumexp(log({m}) + {x})",
        {"m": [0, 0], "x": [1, 2]},
        -INF,
        {"m": [0, 0], "x": [0, 0]},
    ),
    "logsumexp of logarithms": ("logsumexp(log({x}))", {"x": [0, 1]}, 0, {"x": [1, 1]}),
    "masked exponentials": ("log(sum({m}*exp({x})))", {"x": [0, 1000], "m": [1, 0]}, 0, {"x": [1, 0]}),
    "a root that is chosen": (
        "sum({y}*where({x} >= 0, sqrt({x}), 0))",
        {"x": [0, 4], "y": [0, 1]},
        2,
        {"x": [0, 0.25], "y": [0, 2]},
    ),
    "a test of x log(x)": ("sum(max(0.5, {x}*log({x})))", {"x": [0, 0.5]}, 1, {"x": [0, 0]}),
    "a test of a mask": (
        "sum(where({m}*exp({x}) + {y}*log({y}) > 0.5, {x}, {y}))",
        {"m": [0, 1], "x": [1000, 0], "y": [0, 1]},
        0,
        {"x": [0, 1], "y": [1, 0]},
    ),
    "a branch not taken that overflows": (
        "sum(where({x} <= 1, exp({x}), {y}))",
        {"x": [800, 0], "y": [2, 3]},
        3,
        {"x": [0, 1], "y": [1, 0]},
    ),
    "a choice in a branch not taken": (
        "sum({y}/where(1 <= {y}, max({x}, {y}**{z}), 2))",
        {"x": [1, 2], "y": [-2, 4], "z": [0.5, 1.5]},
        -0.5,
        {"x": [0, 0], "y": [0.5, -0.0625], "z": [0, -np.log(4) / 2]},
    ),
    "a choice in a branch not taken, of one variable": (
        "sum(where(1 <= {y}, max({x}, {y}**1.5), 3))",
        {"x": [1], "y": [-2]},
        3,
        {"x": [0], "y": [0]},
    ),
    "a root of a branch not taken, used twice": (
        "sum(where({y} >= 1, exp(sqrt({y}))*sqrt({y}) + exp(sqrt({y})), {x}))",
        {"x": [1], "y": [-2]},
        1,
        {"x": [1], "y": [0]},
    ),
    "tanh of a pole": ("sum(tanh({x}/{y}**4))", {"x": [0.5], "y": [0]}, 1, {"x": [0], "y": [0]}),
    "exp that falls at a pole": ("sum(exp(-1/{x}**2))", {"x": [0]}, 0, {"x": [0]}),
    "tanh of a pole beside another pole": (
        "sum(tanh({x}/{y})*{y}/{z})",
        {"x": [0.5], "y": [0], "z": [2]},
        0,
        {"x": [0], "y": [0.5], "z": [0]},
    ),
    "acos of tanh of a pole": (
        "sum(acos(tanh({y}/{x}))*({x}/2.5 + {x}/{y}))",
        {"x": [0], "y": [2]},
        0,
        {"x": [0], "y": [0]},
    ),
    "exp that rises at a pole": ("sum(exp(1/{x}))", {"x": [0]}, INF, {"x": [-INF]}),
    "sigmoid of a pole": ("sum(sigmoid(1/{x}))", {"x": [0]}, 1, {"x": [0]}),
    "exp of log": ("sum(exp(log({x})))", {"x": [-1]}, NAN, {"x": [NAN]}),
    "exp of a multiple of log": ("sum(exp(2*log({x})))", {"x": [-1]}, NAN, {"x": [NAN]}),
    "a root squared": ("sum(sqrt({x})**2)", {"x": [-1]}, NAN, {"x": [NAN]}),
    "a root of a cube": ("sum(({x}**3)**(1/3))", {"x": [0, 8]}, 8, {"x": [1, 1]}),
    "a steep root of a cube": ("sum(({x}**3)**(1/6))", {"x": [0, 4]}, 2, {"x": [INF, 0.25]}),
    "a root of a negative cube": ("sum(({x}**3)**(1/3))", {"x": [-8]}, NAN, {"x": [NAN]}),
    "two roots": ("sum({x}**0.5*{x}**0.5)", {"x": [-2]}, NAN, {"x": [NAN]}),
    "two roots inside": ("sum({x}**0.5*{x}**0.5)", {"x": [0, 2]}, 2, {"x": [1, 1]}),
    "a root of squares squared": ("sqrt(sum({x}**2))**2", {"x": [0, 3]}, 9, {"x": [0, 6]}),
    "cos of acos": ("sum(cos(acos({x})))", {"x": [2]}, NAN, {"x": [NAN]}),
    "softplus of log": ("sum(softplus(log({x})))", {"x": [0, 1]}, np.log(2), {"x": [1, 0.5]}),
    "exponentials that overflow": ("sum(exp({x})/exp({y}))", {"x": [1000], "y": [999]}, np.e, {"x": [np.e]}),
    "log of 1 - tanh²": ("sum(log(1 - tanh({x})**2))", {"x": [30]}, -58.61370563888011, {"x": [-2]}),
    "a smooth sum at a tie": (
        "sum(max({x}, {y}) + min({x}, {y}))",
        {"x": [2], "y": [2]},
        4,
        {"x": [1], "y": [1]},
    ),
    "a smooth product at a tie": (
        "sum(max({x}, {y})*min({y}, {x}))",
        {"x": [-2], "y": [-2]},
        4,
        {"x": [-2], "y": [-2]},
    ),
    "a tie": ("sum(max({x}, {y}))", {"x": [2, 3], "y": [2, 4]}, 6, {"x": [0.5, 0], "y": [0.5, 1]}),
    "the largest of one": ("sum(max({x}, axis=0, keepdims=true))", {"x": [3]}, 3, {"x": [1]}),
}


def spec_of(rows: Mapping[str, Row]) -> dict[str, Any]:
    """All rows at once, each with inputs of its own."""
    equations, inputs = {}, {}
    for number, (text, given, _, _) in enumerate(rows.values()):
        equations[f"f{number}"] = text.format(**{name: f"{name}{number}" for name in given})
        inputs |= {f"{name}{number}": [len(values)] for name, values in given.items()}
    spec = {"name": "policies", "dtype": "float64", "inputs": inputs, "equations": equations}
    return {**spec, "loss": " + ".join(equations), "outputs": list(equations), "gradients": list(inputs)}


COMPILED = dict(one_in(3, ROWS.items()))
"""A third of the rows, others for each state of the sources: they differ in formulas, which compile alike."""


@pytest.mark.parametrize(
    ("rows", "loaded"), [(COMPILED, load), (ROWS, interpreted)], ids=["compiled", "by Python"]
)
def test_every_row_of_the_policy(
    rows: dict[str, Row], loaded: Callable[[Path], ModuleType], tmp_path: Path
) -> None:
    module = loaded(written(spec_of(rows), tmp_path))
    data = [values for _, given, _, _ in rows.values() for values in given.values()]
    with np.errstate(all="ignore"):
        values = module.forward((), *data)
        gradients = module.input_gradients((), *data)
    for number, (name, (_, _, value, slopes)) in enumerate(rows.items()):
        np.testing.assert_allclose(values[number], value, rtol=1e-14, atol=1e-15, err_msg=name)
        for tensor, slope in slopes.items():
            got = getattr(gradients, f"{tensor}{number}")
            np.testing.assert_allclose(got, slope, rtol=1e-13, atol=1e-15, err_msg=f"{name}: {tensor}")


@pytest.mark.parametrize("name", ROWS)
def test_the_judge_follows_the_same_policy(name: str) -> None:
    _, given, value, _ = ROWS[name]
    model = expand(read(spec_of({name: ROWS[name]})))
    arrays = {f"{tensor}0": np.array(values, dtype=float) for tensor, values in given.items()}
    np.testing.assert_allclose(float(interpret(model, arrays).loss), value, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("arithmetic", [FIFTY_DIGITS, EXTENDED, DOUBLE], ids=lambda a: a.name)
def test_products_with_0_are_0_in_every_arithmetic(arithmetic: Any) -> None:
    with np.errstate(invalid="ignore"):
        zero, infinite, nothing = (arithmetic.array(np.array([v])) for v in (0.0, -INF, NAN))
        assert product(zero, infinite)[0] == 0
        assert product(infinite, zero)[0] == 0
        assert product(infinite, infinite)[0] == INF
        undefined = product(zero, nothing)[0]
    assert undefined != undefined


HIDING = {
    "f1": "max(a, b)",
    "f2": "min(b, a)",
    "f3": "max(a, 2)",
    "f4": "min(2, a)",
    "f5": "max(a, 3 * a)",
    "f6": "relu(a)",
    "f7": "clip(a, -1, 1)",
    "f8": "max(a, max(b, 0))",
    "f9": "max(a) + 0 * b",
    "f10": "min(b) - 0 * a",
    "f11": "logsumexp(a) + b",
}
"""Choices among numbers, some of which are none."""


def test_no_choice_hides_what_is_no_number() -> None:
    """As NumPy's maximum: in every arithmetic of the judge and in every target."""
    x, y = np.array([-1, 1, -1, 0.1]), np.array([1, -1, -1, 2.0])
    data, w = {"x": x, "y": y}, np.ones(4)
    spec = {
        "name": "hiding",
        "dtype": "float64",
        "inputs": {"x": [4], "y": [4]},
        "parameters": {"w": [4]},
        "equations": {"a": "log(x)", "b": "log(y)", **HIDING},
        "outputs": list(HIDING),
        "loss": f"sum(w * ({' + '.join(HIDING)}))",
    }
    stages = stages_of(read(spec))
    module = in_memory(stages.text)
    params = module.unflatten(w.copy())
    in_python = InPython(stages.in_python, module)
    with np.errstate(all="ignore"):
        in_python.loss_and_grad(params, x, y)
        found = {"numba": module.forward(params, x, y), "python": in_python.forward(params, x, y)}
        found |= {
            a.name: interpret(stages.model, {**data, "w": w}, a).outputs
            for a in (DOUBLE, EXTENDED, FIFTY_DIGITS)
        }
        a, b = np.log(x), np.log(y)
        pair, each, every = np.isnan(a + b), np.isnan(a), np.full(4, True)
    model = onnx_model(stages.model, stages.in_order, {"w": w}, {}, {})
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found["onnx"] = session.run(None, data)
    right = [*[pair] * 2, *[each] * 5, pair, *[every] * 3]
    for where, answers in found.items():
        for name, answer, undefined in zip(HIDING, answers, right, strict=True):
            assert np.array_equal(np.isnan(np.asarray(answer, float)), undefined), (where, name)


@pytest.mark.parametrize(
    "name",
    [
        *("norm of 0", "acos of a clip", "entropy", "two roots", "exp of log", "a tie"),
        *("a root of a cube", "a root that is chosen", "a test of x log(x)", "a test of a mask"),
        *("a choice in a branch not taken", "tanh of a pole", "exp that falls at a pole"),
        "acos of tanh of a pole",
    ],
)
def test_guarded_modules_are_identical_to_their_specs(name: str) -> None:
    spec = read(spec_of({name: ROWS[name]}))
    assert identity_of(expand(spec), module_text(spec)).state in ("identical", "agrees")


NOT_TAKEN: dict[str, tuple[dict[str, str], float, float]] = {
    "a root": ({"h": "sqrt(y)", "g": "exp(h)", "f": "where(y >= 1, g*h + g, x)"}, -2, 1.0),
    "a logarithm of a logarithm": ({"h": "log(y)", "g": "log(h)", "f": "where(y > 1, g*h + g, x)"}, 0.5, 1.0),
    "overflow": ({"h": "exp(y)", "g": "h*h + h", "f": "where(y <= 1, g*h + g, x)"}, 800, 1.0),
    "overflow of a square": ({"h": "y*y", "g": "cosh(h)", "f": "where(y <= 1, g*h + g, x)"}, 1e200, 1.0),
    "a pole": ({"h": "1/y", "g": "sin(h)", "f": "where(y > 0, g*h + g, x)"}, 0, 1.0),
    "a choice of a choice": ({"h": "where(y > 1, exp(y), 1)", "f": "where(y < 3, h*h + h, x)"}, 800, 1.0),
}
"""Equations, a y at which their branch with y is not taken, and the slope of the other one by x."""


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_a_branch_not_taken_gives_a_slope_of_0_through_the_equations_before_it(
    name: str, tmp_path: Any
) -> None:
    equations, y, slope = NOT_TAKEN[name]
    spec = {"name": "not_taken", "dtype": "float64", "inputs": {"x": [], "y": []}, "equations": equations}
    module = interpreted(written({**spec, "loss": "f", "gradients": ["x", "y"]}, tmp_path))
    with np.errstate(all="ignore"):
        assert tuple(module.input_gradients((), 1.0, float(y))) == (slope, 0)


PAIRS = {
    "name": "pairs",
    "dtype": "float64",
    "inputs": {"x": ["n", 4]},
    "targets": {"t": ["n", 2]},
    "equations": {"h": "dense(x, 2)", "A[i,j]": "sqrt(sum((h[i,k] - h[j,k])**2, k))"},
    "loss": "mean(A) + mse(h, t)",
}


def test_distances_of_pairs_pass_the_judge(tmp_path: Any) -> None:
    report = judged(PAIRS, tmp_path, compiled=False)
    assert report.passed, report.failures


def stepped(optimizer: Any, gradient: list[float], folder: Any, **train: Any) -> np.ndarray:
    """Two parameters of 1 after one step."""
    spec = {
        "name": "step",
        "dtype": "float64",
        "inputs": {"x": ["n", 2]},
        "parameters": {"w": {"axes": [2], "init": 1.0}},
        "equations": {"y": "x @ w"},
        "loss": "sum(y)",
        "train": {"optimizer": optimizer, **train},
    }
    module = interpreted(written(spec, folder))
    params = module.init_params()
    with np.errstate(over="ignore"):
        module.train_step(params, module.init_state(params), [gradient])
    return np.array(params.w)


@pytest.mark.parametrize("size", [1e200, 1e307, 1.0, 0.01])
def test_clipping_bounds_gradients_of_every_size(size: float, tmp_path: Any) -> None:
    after = stepped("sgd(learning_rate=1)", [3 * size, 4 * size], tmp_path, clip_norm=1.0)
    expected = np.array([3, 4]) / 5 if size >= 1 else np.array([3, 4]) * size
    np.testing.assert_allclose(1 - after, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "adagrad"])
def test_without_eps_a_parameter_without_a_gradient_stays(name: str, tmp_path: Any) -> None:
    after = stepped(f"{name}(learning_rate=0.1, eps=0)", [0, 1], tmp_path)
    assert after[0] == 1
    assert np.isfinite(after[1])


# The parts ------------------------------------------------------------------------------------

INDEX = index_symbol("i")
X, Y, S = Entry("x", (INDEX,)), Entry("y", (INDEX,)), Entry("s")
LOOP = Loop(INDEX, Axis("n", None))
KNOWN = Bounds(
    {
        "s": Equation("s", (), (LOOP,), "sum", X**2),
        "e": Equation("e", (), (LOOP,), "sum", sp.exp(X)),
        "v": Equation("v", (), (), "none", S + sp.Rational(1, 100)),
    }
)


def test_signs_are_proved_through_equations() -> None:
    assert KNOWN.nonnegative(S)
    assert not KNOWN.positive(S)
    assert KNOWN.positive(Entry("e"))
    assert KNOWN.positive(sp.sqrt(Entry("v")))
    assert not KNOWN.nonnegative(X)
    assert not KNOWN.nonnegative(X**3)
    assert KNOWN.nonnegative(X**4 * sp.sqrt(Y))
    assert KNOWN.positive(1 + S * sigmoid(X))
    assert KNOWN.where(X > 0).positive(X)
    assert not KNOWN.where(sp.And(Y < 2, sp.Ne(X, 0))).nonzero(X * S)
    assert KNOWN.where(sp.Ne(X, 0)).nonzero(-3 * X**2)
    assert not KNOWN.where(sp.Ne(X, 0)).positive(X)


def test_only_products_with_a_pole_are_guarded() -> None:
    assert guarded_derivative(X * Y / Entry("e"), KNOWN) == X * Y / Entry("e")
    assert guarded_derivative(X / sp.sqrt(Entry("v")), KNOWN) == X / sp.sqrt(Entry("v"))
    assert guarded_derivative(X / S, KNOWN) == Piecewise((0, sp.Eq(X, 0)), (X / S, True))
    assert guarded_derivative(1 / S, KNOWN) == 1 / S
    assert guarded_derivative(X * Y, KNOWN, Doubts(steep={"y"})) == Piecewise((0, sp.Eq(X, 0)), (X * Y, True))
    mean = Piecewise((0, sp.Eq(S, 0)), (X / S, True))
    assert guarded_derivative(mean, KNOWN) == mean
    assert guarded_derivative(X * Piecewise((1 / S, Y < 0), (0, True)), KNOWN) == Piecewise(
        (Piecewise((0, sp.Eq(X, 0)), (X / S, True)), Y < 0), (0, True)
    )
    choice = Piecewise((0, Y < 0), (1, True))
    assert guarded_derivative(choice / S, KNOWN) == Piecewise((0, Y < 0), (1 / S, True))


@pytest.mark.parametrize("formula", ["c*log(x)", "c*exp(x)", "x**c", "sqrt(x)*c", "log(c)*log(x)"])
def test_constants_that_are_not_0_are_not_asked_whether_they_are(formula: str) -> None:
    spec = {"name": "block", "dtype": "float64", "inputs": {"x": [3]}, "equations": {"f": formula}}
    spec |= {"loss": "sum(f)", "gradients": ["x"]}
    guards = [
        re.search(r"c\[\w+\] == real\(0\)", module_text(read({**spec, "constants": {"c": [2, 3, last]}})))
        for last in (4, 0)
    ]
    assert not guards[0]
    assert guards[1] or "log(c)" in formula


def test_an_eps_keeps_a_step_as_it_is() -> None:
    assert guarded_step(X / (sp.sqrt(Y) + sp.Rational(1, 10**8))) == X / (sp.sqrt(Y) + sp.Rational(1, 10**8))
    assert guarded_step(X / sp.sqrt(Y)) == Piecewise((0, sp.Eq(X, 0)), (X / sp.sqrt(Y), True))


def test_a_domain_is_what_stands_under_roots_and_in_logarithms() -> None:
    assert domain(sp.sqrt(X) + sp.log(Y)) == {X, Y}
    assert domain(Piecewise((sp.sqrt(X), X > 0), (0, True))) == frozenset()
    assert forgotten([sp.sqrt(X), sp.sqrt(X)], X) == [X]
    assert forgotten([sp.sqrt(X), X], X ** sp.Rational(3, 2)) == []
    assert sp.diff(within(X**2, Y), X) == within(2 * X, Y)
    assert sp.diff(within(X**2, Y), Y) == 0
