"""Every activation, value and slope, against its plain definition in 50 digits, at hard points and at kinks.

Bounds are in units of the rounding error of the precision, of the true value f and of what rounding x does to
it, |x f'|: 2 for a value and 40 for a slope, where terms such as x (1 - σ(x)) carry an error of x. The slopes
of sigmoid and tanh are formed from their values, so their error is relative to 1. Where exp(x) leaves the
normal numbers, an absolute error of |x| times the smallest of these remains.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from building import interpreted, written

from symgrad.compiler.loading.load import load
from symgrad.pipeline import module_text
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.gradients.gradient_blocks import TOLERANCE, Effort, compare_block
from symgrad.verifier.gradients.probes import ClaimedGradient
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS

if TYPE_CHECKING:
    from types import ModuleType

mp = mpmath.mp.clone()
mp.dps = 50


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def clip(x: Any, low: int, high: int) -> Any:
    return min(max(x, mp.mpf(low)), mp.mpf(high))


SCALE, ALPHA = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
SQRT_2_PI = mp.sqrt(2 / mp.pi)
DEFINITIONS = {
    "identity": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": mp.tanh,
    "relu": lambda x: max(x, mp.mpf(0)),
    "leaky_relu": lambda x: x if x > 0 else x / 100,
    "relu6": lambda x: clip(x, 0, 6),
    "elu": lambda x: x if x > 0 else mp.expm1(x),
    "celu": lambda x: max(x, mp.mpf(0)) + min(mp.mpf(0), mp.expm1(x)),
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * mp.expm1(x)),
    "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "gelu_tanh": lambda x: x * sigmoid(2 * SQRT_2_PI * (x + mp.mpf("0.044715") * x**3)),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * mp.tanh(softplus(x)),
    "softplus": softplus,
    "logsigmoid": lambda x: -softplus(-x),
    "softsign": lambda x: x / (1 + abs(x)),
    "hardtanh": lambda x: clip(x, -1, 1),
    "hardsigmoid": lambda x: clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * clip(x + 3, 0, 6) / 6,
    "softshrink": lambda x: max(x - 0.5, mp.mpf(0)) + min(x + 0.5, mp.mpf(0)),
    "hardshrink": lambda x: x if abs(x) > 0.5 else mp.mpf(0),
}
OVER_ROWS = {"softmax", "log_softmax"}
KINKS: dict[str, dict[float, float]] = {
    "relu": {0: 0},
    "leaky_relu": {0: 0.01},
    "relu6": {0: 0, 6: 0},
    "selu": {0: float(SCALE * ALPHA)},
    "hardtanh": {-1: 0, 1: 0},
    "hardsigmoid": {-3: 0, 3: 0},
    "hardswish": {-3: 0, 3: 1},
    "softshrink": {-0.5: 0, 0.5: 0},
    "hardshrink": {-0.5: 0, 0.5: 0},
}
SATURATED = {"sigmoid", "tanh"}
SPECIAL = [s * x for x in (0, 1e-8, 1e-3, 0.5, 1, 3, 6, 20, 30, 40, 88, 104, 800, 1e6) for s in (1.0, -1.0)]
POINTS = [*SPECIAL, *np.random.default_rng(3).normal(scale=3, size=40)]
NAMES = list(DEFINITIONS)


def test_every_activation_has_its_definition_here() -> None:
    assert set(library.activations) == {*NAMES, *OVER_ROWS}


def functions_of_x(formulas: list[str], dtype: str) -> dict[str, Any]:
    """A spec with an input for each formula of {x}, and the gradient of the sum of all."""
    equations = {f"f{n}": formula.format(x=f"x{n}") for n, formula in enumerate(formulas)}
    inputs = {f"x{n}": ["n"] for n in range(len(formulas))}
    loss = " + ".join(f"sum({name})" for name in equations)
    results = {"outputs": list(equations), "gradients": list(inputs)}
    return {"name": "f", "dtype": dtype, "inputs": inputs, "equations": equations, "loss": loss, **results}


def values_and_slopes(module: ModuleType, points: Any, count: int) -> tuple[list[Any], list[Any]]:
    data = [np.array(points, module.DTYPE) for _ in range(count)]
    values = module.forward(module.init_params(), *data)
    slopes = module.input_gradients(module.init_params(), *data)
    return [values] if count == 1 else list(values), list(slopes)


@pytest.fixture(scope="module", params=["float64", "float32"])
def computed(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The points in one precision, and what the code makes of them, compiled in float32: values and slopes.

    What compilation does to the functions of both precisions is seen in test_elementary.
    """
    spec = functions_of_x([f"{name}({{x}})" for name in NAMES], request.param)
    path = written(spec, tmp_path_factory.mktemp("activations"))
    module = load(path) if request.param == "float32" else interpreted(path)
    points = np.array(POINTS, module.DTYPE)
    both = zip(*values_and_slopes(module, points, len(NAMES)), strict=True)
    return points, dict(zip(NAMES, both, strict=True))


