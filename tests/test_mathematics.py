"""Ordinary mathematics beside the language's own functions: values and slopes against mpmath; pi and e."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath as mp
import numpy as np
import pytest
from building import interpreted, judged, written

import symgrad as sg
from symgrad.spec import library
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POSITIVE = [1e-300, 1e-3, 0.5, 1.0, 8.0, 1000.0, 1e300]
ENTRYWISE: dict[str, tuple[Callable[..., Any], list[tuple[float, ...]]]] = {
    "ln(x)": (mp.log, [(x,) for x in POSITIVE]),
    "log2(x)": (lambda x: mp.log(x, 2), [(x,) for x in POSITIVE]),
    "log10(x)": (mp.log10, [(x,) for x in POSITIVE]),
    "square(x)": (lambda x: x * x, [(-2.5,), (0.0,), (3.0,)]),
    "pow(x, y)": (mp.power, [(2.0, 3.0), (0.5, -1.5), (9.0, 0.5), (1.5, 0.0)]),
    "pow(x, 3)": (lambda x: x**3, [(-2.0,), (0.0,), (1.5,)]),
    "clip(x, -1, 2)": (lambda x: min(max(x, mp.mpf(-1)), mp.mpf(2)), [(-3.0,), (-0.5,), (1.9,), (5.0,)]),
    "atan2(y, x)": (lambda x, y: mp.atan2(y, x), []),
}
CIRCLE = [
    (r * float(mp.cos(a)), r * float(mp.sin(a))) for r in (1e-60, 1.0, 1e60) for a in np.arange(0.1, 6.2, 0.4)
]
ENTRYWISE["atan2(y, x)"][1].extend([*CIRCLE, (1.0, 0.0), (0.0, 2.0), (0.0, -2.0), (3.0, 3.0), (-3.0, -3.0)])


def gradients_of(formula: str, values: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """The value of a formula of inputs, and its derivatives, by the emitted module."""
    axes = {name: ["n", *np.shape(value)[1:]] for name, value in values.items()}
    spec = {"name": "f", "dtype": "float64", "inputs": axes, "equations": {"v": formula}, "loss": "sum(v)"}
    module = interpreted(written({**spec, "gradients": list(values)}, folder))
    params, data = module.init_params(), [np.array(value) for value in values.values()]
    return module.forward(params, *data), module.input_gradients(params, *data)


def test_every_entry_is_tried() -> None:
    tried = {formula.partition("(")[0] for formula in (*ENTRYWISE, *REDUCING)}
    assert tried == set(library.mathematics)


@pytest.mark.parametrize("formula", ENTRYWISE)
def test_values_and_slopes_entry_by_entry(formula: str, tmp_path: Path) -> None:
    function, points = ENTRYWISE[formula]
    names = ("x", "y")[: len(points[0])]
    values = dict(zip(names, np.array(points).T.tolist(), strict=True))
    with np.errstate(all="ignore"):
        found, slopes = gradients_of(formula, values, tmp_path)
    with mp.workdps(60):
        for row, point in enumerate(points):
            exact = [mp.mpf(x) for x in point]
            np.testing.assert_allclose(
                found[row], float(function(*exact)), rtol=4e-16 * 8, err_msg=str(point)
            )
            for place, slope in enumerate(slopes):
                order = tuple(int(n == place) for n in range(len(point)))
                scale = mp.mpf(10) ** -40 * (abs(exact[place]) or 1)
                expected = (
                    mp.diff(function, tuple(exact), order, h=scale)
                    if len(point) > 1
                    else mp.diff(function, exact[0], h=scale)
                )
                np.testing.assert_allclose(
                    slope[row], float(expected), rtol=1e-14, atol=1e-78, err_msg=str(point)
                )


def deviation(rows: Any, **options: Any) -> Any:
    return np.asarray(rows).std(**options)


REDUCING: dict[str, Callable[..., Any]] = {
    "var(x)": lambda x, **o: x.var(**o),
    "std(x)": lambda x, **o: x.std(**o),
    "norm(x)": lambda x, **o: np.sqrt((x * x).sum(**o)),
}
AXES = {
    "": {},
    "axis=1": {"axis": 1},
    "axis=-1, keepdims=true": {"axis": -1, "keepdims": True},
    "axis=0": {"axis": 0},
}


@pytest.mark.parametrize("formula", REDUCING)
@pytest.mark.parametrize("axes", AXES)
def test_values_and_slopes_over_axes(formula: str, axes: str, tmp_path: Path) -> None:
    x = np.random.default_rng(3).normal(size=(4, 3))
    call = formula.replace(")", f", {axes})") if axes else formula
    found, (slope,) = gradients_of(f"{call} + 0 * sum(x)", {"x": x}, tmp_path)
    function = REDUCING[formula]
    np.testing.assert_allclose(found, function(x, **AXES[axes]), rtol=1e-14)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        sides = [function(x + sign * step, **AXES[axes]).sum() for sign in (1, -1)]
        np.testing.assert_allclose(slope[place], (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "x"), [("std(x, axis=1)", 2.0), ("std(x)", -3.0), ("norm(x, axis=-1)", 0.0), ("norm(x)", 0.0)]
)
def test_where_there_is_no_slope_it_is_0(call: str, x: float, tmp_path: Path) -> None:
    value, (slope,) = gradients_of(f"{call} + 0 * sum(x)", {"x": np.full((2, 4), x)}, tmp_path)
    assert np.ravel(value).tolist() == [0.0] * np.size(value)
    assert not slope.any()


def test_the_angle_of_the_origin_and_of_the_negative_axis(tmp_path: Path) -> None:
    value, (dx, dy) = gradients_of("atan2(y, x)", {"x": [0.0, -2.0], "y": [0.0, 0.0]}, tmp_path)
    assert value.tolist() == [0.0, np.pi]
    assert (dx.tolist(), dy.tolist()) == ([0.0, 0.0], [0.0, -0.5])


def test_the_judge_knows_them(tmp_path: Path) -> None:
    h = "pow(h, 2) + ln(2 + square(h)) + clip(h, -e, e) + atan2(h, 2 + h) / pi"
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["n", 2]},
        "parameters": {"w": [2]},
        "equations": {"h": "x * w", "y": h},
        "loss": "mean(y) + mean(std(h, axis=1)) + norm(w) + sum(var(h, axis=0))",
    }
    assert judged(spec, tmp_path, compiled=False, points=1).passed


def test_pi_and_e_are_numbers(tmp_path: Path) -> None:
    value, (slope,) = gradients_of("sin(pi * x) + e**x * pi / e", {"x": [0.25, 1.0]}, tmp_path)
    x = np.array([0.25, 1.0])
    np.testing.assert_allclose(value, np.sin(np.pi * x) + np.exp(x - 1) * np.pi, rtol=1e-14)
    np.testing.assert_allclose(slope, np.pi * (np.cos(np.pi * x) + np.exp(x - 1)), atol=1e-14)
    assert "π" in str(sg.derive({"inputs": {"x": ["n"]}, "equations": {"y": "pi * x"}}))


OWN = {
    "a parameter": {"parameters": {"e": {"axes": [], "init": 7}}, "equations": {"y": "e * x"}},
    "a constant": {"constants": {"e": 7}, "equations": {"y": "e * x"}},
    "an equation": {"equations": {"e": "7 + 0 * x", "y": "e * x"}},
    "an argument": {"functions": {"f(x, e)": "e * x"}, "equations": {"y": "f(x, 7)"}},
    "a function": {"functions": {"ln(x)": "7 * x"}, "equations": {"y": "ln(x)"}},
    "an axis": {"axes": {"e": 7}, "equations": {"y": "e * x"}},
}


@pytest.mark.parametrize("what", OWN)
def test_what_the_user_defines_has_the_users_meaning(what: str, tmp_path: Path) -> None:
    spec = {"name": "own", "dtype": "float64", "inputs": {"x": ["n"]}, "outputs": ["y"], **OWN[what]}
    module = interpreted(written(spec, tmp_path))
    assert module.forward(module.init_params(), np.array([1.0, 2.0])).tolist() == [7.0, 14.0]


def test_an_index_may_be_called_e(tmp_path: Path) -> None:
    equations = {"S[n]": "sum(x[n,e] * x[n,e], e)", "R[n,e]": "x[n,e] * pi"}
    spec = {
        "name": "i",
        "dtype": "float64",
        "inputs": {"x": ["n", 2]},
        "equations": equations,
        "outputs": ["S", "R"],
    }
    module = interpreted(written(spec, tmp_path))
    squares, turned = module.forward(module.init_params(), np.array([[3.0, 4.0]]))
    assert squares.tolist() == [25.0]
    np.testing.assert_allclose(turned, [[3 * np.pi, 4 * np.pi]])


def test_schedules_and_optimizers_know_them_too() -> None:
    spec = {
        "inputs": {"x": ["n"]},
        "targets": {"t": ["n"]},
        "parameters": {"w": []},
        "equations": {"y": "w * x"},
        "loss": "mse",
    }
    update = {"theta": "theta - rate * clip(g, -1, 1) * pi", "v": "e * v"}
    plain = {"theta": "theta - rate * where(g <= -1, -1, where(g >= 1, 1, g)) * acos(-1)", "v": "exp(1) * v"}
    own = {"hyper": {"rate": 0.1}, "state": {"v": 1}}
    models = [
        expand(sg.read({**spec, "train": {"optimizer": {**own, "update": u}}})) for u in (update, plain)
    ]
    assert models[0].optimizer == models[1].optimizer
    rates = ["learning_rate * cos(pi * epoch / 20)", "learning_rate * cos(acos(-1) * epoch / 20)"]
    found = [expand(sg.read({**spec, "train": {"schedule": rate}})).schedule for rate in rates]
    assert found[0] == found[1]


WRONG = {
    "std(x, 1)": "std takes one tensor, got 2 arguments; write std(x) or std(x, axis=-1, keepdims=true)",
    "std(x, ddof=1)": "std has no argument 'ddof'",
    "std(x, axis=n)": "std: axis is n",
    "std(x, axis=true)": "std: axis is true",
    "std(x, keepdims=1)": "std: keepdims is 1",
    "std(x, axis=5)": "axes count from -2 to 1",
    "ln(x, 2)": "ln takes at most 1 argument",
    "clip(x, 1, 0)": "clip: high is 0; expected a number above 1",
    "clip(x)": "clip lacks 'low', 'high'",
}


@pytest.mark.parametrize("call", WRONG)
def test_wrong_calls_are_told(call: str, tmp_path: Path) -> None:
    with pytest.raises(sg.SpecError) as caught:
        written({"inputs": {"x": ["n", 2]}, "equations": {"y": call}}, tmp_path)
    assert WRONG[call] in str(caught.value)
