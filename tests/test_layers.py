"""Layers besides the dense one: their names, values, and gradients of parameters that are no weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from corpus import CORPUS

from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

RNG = np.random.default_rng(4)
X = RNG.normal(size=(6, 3))
BASE: dict[str, Any] = {"name": "layers", "dtype": "float64", "inputs": {"x": ["n", 3]}}


def model(**spec: Any) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The parameters with their axes, and the names of the equations."""
    found = expand(read({**BASE, **spec}))
    return {p.name: p.axes for p in found.parameters}, [e.name for e in found.equations]


def test_activations_with_parameters_do_not_count_as_layers() -> None:
    parameters, equations = model(layers=["dense(4)", "prelu", "dense(2, activation=swish(init=2))"])
    assert list(parameters) == ["W1", "b1", "a1", "W2", "b2", "beta2"]
    assert equations == ["Z1", "A1", "Z2", "A2"]
    assert parameters["a1"] == parameters["beta2"] == ()


def test_layers_that_are_no_affine_maps_give_activations() -> None:
    parameters, equations = model(
        layers=["glu(4)", "swiglu(5, bias=false)", "maxout(2, pieces=3)", "dense(1)"]
    )
    assert list(parameters) == ["W1", "b1", "V1", "c1", "W2", "V2", "W3", "b3", "W4", "b4"]
    assert equations == ["Z1", "G1", "A1", "G2", "Z2", "A2", "Z3", "A3", "Z4"]
    assert parameters["W3"][1:] == (3, 2)


def test_parameters_bear_the_name_of_their_equation() -> None:
    parameters, equations = model(
        equations={"h": "dense(x, 4, activation=prelu(per_channel=true))", "y": "swish(h) * swish(glu(h, 4))"}
    )
    assert list(parameters) == ["h_W", "h_b", "h_a", "y_beta1", *(f"y_{p}" for p in "WbVc"), "y_beta2"]
    assert equations == ["h_Z", "h", "y_Z", "y_G", "y_A", "y"]
    assert [len(axes) for axes in parameters.values()] == [2, 1, 1, 0, 2, 1, 2, 1, 0]


@pytest.mark.parametrize("activation", ["prelu", "prelu(init=0.1)", "tanh", "elu(alpha=2)", "identity"])
def test_an_activation_is_short_for_its_call(activation: str) -> None:
    name, _, rest = activation.rstrip(")").partition("(")
    spelled = f"{name}(dense(x, 4){', ' + rest if rest else ''})"
    short, long = (
        read({**BASE, "equations": {"y": y}}) for y in (f"dense(x, 4, activation={activation})", spelled)
    )
    assert expand(short).equations == expand(long).equations
    assert expand(short).parameters == expand(long).parameters


def test_a_users_own_identity_is_called() -> None:
    _, equations = model(layers=["dense(2, activation=identity)"], functions={"identity(z)": "z + 1"})
    assert equations == ["Z1", "A1"]
    assert model(layers=["dense(2)"], functions={"identity(z)": "z + 1"})[1] == ["Z1"]


def test_a_layer_is_never_built_on_a_users_function() -> None:
    spec = {**BASE, "functions": {"sigmoid(z)": "z"}, "equations": {"y": "glu(x, 2)"}}
    with pytest.raises(
        SpecError, match=r"functions.*'sigmoid' is defined here, but the library's glu is built"
    ):
        expand(read(spec))


@pytest.mark.parametrize(
    ("equation", "problem"),
    [
        ("glu(x, 4, activation=relu)", "glu has no argument 'activation'"),
        ("dense(x, 4, activation=glu(4))", "'glu' is a layer and no activation"),
        ("dense(x, 4, activation=prelu(slope=1))", "prelu has no argument 'slope'"),
        ("prelu(x, per_channel=4)", "expected true or false; write per_channel=false"),
        ("maxout(x, 4, pieces=0)", "'pieces' must be a whole number.*; write pieces=32"),
        (
            "maxout(sum(x), 4)",
            r"maxout takes \[..., in\], 'sum\(x\)' is a scalar; give it a tensor of at least 1 axis",
        ),
        ("prelu(sum(x), per_channel=true)", r"prelu takes \[..., in\], 'sum\(x\)' is a scalar"),
    ],
)
def test_wrong_calls_are_refused_with_their_place(equation: str, problem: str) -> None:
    with pytest.raises(SpecError, match=rf"equations\.y:1:\d+: .*{problem}"):
        module_text(read({**BASE, "equations": {"y": equation}}))


