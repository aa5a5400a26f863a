"""Numbers near the ends of what a type holds: in the text as they are, or refused if they no longer are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from building import interpreted, written

from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from pathlib import Path


def scaled(formula: str, dtype: str) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "inputs": {"x": ["n", 4]},
        "parameters": {"w": {"axes": [4], "init": 1}},
        "equations": {"y": formula},
        "loss": "mean(y)",
    }


@pytest.mark.parametrize(
    ("formula", "dtype"),
    [("1e-320 * w * x", "float64"), ("1e-300 * (1e-15 * w) * x", "float64"), ("1e-40 * w * x", "float32")],
)
def test_what_the_type_holds_is_a_factor(formula: str, dtype: str) -> None:
    """Its inverse, as a divisor, would be infinite."""
    spec = read(scaled(formula, dtype))
    text = module_text(spec)
    assert "real(inf)" not in text
    assert "real(1e+" not in text
    assert identity_of(expand(spec), text).state == "identical"


@pytest.mark.parametrize(
    ("formula", "dtype", "message"),
    [
        ("w * x / 3e-320", "float64", r"3\.33e\+319, which is too large for float64"),
        ("1e-200 * (1e-200 * w) * x", "float64", "1e-400, which cannot be told from 0 in float64"),
        ("(1e-25 * w)**2 * x", "float32", "1e-50, which cannot be told from 0 in float32"),
        ("1e38 * (1e5 * w) * x", "float32", r"1.00e\+43, which is too large for float32"),
    ],
)
def test_what_constants_come_to_is_refused_where_it_stands(formula: str, dtype: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        module_text(read(scaled(formula, dtype)))
    assert caught.value.remedy
    assert str(caught.value).split(":")[1].isdigit()


def test_a_division_by_what_equations_together_make_0_is_refused() -> None:
    equations = {"u": "1 / z", "f": "sinh(z / acos(z * u))"}
    spec = {"inputs": {"z": []}, "equations": equations, "loss": "f", "gradients": ["z"]}
    with pytest.raises(SpecError, match="divided by 0 whatever the data"):
        module_text(read(spec))


@pytest.mark.parametrize("formula", ["sqrt(selu(w * x))", "sqrt(1.7580993408473766 * exp(w * x))"])
def test_a_root_of_a_number_counts_by_what_it_comes_to(formula: str) -> None:
    """SymPy writes √(p/q) as √(p·q)/q, and √(p·q) alone is beyond float32."""
    spec = read(scaled(formula, "float32"))
    assert identity_of(expand(spec), module_text(spec)).state in ("identical", "agrees")


def test_a_sum_of_a_difference_keeps_its_factor_outside() -> None:
    """Multiplied out, the slope of 1.7e308·(x - x²) would hold 3.4e308."""
    spec = read(
        {**scaled("1.7e308 * x - 1.7e308 * x**2", "float64"), "gradients": ["x"], "loss": "sum(y) + sum(w)"}
    )
    assert "real(inf)" not in (text := module_text(spec))
    assert "real(2) * x[" in text


def test_a_sum_keeps_its_smallest_number_inside(tmp_path: Path) -> None:
    """As a factor 1e-320, of which the type holds five digits, would take those of the other number."""
    spec = {
        "name": "sums",
        "dtype": "float64",
        "inputs": {"x": []},
        "equations": {"f": "2.3e-308 * x + 1e-320"},
    }
    module = interpreted(written({**spec, "loss": "f", "gradients": ["x"]}, tmp_path))
    assert module.forward((), 2.0) == pytest.approx(4.6e-308, rel=1e-11)


def test_blocks_of_subnormal_numbers_are_those_of_the_spec() -> None:
    constants = {"c": [1e-308, 1e300, 1e-320, 1.7e308, 5e-324]}
    spec = {"name": "block", "dtype": "float64", "inputs": {"x": [5]}, "constants": constants}
    spec |= {"equations": {"f": "log(c * abs(x))"}, "loss": "sum(f)", "gradients": ["x"]}
    assert identity_of(expand(read(spec)), module_text(read(spec))).state == "identical"


@pytest.mark.parametrize(
    ("formula", "at", "slope"),
    [
        ("x**2 / (1e30 + x**2)", 3, 6e-30),
        ("x**2 / (1e30 + x**2)", 1e15, 5e-16),
        ("-x / (x - 1e30)", 5, 1e-30),
        ("x**2 / (1e18 + x**2)", 3, 6e-18),
        ("x / (1e-30 + x**2)", 3, -1 / 9),
    ],
)
def test_the_slope_of_a_quotient_is_not_lost_with_a_square_of_its_constant(
    formula: str, at: float, slope: float, tmp_path: Path
) -> None:
    spec = {"name": "quotient", "dtype": "float32", "inputs": {"x": []}, "equations": {"f": formula}}
    spec |= {"loss": "f", "gradients": ["x"]}
    module = interpreted(written(spec, tmp_path))
    assert module.input_gradients((), at).x == pytest.approx(slope, rel=1e-6)
    assert identity_of(expand(read(spec)), module_text(read(spec))).state == "identical"


def test_a_text_with_an_unknown_name_is_wrong() -> None:
    spec = read(scaled("3 * w * x", "float64"))
    text = module_text(spec)
    assert "real(3) *" in text
    found = identity_of(expand(spec), text.replace("real(3) *", "real(inf) *"))
    assert (found.state, found.detail) == ("differs", "the text uses inf, which it defines nowhere")


@pytest.mark.parametrize(
    ("formula", "dtype"),
    [("exp(1e38 * x)", "float32"), ("exp(1e6 * x) + exp(x)", "float64"), ("tanh(3000 * x)", "float64")],
)
def test_exponentials_of_large_multiples_are_no_polynomials(formula: str, dtype: str) -> None:
    """One of degree 1e38, in which the derivative was looked for, would take for ever."""
    spec = read(scaled(f"w * {formula}", dtype))
    assert identity_of(expand(spec), module_text(spec)).state == "identical"


@pytest.mark.parametrize(
    "formula", ["w + 1 / (x**2 / 3 + 1e-5)**8", "w + sqrt(x**2 / 7 + 1e-5)", "w + exp(x / 7 + 1e-5)"]
)
def test_a_sum_within_a_sum_keeps_its_numbers(formula: str) -> None:
    """Written (100000·x² + 3)⁸, the power would take a factor of 6.6e43, which float32 cannot hold."""
    spec = read(scaled(formula, "float32"))
    text = module_text(spec)
    assert "1e-5" in text
    assert "100000" not in text
    assert identity_of(expand(spec), text).state == "identical"


@pytest.mark.parametrize("formula", ["a * exp(-1e18)", "a + exp(-(1e9)**2)", "a * exp(-exp(50))"])
def test_a_number_far_beyond_all_types_is_refused_at_once(formula: str) -> None:
    spec = {"inputs": {"x": []}, "parameters": {"a": []}, "equations": {"y": formula}, "loss": "y * x"}
    with pytest.raises(SpecError, match=r"come to \S*e-\d{15,}, which cannot be told from 0"):
        module_text(read(spec))
