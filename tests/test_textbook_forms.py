"""What derivations print, beside the forms that books and papers print, row by row; and that they are right.

Layer norm: Ba, Kiros, Hinton, 2016; batch norm: Ioffe, Szegedy, 2015, where the slope is given in these three
terms; root mean square: Zhang, Sennrich, 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.graphs.interpret import interpret
from symgrad.notation.equations import Writing
from symgrad.notation.visibility import hidden_tensors
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

MEAN = "mean({z}, axis={axis}, keepdims=true)"
NORM = f"({{z}} - {MEAN}) / sqrt(mean(({{z}} - {MEAN})**2, axis={{axis}}, keepdims=true) + 1e-5)"
RMS = "{z} / sqrt(mean({z}**2, axis={axis}, keepdims=true) + 1e-5)"


def network(equations: dict[str, str], width: int = 4, **parameters: Any) -> dict[str, Any]:
    """A net input Z that is normalised into y, which is compared with numbers of the data."""
    return {
        "inputs": {"x": ["batch", 3], "s": ["batch", width]},
        "parameters": {"W": [3, width], **parameters},
        "equations": {"Z": "x @ W", **equations},
        "loss": "mean((y - s)**2)",
    }


def rows(spec: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Every line that is shown: in indices, and as matrices where it has such a form."""
    program = stages_of(read(spec)).derived
    hidden = hidden_tensors(program)
    writing = Writing(program, hidden)
    shown = [e for e in program.equations if e.target not in hidden]
    return {e.target: (writing.index(e), writing.matrix(e)) for e in shown}


def in_indices(spec: dict[str, Any], target: str) -> str:
    return rows(spec)[target][0]


def test_layer_norm_has_the_three_terms_of_its_paper() -> None:
    found = rows(network({"H": NORM.format(z="Z", axis=-1), "y": "g * H + b"}, g=[4], b=[4]))
    assert found["sigma_H"][0] == "sigma_H[n] = √((Σ_i (Z[n,i] − H_1[n]/4)²)/4 + 1e-5)"
    assert found["H"][0] == "H[n,i] = (Z[n,i] − H_1[n]/4)/sigma_H[n]"
    assert found["dg"][1] == "dg = Σ_n dy ⊙ H"
    assert found["dZ"][0] == (
        "dZ[n,i] = (dH[n,i] − (H[n,i]·Σ_j H[n,j]·dH[n,j])/4 − (Σ_j dH[n,j])/4)/sigma_H[n]"
    )


def test_batch_norm_has_them_too_by_matrices() -> None:
    found = rows(network({"H": NORM.format(z="Z", axis=0), "y": "g * H"}, g=[4]))
    assert found["dZ"][1] == "dZ = (dH − (H ⊙ Σ_n dH ⊙ H)/batch − (Σ_n dH)/batch)/sigma_H"


def test_means_and_variances_that_the_spec_names_make_no_difference() -> None:
    named = {"mu": MEAN.format(z="Z", axis=0), "v": "mean((Z - mu)**2, axis=0, keepdims=true)"}
    found = in_indices(network({**named, "y": "(Z - mu) / sqrt(v + 1e-5)"}), "dZ")
    assert found == "dZ[n,i] = (dy[n,i] − (Σ_m dy[m,i])/batch − (y[n,i]·Σ_m dy[m,i]·y[m,i])/batch)/sigma_y[i]"


def test_a_norm_within_a_formula_gets_a_name_and_stands_beside_other_terms() -> None:
    found = rows(network({"N": f"g * ({NORM.format(z='Z', axis=-1)}) + b", "y": "N + Z"}, g=[4], b=[4]))
    assert found["N"][1] == "N = N_hat ⊙ g + b"
    assert found["dZ"][0] == (
        "dZ[n,i] = (dN_hat[n,i] − (N_hat[n,i]·Σ_j N_hat[n,j]·dN_hat[n,j])/4 − (Σ_j dN_hat[n,j])/4)/sigma_N[n]"
        " + dy[n,i]"
    )


def test_the_root_mean_square_has_two_terms() -> None:
    found = in_indices(network({"y": RMS.format(z="Z", axis=-1)}), "dZ")
    assert found == "dZ[n,i] = (dy[n,i] − (y[n,i]·Σ_j dy[n,j]·y[n,j])/4)/sigma_y[n]"


def test_softmax_rows_sum_to_1_and_so_do_labels() -> None:
    """A number of each row, added to all its scores, changes nothing."""
    spec = network({"S[n,i]": "Z[n,i] + c[0] * x[n,0]"}, c=[1])
    spec |= {"targets": {"t": {"axes": ["batch"], "classes": 4}}, "loss": "softmax_cross_entropy(S, t)"}
    del spec["inputs"]["s"]
    program = stages_of(read(spec)).derived
    assert str(program.definition["dc"].body) == "0"


def test_a_bias_before_batch_norm_has_no_slope() -> None:
    spec = network({"A": "Z + c", "y": NORM.format(z="A", axis=0)}, c=[4])
    assert str(stages_of(read(spec)).derived.definition["dc"].body) == "0"