def close(got: float, true: Any, moved: Any, units: float, x: float, precision: Any) -> bool:
    rounding = units * float(precision.eps) * (abs(true) + abs(moved))
    return bool(abs(mp.mpf(float(got)) - true) <= rounding + float(precision.tiny) * (1 + x * x))


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_right_to_a_few_units(name: str, computed: Any) -> None:
    points, results = computed
    values, slopes = results[name]
    precision = np.finfo(points.dtype)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    for x, value, slope in zip(points.astype(float), values, slopes, strict=True):
        f, at = DEFINITIONS[name], mp.mpf(x)
        if x in KINKS.get(name, {}):
            assert close(value, f(at), 0, 2, x, precision)
            assert slope == pytest.approx(KINKS[name][x], rel=float(precision.eps))
            continue
        first, second = (mp.diff(f, at, n, h=mp.mpf(10) ** -15) for n in (1, 2))
        assert close(value, f(at), at * first, 2, x, precision), (x, value, f(at))
        moved = 1 if name in SATURATED else at * second
        assert close(slope, first, moved, 40, x, precision), (x, slope, first)


@pytest.mark.parametrize("computed", ["float64"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_the_judge_agrees_at_special_points(name: str, computed: Any) -> None:
    points, results = computed
    count = len(SPECIAL)
    model = expand(read(functions_of_x([f"{name}({{x}})"], "float64")))
    differences = Differences(model, {"x0": points[:count]}, FIFTY_DIGITS)
    block = ClaimedGradient(differences, "x0", results[name][1][:count], "at special points", 1)
    finding = compare_block(block, 0.0, np.random.default_rng(0), Effort())
    assert finding.error <= TOLERANCE, finding.message


def test_values_and_slopes_are_those_of_pytorch(computed: Any) -> None:
    torch = pytest.importorskip("torch")
    points, results = computed
    functional = torch.nn.functional
    others = {"identity": lambda x: 1 * x, "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh")}
    here = (np.abs(points) < 10) & (np.abs(points) != 1e-8)
    for name in NAMES:
        x = torch.tensor(points[here], requires_grad=True)
        value = (others.get(name) or getattr(functional, name))(x)
        value.sum().backward()
        # PyTorch holds the slope of hardsigmoid, 1/6, in single precision.
        units = 200 * np.finfo(np.float32 if name == "hardsigmoid" else points.dtype).eps
        for ours, theirs in zip(results[name], (value.detach(), x.grad), strict=True):
            np.testing.assert_allclose(ours[here], theirs.numpy(), rtol=units, atol=units, err_msg=name)


# The same function, spelled out.
SPELLINGS = {
    "relu": ["max({x}, 0)", "where({x} > 0, {x}, 0)", "({x} + abs({x}))/2", "-min(-{x}, 0)"],
    "relu6": ["min(max({x}, 0), 6)", "max(min({x}, 6), 0)", "where({x} >= 6, 6, relu({x}))"],
    "leaky_relu": ["max({x}, 0.01*{x})"],
    "hardtanh": ["max(min({x}, 1), -1)", "hardtanh({x}, -1, 1)"],
    "elu": ["where({x} > 0, {x}, expm1({x}))", "elu({x}, alpha=1)"],
    "sigmoid": ["1 - 1/(1 + exp({x}))", "1/2 + tanh({x}/2)/2"],
    "logsigmoid": ["-log(1 + exp(-{x}))", "log(1 - sigmoid(-{x}))"],
    "silu": ["{x}/(1 + exp(-{x}))", "{x}*(1 + tanh({x}/2))/2"],
    "mish": ["{x}*tanh(log(1 + exp({x})))"],
    "softsign": ["where({x} > 0, {x}/(1 + {x}), {x}/(1 - {x}))"],
    "softshrink": ["where({x} > 0.5, {x} - 0.5, where({x} < -0.5, {x} + 0.5, 0))"],
}


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_every_spelling_of_a_function_gives_the_same_numbers(computed: Any, tmp_path: Any) -> None:
    points, results = computed
    names = [name for name, formulas in SPELLINGS.items() for _ in formulas]
    formulas = [formula for group in SPELLINGS.values() for formula in group]
    module = interpreted(written(functions_of_x(formulas, str(points.dtype)), tmp_path))
    count, units = len(SPECIAL), 40 * np.finfo(points.dtype).eps
    both = zip(*values_and_slopes(module, points[:count], len(formulas)), strict=True)
    for name, formula, found in zip(names, formulas, both, strict=True):
        absolute = units if name in SATURATED else 1e3 * float(np.finfo(points.dtype).tiny)
        for named, spelled in zip(results[name], found, strict=True):
            np.testing.assert_allclose(spelled, named[:count], rtol=units, atol=absolute, err_msg=formula)


@pytest.mark.parametrize("name", ["mish", "gelu_tanh", "silu", "softplus"])
def test_no_kernel_computes_what_it_does_not_use(name: str) -> None:
    spec = functions_of_x([f"{name}({{x}})", "exp({x}) * tanh(exp({x}))"], "float64")
    kernels = module_text(read(spec)).partition("# --- The network")[0].split("\ndef ")[1:]
    named = [(n, k) for k in kernels for n in re.findall(r"^ +(f\d+) = ", k, re.MULTILINE)]
    assert named
    for value, kernel in named:
        assert len(re.findall(rf"\b{value}\b", kernel)) > 2, kernel
