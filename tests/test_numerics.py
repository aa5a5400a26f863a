"""Numbers that are easily got wrong: kinks, overflow, cancellation, ties, first steps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.compiler.loading.load import load
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from types import ModuleType

LOG2 = float(np.log(2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """New folders for modules."""
    numbers = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"numerics{next(numbers)}")


# Formulas of their own input each, summed into one loss and compiled once: input, value, gradient.
FORMULAS: dict[str, tuple[str, list[float], float, list[float]]] = {
    "the other branch is never evaluated": ("sum(where({x} > 0, sqrt({x}), {x}))", [-1, -4], -5, [1, 1]),
    "log2 in one branch": (
        "sum(where({x} > 2, log({x})/log(2), 2*{x}))",
        [0, 2, 3],
        4 + np.log2(3),
        [2, 2, 0.4808983469629878],
    ),
    "a norm squared at 0": ("sqrt(sum({x}**2))**2", [0, 0], 0, [0, 0]),
    "relu at 0": ("sum(relu({x}))", [0, -1, 2], 2, [0, 0, 1]),
    "relu as a maximum": ("sum(max({x}, 0))", [0, -1, 2], 2, [0, 0, 1]),
    "relu as a choice": ("sum(where({x} > 0, {x}, 0))", [0, -1, 2], 2, [0, 0, 1]),
    "relu by absolute values": ("sum(({x} + abs({x}))/2)", [0, -1, 2], 2, [0, 0, 1]),
    "an absolute value at 0": ("sum(abs({x}))", [0, -3], 3, [0, -1]),
    "softplus": ("sum(softplus({x}))", [100], 100, [1]),
    "softplus far left": ("sum(softplus({x}))", [-40], 4.248354255291589e-18, [4.248354255291589e-18]),
    "softplus written out": ("sum(log(1 + exp({x})))", [1000, -40], 1000, [1, 4.248354255291589e-18]),
    "swish": ("sum(silu({x}))", [-400], -400 * np.exp(-400.0), [-7.6415266908888827e-172]),
    "swish written out": (
        "sum({x}/(1 + exp(-{x})))",
        [-400],
        -400 * np.exp(-400.0),
        [-7.6415266908888827e-172],
    ),
    "log of a small sum": ("sum(log(1 + {x}))", [1e-20], 1e-20, [1]),
    "a node used twice": ("sum(2*(3*{x}) + 5*(3*{x}))", [2], 42, [21]),
    "binary cross-entropy": (
        "sum(-(1 - 0)*log(1 - 1/(1 + exp(-{x}))))",
        [-100, 0],
        LOG2,
        [3.720075976020836e-44, 0.5],
    ),
    "what grows over what grows": ("sum({x} * softsign({x}))", [1e200, -1e200], 2e200, [1, -1]),
    "what grows times what falls": ("sum({x} * mish({x}))", [-1e200], 0, [0]),
    "a quotient squared": ("sum(({x} / (2 + abs({x})))**2)", [1e200], 1, [0]),
    "a constant near the largest number": ("sum({x} / (2 + {x}) * 8e307)", [8], 6.4e307, [1.6e306]),
}


@pytest.fixture(scope="module")
def formulas(folder: Any) -> ModuleType:
    """All formulas at once."""
    equations = {f"f{n}": text.format(x=f"x{n}") for n, (text, *_) in enumerate(FORMULAS.values())}
    inputs = {f"x{n}": [f"n{n}"] for n in range(len(FORMULAS))}
    spec = {
        "name": "formulas",
        "dtype": "float64",
        "inputs": inputs,
        "equations": equations,
        "loss": " + ".join(equations),
        "outputs": list(equations),
        "gradients": list(inputs),
    }
    return load(written(spec, folder()))


def test_formulas_have_their_values_and_slopes(formulas: ModuleType) -> None:
    data = [x for _, x, _, _ in FORMULAS.values()]
    values = formulas.forward(formulas.init_params(), *data)
    slopes = formulas.input_gradients(formulas.init_params(), *data)
    for (name, (_, _, value, slope)), got, gradient in zip(FORMULAS.items(), values, slopes, strict=True):
        np.testing.assert_allclose(got, value, rtol=4e-15, err_msg=name)
        np.testing.assert_allclose(gradient, slope, rtol=4e-15, err_msg=name)


def slopes_of(loss: str, data: list[float], folder: Any, dtype: str = "float64") -> tuple[float, np.ndarray]:
    """A loss of one vector, and its gradient."""
    spec = {"name": "f", "dtype": dtype, "inputs": {"x": ["n"]}, "equations": {"f": loss}, "loss": "f"}
    module = interpreted(written({**spec, "gradients": ["x"]}, folder()))
    return module.loss((), data), module.input_gradients((), data).x


@pytest.mark.parametrize("loss", ["max(x)", "min(x)", "sum(max(x, 1))", "sum(min(x, 1))"])
def test_weights_at_a_tie_are_shares(loss: str, folder: Any) -> None:
    _, slope = slopes_of(loss, [1, 1], folder)
    assert (slope >= 0).all()
    assert (slope <= 1).all()
    if "sum" not in loss:
        assert slope.sum() == pytest.approx(1)


CROSS_ENTROPIES = {
    "named": "softmax_cross_entropy(z, t)",
    "written out": "-mean(sum(t * log(P), axis=1))",
}


@pytest.mark.parametrize("loss", CROSS_ENTROPIES.values(), ids=CROSS_ENTROPIES)
@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e8), ("float64", 1e17)])
def test_cross_entropy_of_equal_scores(loss: str, dtype: str, size: float, folder: Any) -> None:
    spec = {
        "name": "ce",
        "dtype": dtype,
        "inputs": {"z": ["n", 2]},
        "targets": {"t": ["n", 2]},
        "equations": {"P[n,k]": "exp(z[n,k]) / sum(exp(z[n,j]), j)"},
        "loss": loss,
        "gradients": ["z"],
    }
    module = interpreted(written(spec, folder()))
    data = [[size, size]], [[1, 0]]
    assert module.loss((), *data) == pytest.approx(LOG2, rel=1e-7 if dtype == "float32" else 1e-15)
    np.testing.assert_allclose(module.input_gradients((), *data).z, [[-0.5, 0.5]], rtol=1e-6)


def test_binary_cross_entropy_from_logits(folder: Any) -> None:
    spec = {
        "name": "bce",
        "dtype": "float64",
        "inputs": {"z": ["n"]},
        "targets": {"t": ["n"]},
        "equations": {"p": "sigmoid(z)"},
        "gradients": ["z"],
    }
    for loss in ("binary_cross_entropy_with_logits(z, t)", "-mean(t*log(p) + (1 - t)*log(1 - p))"):
        module = interpreted(written({**spec, "loss": loss}, folder()))
        assert module.loss((), [-100], [0]) == pytest.approx(3.720075976020836e-44, rel=1e-14)
        assert module.loss((), [800], [0]) == pytest.approx(800, rel=1e-15)
        assert module.input_gradients((), [0], [0]).z == pytest.approx(0.5, rel=1e-15)
        assert module.input_gradients((), [-800], [1]).z == pytest.approx(-1, rel=1e-15)


def test_shapes_that_do_not_fit_are_named() -> None:
    spec = {
        "name": "f",
        "inputs": {"p": [2, 1]},
        "targets": {"t": [2]},
        "equations": {"q": "p"},
        "loss": "mse(q, t)",
    }
    with pytest.raises(SpecError, match=r"\[2, 1\].*\[2\]"):
        module_text(read(spec))


OWN = {
    "adam": "adam(learning_rate=0.001)",
    "adamw": {
        "hyper": {"eta": 1e-3, "decay": 0.1},
        "state": {"m": 0, "v": 0},
        "update": {
            "m": "0.9*m + 0.1*g",
            "v": "0.999*v + 0.001*g**2",
            "theta": "theta - eta*decay*theta - eta*(m/(1 - 0.9**t))/(sqrt(v/(1 - 0.999**t)) + 1e-8)",
        },
    },
    "adadelta": {
        "hyper": {"rho": 0.95, "eps": 1e-6},
        "state": {"a": 0, "d": 0, "u": 0},
        "update": {
            "a": "rho*a + (1 - rho)*g**2",
            "u": "sqrt(d + eps)/sqrt(a + eps)*g",
            "d": "rho*d + (1 - rho)*u**2",
            "theta": "theta - u",
        },
    },
}


def updates(optimizer: str, start: float, gradients: list[float], folder: Any) -> list[float]:
    """The one parameter after each step on these gradients."""
    spec = {
        "name": "one",
        "dtype": "float64",
        "inputs": {"x": ["n"]},
        "parameters": {"w": {"axes": [], "init": start}},
        "equations": {"y": "w*x"},
        "loss": "sum(y)",
        "train": {"optimizer": OWN[optimizer]},
    }
    module = interpreted(written(spec, folder()))
    params, found = module.init_params(), []
    state = module.init_state(params)
    for gradient in gradients:
        module.train_step(params, state, [gradient])
        found.append(float(params.w))
    return found


def test_optimizers_make_the_steps_of_their_papers(folder: Any) -> None:
    adam = [0.9990000001, 0.99936610360388489, 0.99902286253947743]
    assert updates("adam", 1, [0.1, -0.2, 0.3], folder) == pytest.approx(adam, rel=1e-15)
    assert updates("adam", 0, [1e-8], folder) == pytest.approx([-5e-4], rel=1e-13)
    assert updates("adam", 1, [0.1 * 1], folder) == pytest.approx([0.9990000001], rel=1e-15)
    assert updates("adamw", 1, [0], folder) == pytest.approx([0.9999], rel=1e-15)
    steps = np.diff(updates("adadelta", 0, [1, 1], folder), prepend=0)
    np.testing.assert_allclose(-steps, [0.0044720912343, 0.0045290622655], rtol=1e-11)
