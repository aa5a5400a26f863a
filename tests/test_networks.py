"""Networks as functions: what calls stand for, values and slopes beside NumPy, and errors."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, judged, written
from seeds import SEED

from symgrad.errors import ShapeError, SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.expansion.layers.network_calls import NetworkExpander
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SETS = {"x": ["interior"], "t": ["interior"], "xb": ["boundary"], "tb": ["boundary"], "x0": ["initial"]}
BASE: dict[str, Any] = {"name": "points", "dtype": "float64", "inputs": SETS}
TANH = ["dense(5, activation=tanh)", "dense(1)"]


def equations(spec: dict[str, Any]) -> list[str]:
    return [f"{e.name}: {unparse(e.formula)}" for e in expand(read({**BASE, **spec})).equations]


def parameters(spec: dict[str, Any]) -> list[str]:
    return [p.name for p in expand(read({**BASE, **spec})).parameters]


def test_every_call_is_equations_over_the_same_parameters() -> None:
    spec = {
        "networks": {"u(x, t)": TANH},
        "equations": {"u": "u(x, t)", "r": "d(u(x, t), t) - d(u, x, x)", "ub": "u(xb, 2 * tb)"},
        "loss": "mean(r**2) + mean(ub**2) + mean(u(x0, 0)**2)",
    }
    assert equations(spec) == [
        "u_X: column_stack(x, t)",
        "u_Z1: u_X @ u_W1 + u_b1",
        "u_A1: tanh(u_Z1)",
        "u: u_A1 @ u_W2 + u_b2",
        "r: d(u, t) - d(u, x, x)",
        "ub_t: 2 * tb",
        "ub_X: column_stack(xb, ub_t)",
        "ub_Z1: ub_X @ u_W1 + u_b1",
        "ub_A1: tanh(ub_Z1)",
        "ub: ub_A1 @ u_W2 + u_b2",
        "u_x0_X: column_stack(x0, 0)",
        "u_x0_Z1: u_x0_X @ u_W1 + u_b1",
        "u_x0_A1: tanh(u_x0_Z1)",
        "u_x0: u_x0_A1 @ u_W2 + u_b2",
    ]
    assert parameters(spec) == ["u_W1", "u_b1", "u_W2", "u_b2"]


def test_the_module_is_that_of_the_equations_written_out() -> None:
    short = {
        "networks": {"u(x, t)": TANH},
        "equations": {"u": "u(x, t)", "ub": "u(xb, tb)", "r": "d(u, t) - d(u, x, x)"},
    }
    body = "{0}_Z1 @ u_W1 + u_b1"
    long: dict[str, Any] = {
        "parameters": {"u_W1": [2, 5], "u_b1": [5], "u_W2": [5, 1], "u_b2": [1]},
        "equations": {},
    }
    for name, points in (("u", "x, t"), ("ub", "xb, tb")):
        long["equations"] |= {
            f"{name}_X": f"column_stack({points})",
            f"{name}_Z1": body.format(name).replace("_Z1", "_X", 1),
            f"{name}_A1": f"tanh({name}_Z1)",
            name: f"{name}_A1 @ u_W2 + u_b2",
        }
    long["equations"]["r"] = "d(u, t) - d(u, x, x)"
    loss = {"loss": "mean(r**2) + mean(ub**2)"}
    found, wanted = (stages_of(read({**BASE, **spec, **loss})) for spec in (short, long))
    assert found.derived.equations == wanted.derived.equations
    assert found.derived.gradients == wanted.derived.gradients


def test_networks_are_chains_formulas_and_equations_that_call_others() -> None:
    inner = {"equations": {"h": "dense(column_stack(z), 3, activation=tanh)", "y[n]": "sum(h[n,j], j)"}}
    spec = {
        "parameters": {"k": []},
        "networks": {
            "g(z)": "k * tanh(z * w(z))",
            "w(z)": inner,
            "c(z)": {"layers": [{"residual": ["tanh", "dense(1)"]}]},
        },
        "equations": {"a": "g(x) + g(t)", "b": "c(g(x0)) + c(x0)"},
        "loss": "mean(a) + mean(b)",
    }
    assert parameters(spec) == ["k", "w_h_W", "w_h_b", "c_W2", "c_b2"]
    assert equations(spec)[:5] == [
        "w_x_h_X: column_stack(x)",
        "w_x_h_Z: w_x_h_X @ w_h_W + w_h_b",
        "w_x_h: tanh(w_x_h_Z)",
        "w_x: sum(w_x_h[n, j], j)",
        "g_x: k * tanh(x * w_x)",
    ]


def test_names_stay_apart() -> None:
    spec = {
        "inputs": {"x": ["rows", 3], "n": ["rows", 3], "W": ["rows"]},
        "networks": {"u(v)": {"equations": {"h[n, i:2]": "sum(v[n,k] * A[i,k], k)", "y": "h + 1"}}},
        "parameters": {"A": [2, 3]},
        "equations": {"u": "W", "u_h": "u(n)", "b": "u(x)"},
        "loss": "mean(u_h) + mean(b) + mean(u)",
    }
    assert equations(spec) == [
        "u: W",
        "u_h_h: sum(n[n_2, k] * A[i, k], k)",
        "u_h: u_h_h + 1",
        "b_h: sum(x[n_2, k] * A[i, k], k)",
        "b: b_h + 1",
    ]
    assert module_text(read({**BASE, **spec}))


# Beside NumPy -------------------------------------------------------------------------------


def _columns(*points: Any) -> Any:
    """Numbers, vectors and matrices side by side, as complex numbers."""
    rows = next(len(p) for p in points if np.ndim(p))
    parts = [np.broadcast_to(p, (rows,)) if np.ndim(p) == 0 else p for p in points]
    return np.hstack([p[:, None] if p.ndim == 1 else p for p in parts])


def _layers(params: Mapping[str, Any], name: str, value: Any, depth: int) -> Any:
    for layer in range(1, depth + 1):
        value = value @ params[f"{name}_W{layer}"] + params[f"{name}_b{layer}"]
        value = np.tanh(value) if layer < depth else value
    return value


def _drawn(
    random: Random,
) -> tuple[dict[str, Any], Callable[..., Any], dict[str, Any], dict[str, tuple[Callable[..., Any], Any]]]:
    """A spec of two networks called at points of several sets, its loss in NumPy, its points; the networks
    that stand by themselves, in NumPy, with their arguments.
    """
    rows = dict(zip("abc", random.sample(range(2, 8), 3), strict=True))
    size = random.randint(1, 3)
    inputs: dict[str, list[Any]] = {}
    for number, axis in enumerate("abc"):
        inputs |= {f"p{number}": [axis], f"q{number}": [axis, size]}
    depth, scale = random.randint(1, 3), random.choice((-1, 2))
    chain = [f"dense({random.randint(2, 4)}, activation=tanh)" for _ in range(depth - 1)] + ["dense(2)"]
    forms = [("u(p{0}, q{0})", False), (f"u({scale} * p{{0}}, q{{0}})", True), ("u(3, q{0})", None)]
    terms, parts = [], []
    for number in range(3):
        text, kind = random.choice(forms)
        outer = number == 0 or random.random() < 0.4
        call, factor = text.format(number), random.choice(("1", "cos({})"))
        terms.append(f"mean({f'g({call}, {factor.format(call)})' if outer else call}**2)")
        parts.append((number, kind, factor if outer else ""))
    random.shuffle(terms)
    spec: dict[str, Any] = {
        "name": "drawn",
        "dtype": "float64",
        "inputs": inputs,
        "parameters": {"k": {"axes": [2], "init": "normal(std=1)"}},
        "networks": {"g(v, s)": "k * sin(v) * s + u(v @ M, 0.5 * v @ N)", "u(p, q)": chain},
        "loss": " + ".join(terms),
    }
    spec["parameters"] |= {"M": {"axes": [2, 1], "init": "normal(std=1)"}}
    spec["parameters"] |= {"N": {"axes": [2, size], "init": "normal(std=1)"}}

    def u(params: Mapping[str, Any], p: Any, q: Any) -> Any:
        return _layers(params, "u", _columns(p, q), depth)

    def g(params: Mapping[str, Any], v: Any, s: Any) -> Any:
        return params["k"] * np.sin(v) * s + u(params, v @ params["M"], 0.5 * v @ params["N"])

    def loss(params: Mapping[str, Any], points: Mapping[str, Any]) -> Any:
        total = 0
        for number, kind, factor in parts:
            p, q = points[f"p{number}"], points[f"q{number}"]
            value = u(params, 3 if kind is None else scale * p if kind else p, q)
            if factor:
                value = g(params, value, 1 if factor == "1" else np.cos(value))
            total += np.mean(value**2)
        return total

    numbers = np.random.default_rng(random.randrange(2**32))
    points = {
        name: numbers.normal(size=(rows[str(axis)], *others)) for name, (axis, *others) in inputs.items()
    }
    has_tensors = any(factor.startswith("cos") for *_, factor in parts)
    alone = {"u": (u, "pq"), **({"g": (g, "vs")} if has_tensors else {})}
    return spec, loss, points, alone


def _beside_numpy(spec: Any, loss: Callable[..., Any], points: Mapping[str, Any], folder: Path) -> Any:
    """Hold loss and gradient to those of NumPy, by complex steps; the module and its parameters."""
    module = interpreted(written(spec, folder))
    params = module.init_params(3)
    found, gradient = module.loss_and_grad(params, *points.values())
    numbers = {name: np.asarray(value, complex) for name, value in params._asdict().items()}
    np.testing.assert_allclose(found, loss(numbers, points).real, rtol=1e-12)
    for name, value in numbers.items():
        slopes = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            moved = value.copy()
            moved[place] += 1e-30j
            slopes[place] = loss({**numbers, name: moved}, points).imag / 1e-30
        np.testing.assert_allclose(getattr(gradient, name), slopes, rtol=1e-9, atol=1e-12)
    return module, params


@pytest.mark.filterwarnings("ignore::symgrad.errors.SpecWarning")
@pytest.mark.parametrize("number", range(6))
def test_values_and_slopes_are_those_of_numpy(number: int, tmp_path: Path) -> None:
    random = Random(f"{SEED} {number}")
    spec, loss, points, alone = _drawn(random)
    module, params = _beside_numpy(spec, loss, points, tmp_path)
    assert {name for name in ("u", "g") if hasattr(module, name)} == {*alone}
    for name, (network, arguments) in alone.items():
        shapes = [module.AXES[f"{argument} of {name}"][1:] for argument in arguments]
        for rows in (1, random.randint(2, 30)):
            module._KEPT.work = np.full(10_000, np.nan)  # what nothing may read before it is written
            given = [np.random.default_rng(rows).normal(size=(rows, *shape)) for shape in shapes]
            wanted = network(params._asdict(), *given)
            np.testing.assert_allclose(getattr(module, name)(params, *given), wanted, rtol=1e-12, atol=1e-14)
            np.testing.assert_array_equal(
                getattr(module, name)(module.flatten(params), *given), getattr(module, name)(params, *given)
            )


def _turned(self: NetworkExpander, values: Any, name: str, at: Any) -> Any:
    return COLUMNS(self, values[::-1], name, at)


def _of_its_own(self: NetworkExpander, call: Any, network: Any, name: str) -> Any:
    if not self.alike:
        self.bodies.pop(network.name, None)
    return INSTANCE(self, call, network, name)


COLUMNS, INSTANCE = NetworkExpander._columns, NetworkExpander._instance
FAULTS = {
    "arguments in another order": ("_columns", _turned),
    "parameters of its own": ("_instance", _of_its_own),
}


@pytest.mark.filterwarnings("ignore::symgrad.errors.SpecWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NetworkExpander, *FAULTS[fault])
    with pytest.raises((AssertionError, KeyError, ShapeError)):
        _beside_numpy({**RESIDUAL, "name": f"faulty_{FAULTS[fault][0]}"}, _residual_loss, POINTS, tmp_path)


def _residual(params: Any, x: Any, t: Any) -> Any:
    """u_t - u_xx + u u_x of tanh([x, t] W1 + b1) W2 + b2, by hand."""
    h = np.tanh(_columns(x, t) @ params["u_W1"] + params["u_b1"])
    by_x, by_t = params["u_W1"]
    u, slope = h @ params["u_W2"] + params["u_b2"], 1 - h**2
    return (slope * by_t + 2 * h * slope * by_x**2) @ params["u_W2"] + u * ((slope * by_x) @ params["u_W2"])


RESIDUAL: dict[str, Any] = {
    **BASE,
    "inputs": {name: SETS[name] for name in ("x", "t", "xb", "tb")},
    "networks": {"u(x, t)": TANH},
    "equations": {"u": "u(x, t)", "r": "d(u(x, t), t) - d(u, x, x) + u * d(u, x)"},
    "loss": "mean(r**2) + 3 * mean(u(xb, tb)**2)",
    "outputs": ["u"],
}


RNG = np.random.default_rng(2)
POINTS = {name: RNG.normal(size=size) for name, size in (("x", 7), ("t", 7), ("xb", 3), ("tb", 3))}


def _residual_loss(params: Mapping[str, Any], points: Mapping[str, Any]) -> Any:
    edge = _layers(params, "u", _columns(points["xb"], points["tb"]), 2)
    return np.mean(_residual(params, points["x"], points["t"]) ** 2) + 3 * np.mean(edge**2)


def test_a_residual_is_that_of_the_network_by_hand(tmp_path: Path) -> None:
    module, params = _beside_numpy(RESIDUAL, _residual_loss, POINTS, tmp_path)
    wanted = _layers(params._asdict(), "u", _columns(POINTS["x"], POINTS["t"]), 2)
    np.testing.assert_allclose(module.forward(params, *POINTS.values()), wanted, rtol=1e-12)


ITSELF = {"u(x, t)": "v(x) + t", "v(z)": "u(z, z)"}
SAME = {"u(x, t)": {"equations": {"x": "t", "y": "x"}}}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"equations": {"a": "u(x)"}}, "u takes 2 arguments, got 1", "write u(x, t)"),
    (
        {"equations": {"a": "u(x, t=t)"}},
        "a network takes no argument by name, as 't' is given",
        "write u(x, t)",
    ),
    ({"equations": {"a": "v(x, t)"}}, "unknown function 'v'", ""),
    (
        {"equations": {"a": "x"}, "loss": "mean(a)"},
        "nothing calls the network 'u'",
        "write u(x, t) in an equation",
    ),
    ({"equations": {"a[n]": "u(x, t)"}}, "u cannot stand in index notation", "give the call an equation"),
    ({"equations": {"a": "u(x, tb)"}}, "column_stack cannot join [interior, 1] and [boundary, 1]", "same"),
    ({"equations": {"a": "u(1, 2)"}}, "column_stack of single numbers", "[batch]"),
    ({"equations": {"a": "u(x, t)", "b": "u(column_stack(x, t), t)"}}, "cannot", ""),
    ({"networks": {"u(x, t)": "u(t, x)"}}, "the network 'u' calls itself: u -> u", "without recursion"),
    (
        {"networks": ITSELF},
        "calls itself: u -> v -> u",
        "without recursion",
    ),
    (
        {"networks": {"u(x, t)": "x * xb"}},
        "the network 'u' reads 'xb', which is no argument",
        "u(x, t, xb)",
    ),
    ({"networks": {"u(x, x)": "x"}}, "the arguments of a network are different names", "u(x, t)"),
    ({"networks": {"u": "x"}}, "'u' is no network with arguments", "u(x, t)"),
    ({"networks": {"u()": "1"}}, "'u()' is no network with arguments", "u(x, t)"),
    ({"networks": {"tb(x, t)": TANH}}, "the network 'tb' has the name of the input", "another name"),
    ({"networks": {"tanh(x, t)": TANH}}, "'tanh' is a function of the language", "another name"),
    ({"networks": {"dense(x, t)": TANH}}, "'dense' is a function of the library", "dense_net"),
    ({"networks": {"d(x, t)": TANH}}, "'d' is the derivative", "d_net"),
    ({"networks": {"u(x, t)": {}}}, "a network of neither layers nor equations", "layers: ["),
    (
        {"networks": SAME},
        "'x' has the name of the argument",
        "another",
    ),
    ({"networks": {"u(x, t)": {"equations": {"y": "t + zz"}}}}, "unknown name 'zz'", ""),
    ({"functions": {"f(a)": "u(a, a)"}}, "the network 'u' cannot stand in a function", "in an equation"),
    ({"networks": {"u(x, t)": TANH, "u(x)": TANH}}, "the network 'u' stands twice", "another name"),
]


@pytest.mark.parametrize(("change", "problem", "remedy"), REFUSED)
def test_what_is_wrong_is_said_with_its_place(change: dict[str, Any], problem: str, remedy: str) -> None:
    spec = {**BASE, "networks": {"u(x, t)": TANH}, "equations": {"a": "u(x, t)"}, **change}
    with pytest.raises((SpecError, ShapeError)) as error:
        module_text(read({"loss": "mean(a)", **spec}))
    assert problem in str(error.value)
    assert remedy in str(error.value)
    assert str(error.value).startswith("<dict>.")


def test_a_call_of_other_sizes_is_refused_where_it_stands() -> None:
    spec = {**BASE, "inputs": {"x": ["n", 2], "z": ["m", 3]}, "networks": {"u(x)": TANH}}
    spec |= {"equations": {"a": "u(x)", "b": "u(z)"}, "loss": "mean(a) + mean(b)"}
    told = r"<dict>\.equations\.b:1:1: '@' cannot contract \[m, 3\] with \[2, 5\]"
    with pytest.raises(ShapeError, match=told):
        module_text(read(spec))


def test_layers_of_networks_are_looked_at_as_others_are() -> None:
    for body in (["layer_norm(eps=-1)", "dense(1)"], "dense(layer_norm(column_stack(x), eps=-1), 1)"):
        with pytest.raises(SpecError, match="eps"):
            expand(read({**BASE, "networks": {"u(x)": body}, "equations": {"a": "u(x)"}, "loss": "mean(a)"}))


def test_the_judge_takes_and_tells_it(tmp_path: Path) -> None:
    assert judged(RESIDUAL, tmp_path, compiled=False).passed


# By themselves -----------------------------------------------------------------------------


def alone(spec: dict[str, Any]) -> list[str]:
    return [str(network) for network in expand(read({**BASE, **spec})).networks]


CALLS = [
    ("u(x, t)", ["u(x, t)"]),
    ("u(x, 0)", []),
    ("u(x, x)", []),
    ("u(x, 0 * k)", ["u(x, t)"]),
    ("u(2 * x, k)", ["u(x, t)"]),
    ("u(x, 0) + u(t, x)", ["u(x, t)"]),
]


@pytest.mark.parametrize(("call", "found"), CALLS)
def test_a_network_stands_by_itself_where_a_call_gives_it_tensors(call: str, found: list[str]) -> None:
    spec = {"parameters": {"k": []}, "networks": {"u(x, t)": "x * t"}, "equations": {"y": call}}
    assert alone({**spec, "loss": "mean(y)"}) == found


def test_what_draws_in_inference_has_no_value_of_its_own_and_training_is_left_out(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "networks": {
            "u(z)": ["dense(4)", "dropout(0.5)", "dense(1)"],
            "w(z)": "z + normal(like=z)",
            "v(z)": "training(3 * z, z * a)",
        },
        "parameters": {"a": {"axes": [], "init": 2}},
        "equations": {"y": "u(x)", "s": "w(x)", "m": "v(x)"},
        "loss": "mean(y**2) + mean(s) + mean(m)",
    }
    assert alone(spec) == ["u(z)", "v(z)"]
    module = interpreted(written({**BASE, **spec}, tmp_path))
    params, x = module.init_params(), np.linspace(-1, 1, 5)
    np.testing.assert_allclose(module.v(params, x), 2 * x)
    hidden = x[:, None] @ params.u_W1 + params.u_b1
    np.testing.assert_allclose(module.u(params, x), hidden @ params.u_W2 + params.u_b2, rtol=1e-13)


def test_rows_sizes_labels_and_images_are_those_of_a_call(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "inputs": {
            "i": {"axes": ["n"], "classes": 3},
            "p": ["n", 4, 4, 1],
            "s": ["T", 2],
            "fixed": [2, 2],
        },
        "networks": {
            "e(word)": ["embedding(2)", "dense(1)"],
            "c(image)": ["conv2d(2, kernel=3)", "flatten", "dense(1)"],
            "step(now, later)": "later - now * k",
            "late(z)": "z**2",
        },
        "parameters": {"k": {"axes": [2], "init": "uniform(limit=1)"}},
        "equations": {
            "a": "e(i)",
            "b": "c(p)",
            "m": "step(s[:-1], s[1:])",
            "f": "late(fixed)",
            "g": "late(s)",
        },
        "loss": "mean(a * b) + mean(m**2) + mean(f) + mean(g)",
    }
    path = written({**BASE, **spec}, tmp_path)
    module = interpreted(path)
    params, numbers = module.init_params(1), np.random.default_rng(0)
    image = numbers.normal(size=(3, 4, 4, 1))
    words, steps, fixed = np.array([2, 0, 2]), numbers.normal(size=(6, 2)), numbers.normal(size=(2, 2))
    np.testing.assert_allclose(module.step(params, steps[:-1], steps[1:]), steps[1:] - steps[:-1] * params.k)
    np.testing.assert_allclose(module.late(params, steps), steps**2)
    by_row = [module.e(params, words[place : place + 1]) for place in range(3)]
    np.testing.assert_allclose(module.e(params, words), np.concatenate(by_row))
    assert module.c(params, image).shape == (3, 1)
    for given, problem in (([3], "word of e: the entry at [0] is 3"), ([[1]], "word of e: expected shape")):
        with pytest.raises(ValueError, match=re.escape(problem)):
            module.e(params, given)
    with pytest.raises(ValueError, match=re.escape("later of step: expected")):
        module.step(params, steps, fixed)
    assert judged({**BASE, **spec}, tmp_path, compiled=False).passed


def test_networks_stand_beside_pieces_of_a_batch(tmp_path: Path) -> None:
    pieces = {**RESIDUAL, "name": "pieces", "train": {"batch_size": "full", "micro_batch_size": 3}}
    assert judged(pieces, tmp_path, compiled=False).passed


@pytest.mark.parametrize("name", ["predict", "list", "np", "SIZE", "view", "Params"])
def test_a_name_that_a_module_needs_is_refused(name: str) -> None:
    spec = {**BASE, "networks": {f"{name}(x)": TANH}, "equations": {"a": f"{name}(x)"}, "loss": "mean(a)"}
    with pytest.raises(SpecError, match=rf"a module has '{name}' of its own.*'{name}_net'"):
        module_text(read(spec))


WRONG = {
    "another number": ("_u_network_results, params, (", "_u_network_results, 1.5 * flatten(params), ("),
    "another row": ('("x of u", "t of u"), (x, t)', '("x of u", "t of u"), (x[::-1], t)'),
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_judge_sees_a_wrong_one(fault: str, tmp_path: Path) -> None:
    before, after = WRONG[fault]
    report = judged(RESIDUAL, tmp_path, lambda text: text.replace(before, after), compiled=False)
    assert not report.passed