def built(equation: str, folder: Path) -> tuple[ModuleType, Any]:
    """The module of y, whose loss weighs every entry differently, and random parameters of it."""
    loss = {"targets": {"t": ["n", 4]}, "loss": "sum(y*t)", "gradients": ["x"]}
    module = interpreted(written({**BASE, **loss, "equations": {"y": equation}}, folder))
    return module, module.unflatten(RNG.normal(size=module.SIZE))


def sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)))


VALUES = {
    "glu(x, 4)": lambda p: (X @ p.y_W + p.y_b) * sigmoid(X @ p.y_V + p.y_c),
    "glu(x, 4, bias=false)": lambda p: (X @ p.y_W) * sigmoid(X @ p.y_V),
    "swiglu(x, 4)": lambda p: (X @ p.y_W + p.y_b) * sigmoid(X @ p.y_W + p.y_b) * (X @ p.y_V + p.y_c),
    "maxout(x, 4, pieces=3)": lambda p: np.max([X @ p.y_W[:, k] + p.y_b[k] for k in range(3)], axis=0),
    "dense(x, 4, activation=swish)": lambda p: (Z := X @ p.y_W + p.y_b) * sigmoid(p.y_beta * Z),
    "dense(x, 4, activation=prelu(per_channel=true))": lambda p: (
        np.maximum(Z := X @ p.y_W + p.y_b, 0) + p.y_a * np.minimum(Z, 0)
    ),
}


@pytest.mark.parametrize("equation", VALUES)
def test_values_are_those_of_the_formula(equation: str, tmp_path: Path) -> None:
    module, params = built(equation, tmp_path)
    np.testing.assert_allclose(module.forward(params, X), VALUES[equation](params), rtol=1e-13)


def test_pieces_that_tie_share_the_slope(tmp_path: Path) -> None:
    module, params = built("maxout(x, 4, pieces=3)", tmp_path)
    params.y_W[...] = params.y_W[:, :1]
    params.y_b[...] = [[1], [1], [0]]
    weights = np.ones((6, 4))
    _, grads = module.loss_and_grad(params, X, weights)
    np.testing.assert_allclose(grads.y_b, np.full((3, 4), 3) * [[1], [1], [0]])
    slopes = module.input_gradients(params, X, weights).x
    np.testing.assert_allclose(slopes, weights @ params.y_W[:, 0].T)


@pytest.mark.parametrize("per_channel", [False, True])
def test_gradients_of_learned_activations_are_those_of_pytorch(per_channel: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    kinks = {"x": [[0.0, -0.0, 3.0, -3.0], [800.0, -800.0, 40.0, -40.0], [1.0, 2.0, -1.0, -2.0]]}
    weights = RNG.normal(size=(3, 4))
    functions = {
        "prelu": torch.nn.functional.prelu,
        "swish": lambda x, beta: x * torch.sigmoid(beta * x),
    }
    for name, function in functions.items():
        call = f"{name}(x, per_channel={str(per_channel).lower()})"
        spec = {"inputs": {"x": ["n", 4]}, "targets": {"t": ["n", 4]}, "equations": {"y": call}}
        folder = tmp_path / name
        folder.mkdir()
        module = interpreted(written({**BASE, **spec, "loss": "sum(y*t)", "gradients": ["x"]}, folder))
        params = module.unflatten(np.linspace(0.25, 0.75, module.SIZE))
        x, p = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (kinks["x"], params[0]))
        (function(x, p.reshape(-1)) * torch.tensor(weights)).sum().backward()
        _, grads = module.loss_and_grad(params, kinks["x"], weights)
        np.testing.assert_allclose(grads[0], p.grad.numpy(), rtol=1e-12)
        slopes = module.input_gradients(params, kinks["x"], weights).x
        np.testing.assert_allclose(slopes, x.grad.numpy(), rtol=1e-12, atol=1e-300)


def test_every_layer_of_the_library_stands_in_the_corpus() -> None:
    written = [(*spec.get("layers", ()), *spec.get("equations", {}).values()) for spec in CORPUS.values()]
    called = {str(layer).partition("(")[0] for layers in written for layer in layers}
    assert library.layers.keys() - called == set()


def test_a_row_whose_layer_is_applied_to_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match=r"the layer shift\(by=1\): its first argument must be x"):
        library.Layer("shift(by=1)", "definition", formula="by")
