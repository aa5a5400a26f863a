"""Calls of layers over windows that cannot be meant: refused at the call, in its own words."""

from __future__ import annotations

import pytest

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read


def program(call, shape, **changes):
    spec = {
        "inputs": {"x": ["batch", *shape], "s": ["batch", "T"]},
        "equations": {"y": call},
        "loss": "mean(y**2)",
    }
    return stages_of(read({**spec, **changes})).formulas


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "conv2d(x, 4, kernel=9)",
            "1:1: conv2d: the kernel reaches over 9 rows, its padded input has 8; expected a",
        ),
        ("conv2d(x, 4, kernel=(3, 9))", "reaches over 9 columns, its padded input has 7"),
        ("conv2d(x, 4, 3, dilation=5, padding=1)", "reaches over 11 rows, its padded input has 10"),
        ("conv2d(x, 4)", "conv2d lacks 'kernel'"),
        ("conv2d(x, 4, kernel=0)", "1:21: conv2d: kernel is 0; expected a whole number from 1"),
        ("conv2d(x, 4, 3, stride=-1)", "conv2d: stride is -1; expected a whole number from 1"),
        ("conv2d(x, 4, 3, stride=(1, 0))", "1:28: conv2d: stride is 0"),
        ("conv2d(x, 4, 3, stride=1.5)", "conv2d: stride is 1.5; expected a whole number"),
        ("conv2d(x, 4, 3, stride=(1, 2, 3))", r"stride has 3 numbers, for 2 axes; write stride=\(3, 4\)"),
        ("conv2d(x, 4, 3, padding=-1)", "padding is -1; expected a whole number from 0"),
        ("conv2d(x, 4, 3, padding=causal)", "padding is causal; expected a number or valid or same"),
        ("conv2d(x, 4, 3, padding=(1, same))", "'same' is no size"),
        ("conv2d(x, 4, 3, groups=2)", "the 3 channels of its input do not divide into 2 groups"),
        ("conv2d(x, 4, 3, groups=3)", "4 units do not divide into 3 groups"),
        ("conv2d(x, 4, 3, groups=0)", "groups is 0"),
        ("conv2d(x, 4, kernel=K)", "a size in conv2d: 'K' is no size"),
        ("conv2d(x, 4, 3, stride=K)", "a size in conv2d: 'K' is no size"),
        ("conv2d(x, 4, 3, stride=T)", r"conv2d: T is known only with the data; give .* axes: {T: 10}"),
        ("avg_pool2d(x, 2, stride=batch)", "avg_pool2d: batch is known only with the data"),
        ("conv_transpose2d(x, 4, 3, stride=K)", "conv_transpose2d: 'K' is no size"),
        ("upsample2d(x, factor=T)", "upsample2d: T is known only with the data"),
        ("conv2d(x, 4, kernel=true)", "kernel is true; expected a whole number"),
        ("conv2d(x, units=(4, 5), kernel=3)", "'units' must be a whole number"),
        ("conv1d(x, 4, 3)", r"conv1d takes \[batch, steps, channels\], 'x' is \[batch, 8, 7, 3\]"),
        ("max_pool2d(x, 2, padding=2)", "a padding of 2 leaves windows with no entry of the input"),
        ("max_pool2d(x, 2, padding=4, dilation=8)", "a dilation of 8 leaves windows with no entry"),
        ("avg_pool2d(x, 2, dilation=2)", "avg_pool2d has no argument 'dilation'"),
        ("adaptive_avg_pool2d(x, 4)", "7 columns do not divide into 4 equal windows"),
        ("adaptive_avg_pool2d(x, 4, equal=PyTorch)", "equal is PyTorch"),
        ("upsample2d(x, mode=cubic)", "mode is cubic; expected nearest or bilinear"),
        ("upsample2d(x, 0)", "factor is 0"),
        (
            "conv_transpose2d(x, 3, 2, stride=2, output_padding=2)",
            "an output_padding of 2 where the stride is 2",
        ),
        ("conv_transpose2d(x, 3, 2, padding=5)", "a padding of 5 takes away all rows of the result"),
        ("patch_embedding(x, 3, patch=4)", "7 columns do not divide into patches of 4"),
        ("squeeze_excite(x)", "3 channels do not divide by 16"),
        ("squeeze_excite(x, reduction=1.5)", "a size in squeeze_excite is no whole number"),
    ],
)
def test_a_wrong_call_is_refused_in_its_own_words(call, message):
    with pytest.raises(SpecError, match=message):
        program(call, [8, 7, 3])


@pytest.mark.parametrize(
    ("call", "shape", "message"),
    [
        (
            "conv2d(x, 4, 3)",
            [64],
            r"conv2d takes \[batch, height, width, channels\], 'x' is \[batch, 64\].*reshape\(x, ",
        ),
        ("global_avg_pool(x)", [3], r"global_avg_pool takes \[batch, ..., places, channels\]"),
    ],
)
def test_another_number_of_axes_is_refused(call, shape, message):
    with pytest.raises(SpecError, match=message):
        program(call, shape)


def test_indices_of_a_layer_stay_apart_from_names_of_the_spec():
    """Tensors, axes and parameters of a spec may be called as the library calls its indices."""
    spec = {
        "axes": {"i": 3, "o": 6},
        "inputs": {"u": ["n", 5, 7, "i"]},
        "targets": {"j": ["n", "o"]},
        "parameters": {"c": {"axes": ["o"]}},
        "equations": {"v": "conv2d(u, o, i, groups=3)", "g": "global_max_pool(v) + c"},
        "loss": "mse(g, j)",
    }
    shapes = {t.name: [str(axis) for axis in t.axes] for t in stages_of(read(spec)).formulas.tensors}
    assert shapes["v_W"] == ["i", "i", "1", "o"]
    assert shapes["v"] == ["n", "3", "5", "o"]


def test_a_convolution_by_name_is_the_one_written_out():
    """The programs that code is made of are equal, name by name."""
    named = {
        "inputs": {"x": ["batch", 6, 7, 2]},
        "layers": [
            "conv2d(3, kernel=(3, 2), padding=1, activation=relu)",
            "max_pool2d(2)",
            "flatten",
            "dense(2)",
        ],
        "loss": "mean(Z2**2)",
    }
    equations = {
        "X1": "pad(pad(x, 1, 1), 2, 1)",
        "Z1[n, i, j, o]": "sum(X1[n, i + u, j + v, c] * W1[u, v, c, o], u, v, c) + b1[o]",
        "A1": "relu(Z1)",
        "P1[n, i, j, c]": "max(A1[n, 2*i + u, 2*j + v, c], u=2, v=2)",
        "F1": "flatten(P1)",
        "Z2": "F1 @ W2 + b2",
    }
    parameters = {"W1": [3, 2, 2, 3], "b1": [3], "W2": [36, 2], "b2": [2]}
    written = {**named, "equations": equations, "parameters": parameters}
    del written["layers"]
    assert str(stages_of(read(named)).arranged) == str(stages_of(read(written)).arranged)
