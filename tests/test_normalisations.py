"""Norms over the batch, over groups and over places: by loops in NumPy, and by PyTorch where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import interpreted, written
from layer_values import RNG, compared, spec_of

from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Part = tuple[object, ...]


def normed(
    x: np.ndarray, parts: Iterator[Part], p: Mapping[str, np.ndarray], eps: float = 1e-5
) -> np.ndarray:
    """Every part of x with a mean of 0 and a deviation of 1."""
    y = np.empty_like(x)
    for part in parts:
        numbers = list(x[part].ravel())
        mean = sum(numbers) / len(numbers)
        variance = sum((v - mean) ** 2 for v in numbers) / len(numbers)
        y[part] = (x[part] - mean) / np.sqrt(variance + eps)
    return np.asarray(y * p.get("gamma", 1) + p.get("beta", 0))


def channels(x: np.ndarray) -> Iterator[Part]:
    return ((..., c) for c in range(x.shape[-1]))


def groups(x: np.ndarray, number: int) -> Iterator[Part]:
    size = x.shape[-1] // number
    return ((n, ..., slice(g * size, (g + 1) * size)) for n in range(len(x)) for g in range(number))


def instances(x: np.ndarray) -> Iterator[Part]:
    return ((n, ..., c) for n in range(len(x)) for c in range(x.shape[-1]))


KINDS: dict[str, tuple[str, tuple[int, ...], Callable[..., np.ndarray]]] = {
    "batch": ("batch_norm(x, momentum=false)", (5, 3), lambda x, p: normed(x, channels(x), p)),
    "batch1": (
        "batch_norm1d(x, bias=false, momentum=false)",
        (3, 4, 2),
        lambda x, p: normed(x, channels(x), p),
    ),
    "batch2": (
        "batch_norm2d(x, eps=0.1, momentum=false)",
        (2, 3, 4, 5),
        lambda x, p: normed(x, channels(x), p, 0.1),
    ),
    "batch3": ("batch_norm3d(x, momentum=false)", (3, 1, 2, 2, 1), lambda x, p: normed(x, channels(x), p)),
    "group": ("group_norm(x, groups=2)", (3, 6), lambda x, p: normed(x, groups(x, 2), p)),
    "group1": ("group_norm1d(x, groups=3)", (2, 1, 6), lambda x, p: normed(x, groups(x, 3), p)),
    "group2": ("group_norm2d(x, groups=2)", (2, 4, 3, 6), lambda x, p: normed(x, groups(x, 2), p)),
    "group3": ("group_norm3d(x, groups=1)", (2, 1, 3, 2, 4), lambda x, p: normed(x, groups(x, 1), p)),
    "instance1": ("instance_norm1d(x)", (2, 5, 3), lambda x, p: normed(x, instances(x), p)),
    "instance2": ("instance_norm2d(x)", (2, 3, 4, 1), lambda x, p: normed(x, instances(x), p)),
    "instance3": ("instance_norm3d(x)", (1, 2, 3, 1, 4), lambda x, p: normed(x, instances(x), p)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_has_a_mean_of_0_and_a_deviation_of_1(kind: str, tmp_path: Path) -> None:
    call, shape, meaning = KINDS[kind]
    compared(spec_of(call, shape), {"x": RNG.normal(size=shape)}, meaning, tmp_path)


@pytest.mark.parametrize("kind", ["batch", "batch2", "group2", "instance2"])
def test_they_are_pytorchs(kind: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layers = {
        "batch": lambda c: nn.BatchNorm1d(c),
        "batch2": lambda c: nn.BatchNorm2d(c, eps=0.1),
        "group2": lambda c: nn.GroupNorm(2, c),
        "instance2": lambda c: nn.InstanceNorm2d(c),
    }
    call, shape, _ = KINDS[kind]
    module = interpreted(written(spec_of(call, shape), tmp_path))
    params = module.unflatten(RNG.normal(size=module.SIZE))
    layer = layers[kind](shape[-1]).double()
    with torch.no_grad():
        for own, theirs in zip(params, layer.parameters(), strict=True):
            theirs.copy_(torch.tensor(own))
    x = RNG.normal(size=shape)
    found = layer(torch.tensor(np.moveaxis(x, -1, 1)))
    np.testing.assert_allclose(
        module.forward(params, x), np.moveaxis(found.detach().numpy(), 1, -1), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize(
    ("equation", "problem"),
    [
        ("group_norm2d(x, groups=4)", "4 groups cannot share 6 channels; expected a number of groups that"),
        ("group_norm2d(x, groups=0)", "groups is 0; expected at least 1"),
        ("batch_norm(x)", r"batch_norm takes \[batch, channels\], 'x' is \[n, 4, 3, 6\]"),
        ("instance_norm2d(x, eps=0)", "eps is 0; expected a number above 0"),
    ],
)
def test_wrong_calls_are_refused_with_their_place(equation: str, problem: str) -> None:
    with pytest.raises(SpecError, match=rf"equations\.y:1:\d+: .*({problem})"):
        elaborate(expand(read({"inputs": {"x": ["n", 4, 3, 6]}, "equations": {"y": equation}})))
