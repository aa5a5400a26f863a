"""Layers over windows beside PyTorch's of the same name: values, slopes and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from symgrad.graphs.interpret import interpret
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch")
F = torch.nn.functional

CONVOLUTIONS = [
    ("conv1d(x, 3, kernel=2)", (4, 2), F.conv1d, {}),
    (
        "conv1d(x, 6, kernel=3, stride=2, padding=1, groups=2)",
        (8, 4),
        F.conv1d,
        {"stride": 2, "padding": 1, "groups": 2},
    ),
    ("conv1d(x, 3, kernel=4, padding=same)", (5, 1), F.conv1d, {"padding": "same"}),
    (
        "conv2d(x, 4, kernel=(3, 2), stride=(2, 1), padding=(1, 0))",
        (5, 6, 3),
        F.conv2d,
        {"stride": (2, 1), "padding": (1, 0)},
    ),
    (
        "conv2d(x, 4, kernel=(2, 3), padding=same, dilation=(2, 3))",
        (7, 8, 1),
        F.conv2d,
        {"padding": "same", "dilation": (2, 3)},
    ),
    ("conv2d(x, 6, kernel=3, groups=channels, padding=2)", (4, 5, 3), F.conv2d, {"groups": 3, "padding": 2}),
    (
        "conv3d(x, 2, kernel=(2, 1, 3), stride=2, padding=1)",
        (4, 3, 5, 2),
        F.conv3d,
        {"stride": 2, "padding": 1},
    ),
    (
        "conv_transpose1d(x, 3, kernel=4, stride=3, padding=1, output_padding=2)",
        (5, 2),
        F.conv_transpose1d,
        {"stride": 3, "padding": 1, "output_padding": 2},
    ),
    (
        "conv_transpose2d(x, 3, kernel=(2, 3), stride=(1, 2))",
        (3, 4, 2),
        F.conv_transpose2d,
        {"stride": (1, 2)},
    ),
    (
        "conv_transpose3d(x, 2, kernel=2, stride=(1, 2, 3), output_padding=(0, 1, 0))",
        (3, 2, 2, 3),
        F.conv_transpose3d,
        {"stride": (1, 2, 3), "output_padding": (0, 1, 0)},
    ),
]
OTHERS = [
    ("max_pool1d(x, 3, padding=1)", (7, 2), lambda x: F.max_pool1d(x, 3, padding=1)),
    ("max_pool2d(x, 2)", (5, 6, 3), lambda x: F.max_pool2d(x, 2)),
    (
        "max_pool2d(x, kernel=(3, 2), stride=1, dilation=2)",
        (7, 6, 1),
        lambda x: F.max_pool2d(x, (3, 2), 1, dilation=2),
    ),
    ("max_pool3d(x, 2, stride=1)", (3, 2, 4, 1), lambda x: F.max_pool3d(x, 2, 1)),
    ("avg_pool1d(x, 2, stride=3)", (8, 2), lambda x: F.avg_pool1d(x, 2, 3)),
    ("avg_pool2d(x, 3, padding=1)", (6, 5, 2), lambda x: F.avg_pool2d(x, 3, padding=1)),
    ("avg_pool3d(x, kernel=(1, 2, 3))", (2, 4, 3, 2), lambda x: F.avg_pool3d(x, (1, 2, 3))),
    ("global_avg_pool(x)", (3, 4, 2), lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1)),
    ("adaptive_avg_pool2d(x, output_size=(2, 3))", (4, 6, 2), lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
    (
        "adaptive_avg_pool2d(x, output_size=(3, 2), equal=false)",
        (7, 5, 2),
        lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    ),
    (
        "adaptive_max_pool2d(x, output_size=(4, 3), equal=false)",
        (6, 5, 2),
        lambda x: F.adaptive_max_pool2d(x, (4, 3)),
    ),
    ("adaptive_max_pool1d(x, 3)", (6, 2), lambda x: F.adaptive_max_pool1d(x, 3)),
    ("upsample2d(x, factor=3)", (2, 3, 2), lambda x: F.interpolate(x, scale_factor=3)),
    (
        "upsample2d(x, factor=(2, 3), mode=bilinear)",
        (3, 4, 2),
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear"),
    ),
]


def beside(call: str, shape: tuple[int, ...], function: Callable[..., Any], is_transposed: bool) -> None:
    """Value and slopes of sum(y**2)/2 in x, W and b, with channels last here and first there."""
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", *shape]},
        "equations": {"y": call},
        "loss": "sum(y**2) / 2",
        "gradients": ["x"],
        "outputs": ["y"],
    }
    program = stages_of(read(spec)).derived
    rng = np.random.default_rng(len(call))
    given = {"x": rng.normal(size=(2, *shape))}
    for tensor in program.of_kind("parameter"):
        given[tensor.name] = rng.normal(size=[axis.size for axis in tensor.axes])
    found = interpret(program, given, {"batch": 2})
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in given.items()}
    x, *rest = leaves.values()
    rank = len(shape) - 1
    ways = [(rank, rank + 1, *range(rank)) if is_transposed else (rank + 1, rank, *range(rank))]
    rest[:1] = [W.permute(way) for W, way in zip(rest[:1], ways, strict=False)]
    y = function(x.movedim(-1, 1), *rest)
    y = y.movedim(1, -1) if y.ndim == len(shape) + 1 else y
    (y.square().sum() / 2).backward()
    np.testing.assert_allclose(found["y"], y.detach(), 1e-10, 1e-10)
    slopes = {gradient.of: found[gradient.name] for gradient in program.gradients}
    assert slopes.keys() == leaves.keys()
    for name, leaf in leaves.items():
        np.testing.assert_allclose(slopes[name], leaf.grad, 1e-9, 1e-9, err_msg=name)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("call", "shape", "function", "options"), CONVOLUTIONS)
def test_a_convolution_is_that_of_pytorch(call, shape, function, options):
    beside(call, shape, lambda x, W, b: function(x, W, b, **options), "transpose" in call)


@pytest.mark.parametrize(("call", "shape", "function"), OTHERS)
def test_another_layer_is_that_of_pytorch(call, shape, function):
    beside(call, shape, function, False)