ATTENTION = {
    "inputs": {"x": ["batch", 5, 4]},
    "targets": {"t": ["batch", 5, 3]},
    "parameters": {"Wq": [4, 3], "Wk": [4, 3], "Wv": [4, 3]},
    "equations": {
        "Q": "x @ Wq", "K": "x @ Wk", "V": "x @ Wv",
        "S[n,i,j]": "sum(Q[n,i,d] * K[n,j,d], d) / sqrt(3)",
        "P": "softmax(S)",
        "O[n,i,d]": "sum(P[n,i,j] * V[n,j,d], j)",
    },
    "loss": "mse(O, t)",
}  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Q = x·Wq",
        "S_1 = Q·Kᵀ",
        "O = P·V",
        "dP = dO·Vᵀ",
        "dV = Pᵀ·dO",
        "dS_1 = (dP − rowsum(dP ⊙ P)) ⊙ P/√3",
        "dQ = dS_1·K",
        "dK = dS_1ᵀ·Q",
        "dWv = Σ_n x[n]ᵀ·dV[n]",
    ],
)
def test_attention_is_written_with_products_of_matrices(line: str) -> None:
    assert rows(ATTENTION)[line.partition(" ")[0]][1] == line


def test_layer_norm_has_a_matrix_form() -> None:
    found = rows(network({"H": NORM.format(z="Z", axis=-1), "y": "g * H + b"}, g=[4], b=[4]))
    assert found["dZ"][1] == "dZ = (dH − H ⊙ rowsum(dH ⊙ H)/4 − rowsum(dH)/4)/sigma_H[:,None]"


@pytest.mark.parametrize(
    ("place", "of_image"),
    [
        ("i + u", "full convolution of dy with the flipped kernel W"),
        ("2*i + u", "transposed convolution of dy with W"),
        ("i + 2*u", "transposed convolution of dy with W"),
    ],
)
def test_slopes_of_convolutions_bear_their_names(place: str, of_image: str) -> None:
    """Over the kernel and over the image: LeCun et al. 1998; Dumoulin, Visin, 2016."""
    spec = {
        "inputs": {"x": ["batch", 9, 2]},
        "targets": {"t": ["batch", "I", 3]},
        "axes": {"I": {"i + u": 7, "2*i + u": 4, "i + 2*u": 5}[place]},
        "parameters": {"W": [3, 2, 3]},
        "equations": {"y[n,i,o]": f"sum(x[n,{place},c] * W[u,c,o], u, c)"},
        "loss": "mse(y, t)",
        "gradients": ["x"],
    }
    page = str(sg.derive(read(spec)))
    assert "[correlation of x with dy; chain rule through y" in page
    assert f"[{of_image}; chain rule through y" in page


KINDS = {
    "layer": ("y", NORM.format(z="Z", axis=-1)),
    "batch": ("y", NORM.format(z="Z", axis=0)),
    "rms": ("y", RMS.format(z="Z", axis=-1)),
    "of a sum": ("y", NORM.format(z="(Z + s)", axis=-1)),
    "with a gain": ("y", f"s * ({NORM.format(z='tanh(Z)', axis=-1)}) + 2 * Z"),
    "twice": ("y", NORM.format(z="(" + NORM.format(z="Z", axis=-1) + ")", axis=-1)),
    "across": ("y", "(Z - mean(Z, axis=0, keepdims=true)) / sqrt(mean(Z**2, axis=-1, keepdims=true) + 1e-5)"),
    "not centred": (
        "y",
        "(Z - mean(s * Z, axis=-1, keepdims=true)) / sqrt(sum(Z**2, axis=-1, keepdims=true) + 0.5)",
    ),
    "half centred": (
        "y",
        f"(2 * Z - {MEAN.format(z='Z', axis=-1)}) / sqrt({MEAN.format(z='Z**2', axis=-1)} + 1)",
    ),
    "one of two": ("y", f"Z**2 * s / sqrt({MEAN.format(z='Z**2', axis=-1)} + 1)"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "width"), [(5, 4), (1, 3), (3, 1), (2, 7)])
def test_slopes_are_those_of_the_formula_by_complex_steps(kind: str, batch: int, width: int) -> None:
    """The formula itself, computed by NumPy at W + ih, has the slope in its imaginary part."""
    target, formula = KINDS[kind]
    program = stages_of(read(network({target: formula}, width))).derived
    rng = np.random.default_rng(batch * width)
    arrays = {
        "x": rng.normal(size=(batch, 3)),
        "s": rng.normal(size=(batch, width)),
        "W": rng.normal(size=(3, width)),
    }
    found = interpret(program, arrays, {"batch": batch})["dW"]
    np.testing.assert_allclose(found, _by_complex_steps(formula, arrays), 1e-9, 1e-11)


def _by_complex_steps(formula: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    names = {"sqrt": np.sqrt, "tanh": np.tanh, "mean": np.mean, "sum": np.sum, "true": True, "s": arrays["s"]}
    slopes = np.zeros_like(arrays["W"])
    for place in np.ndindex(slopes.shape):
        step = np.zeros(slopes.shape, complex)
        step[place] = 1e-30j
        y = eval(formula, {"Z": arrays["x"] @ (arrays["W"] + step), **names})  # a formula of this file
        slopes[place] = np.mean((y - arrays["s"]) ** 2).imag / 1e-30
    return slopes
