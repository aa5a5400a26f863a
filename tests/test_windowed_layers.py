"""Convolutions, pooling and their like by name: values by explicit loops, slopes by differences of these."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from explicit_windows import convolved, each, ends, pooled, transposed
from seeds import SEED

from symgrad.graphs.interpret import interpret
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

STEP = 1e-5


def written(value: Any) -> str:
    """A number, a word or a tuple as a call says it."""
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def call_of(layer: str, *positional: Any, **arguments: Any) -> str:
    """The call of a layer over x."""
    given = [written(value) for value in positional] + [f"{n}={written(v)}" for n, v in arguments.items()]
    return f"{layer}(x{''.join(', ' + text for text in given)})"


def agrees(
    call: str, shape: tuple[int, ...], expected: Callable[..., Array], rng: np.random.Generator
) -> None:
    """Value and slopes of a layer, as the last program before code has them, beside a function."""
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", *shape[1:]]},
        "equations": {"y": call},
        "loss": "sum(y**2) / 2",
        "gradients": ["x"],
        "outputs": ["y"],
    }
    program = stages_of(read(spec)).arranged
    given = {"x": rng.normal(size=shape)}
    for tensor in program.of_kind("parameter"):
        given[tensor.name] = rng.normal(size=[axis.size for axis in tensor.axes])
    found = interpret(program, given, {"batch": shape[0]})
    arrays = [given["x"], *(given[name] for name in given if name != "x")]
    np.testing.assert_allclose(found["y"], expected(*arrays), rtol=1e-10, atol=1e-10, err_msg=call)
    slopes = {gradient.of: found[gradient.name] for gradient in program.gradients}
    for name, slope in slopes.items():
        way = rng.normal(size=np.shape(given[name]))
        moved = ([a + sign * STEP * way if of == name else a for of, a in given.items()] for sign in (1, -1))
        ahead, back = (float(np.sum(expected(*arrays) ** 2)) / 2 for arrays in moved)
        difference = (ahead - back) / (2 * STEP)
        np.testing.assert_allclose(np.sum(slope * way), difference, 1e-5, 1e-5, err_msg=f"{call}: {name}")


def along(rng: np.random.Generator, rank: int, least: int, most: int) -> Any:
    """A number for every axis, or one for all."""
    numbers = tuple(int(n) for n in rng.integers(least, most + 1, rank))
    return numbers if rank > 1 and rng.random() < 0.7 else numbers[0]


def a_window(rng: np.random.Generator, rank: int, words: tuple[str, ...]) -> dict[str, Any]:
    """A kernel and how it moves."""
    padding = along(rng, rank, 0, 2) if rng.random() < 0.6 else str(rng.choice(words))
    return {
        "kernel": along(rng, rank, 1, 3),
        "stride": along(rng, rank, 1, 3),
        "padding": padding,
        "dilation": along(rng, rank, 1, 2),
    }


def a_shape(rng: np.random.Generator, window: dict[str, Any], rank: int, channels: int) -> tuple[int, ...]:
    """Rows, axes in which the window fits, all different where they may be, and channels."""
    kernel, dilation = each(window["kernel"], rank), each(window.get("dilation", 1), rank)
    least = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = [max(1, n - int(rng.integers(0, 2))) + int(rng.integers(0, 4)) for n in least]
    around = ends(sizes, kernel, window["stride"], window.get("padding", 0), dilation)
    fitting = [max(n, reach - sum(two)) for n, reach, two in zip(sizes, least, around, strict=True)]
    return (2, *fitting, channels)


@pytest.mark.parametrize("number", range(18))
def test_a_convolution_is_the_sum_over_its_windows(number: int) -> None:
    rng = np.random.default_rng([SEED, number])
    rank = (1, 2, 2, 3)[number % 4]
    window = a_window(rng, rank, ("same", "valid", "causal") if rank == 1 else ("same", "valid"))
    groups = int(rng.choice([1, 1, 2, 3]))
    channels, units = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    shape = a_shape(rng, window, rank, channels)
    options = {**window, "bias": "true" if rng.random() < 0.7 else "false"}
    if groups > 1 or rng.random() < 0.2:
        options["groups"] = "channels" if groups == channels else groups
    expected = partial(convolved, groups=groups, **{n: window[n] for n in ("stride", "padding", "dilation")})
    agrees(call_of(f"conv{rank}d", units, **options), shape, expected, rng)


@pytest.mark.parametrize("number", range(6))
def test_a_transposed_convolution_adds_a_kernel_for_every_entry(number: int) -> None:
    rng = np.random.default_rng([SEED, number, 1])
    rank = 1 + number % 3
    stride = along(rng, rank, 1, 3)
    more = tuple(int(rng.integers(0, s)) for s in each(stride, rank))
    options = {
        "stride": stride,
        "padding": along(rng, rank, 0, 1),
        "output_padding": more if rank > 1 else more[0],
    }
    kernel = along(rng, rank, 2, 4)
    shape = (2, *(int(n) for n in rng.choice([2, 3, 4, 5], rank, replace=False)), int(rng.integers(1, 4)))
    call = call_of(f"conv_transpose{rank}d", int(rng.integers(1, 4)), kernel=kernel, **options)
    agrees(call, shape, partial(transposed, **options), rng)


@pytest.mark.parametrize("number", range(9))
def test_pooling_takes_the_largest_or_the_mean(number: int) -> None:
    rng = np.random.default_rng([SEED, number, 2])
    rank, kind = 1 + number % 3, ("max", "avg")[number // 3 % 2]
    window = {**a_window(rng, rank, ("same", "valid")), "kernel": along(rng, rank, 2, 3)}
    if isinstance(window["padding"], tuple | int):
        window["padding"] = along(rng, rank, 0, 1)
    if kind == "avg":
        del window["dilation"]
    if number % 4 == 0:
        del window["stride"]
    given = {"stride": window["kernel"], **window}
    shape = a_shape(rng, given, rank, 2)
    if kind == "max":
        shape = (2, *(max(n, 2) for n in shape[1:-1]), 2)
    entries = math.prod(each(window["kernel"], rank))
    of = (lambda met: met.max(axis=0)) if kind == "max" else (lambda met: met.sum(axis=0) / entries)
    agrees(call_of(f"{kind}_pool{rank}d", **window), shape, partial(pooled, of, **window), rng)


def repeated(x: Array, *factors: int) -> Array:
    """Every entry so many times along each axis."""
    for axis, factor in enumerate(factors, start=1):
        x = np.repeat(x, factor, axis=axis)
    return x


def between(x: Array, *factors: int) -> Array:
    """Numbers between the middles of entries, one place at a time."""
    for axis, factor in enumerate(factors, start=1):
        n = x.shape[axis]
        places = [min(max((i + 0.5) / factor - 0.5, 0), n - 1) for i in range(n * factor)]
        lower = [min(math.floor(p), n - 1) for p in places]
        upper = [min(a + 1, n - 1) for a in lower]
        part = np.array([p - a for p, a in zip(places, lower, strict=True)])
        part = part.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        x = np.take(x, lower, axis) * (1 - part) + np.take(x, upper, axis) * part
    return x


def adapted(of: Callable[..., Array], x: Array, *numbers: int) -> Array:
    """What `of` makes of so many windows along each axis, one window at a time."""
    for axis, windows in enumerate(numbers, start=1):
        size = x.shape[axis]
        ends = [(i * size // windows, math.ceil((i + 1) * size / windows)) for i in range(windows)]
        x = np.stack([of(np.take(x, range(*window), axis), axis=axis) for window in ends], axis)
    return x


def embedded(x: Array, W: Array, b: Array) -> Array:
    rows = convolved(x, W, b, stride=W.shape[:2])
    return rows.reshape(len(x), -1, W.shape[-1])


def gated(x: Array, W: Array, b: Array, V: Array, c: Array) -> Array:
    hidden = np.maximum(x.mean(axis=(1, 2)) @ W + b, 0)
    return x * (1 / (1 + np.exp(-hidden @ V - c)))[:, None, None]


@pytest.mark.parametrize(
    ("call", "shape", "expected"),
    [
        ("global_avg_pool(x)", (2, 5, 3), lambda x: x.mean(axis=1)),
        ("global_avg_pool(x)", (2, 3, 4, 2), lambda x: x.mean(axis=(1, 2))),
        ("global_max_pool(x)", (2, 3, 4, 2), lambda x: x.max(axis=(1, 2))),
        ("global_max_pool(x)", (2, 1, 1, 2), lambda x: x[:, 0, 0]),
        ("adaptive_avg_pool1d(x, 2)", (2, 6, 3), lambda x: x.reshape(2, 2, 3, 3).mean(axis=2)),
        (
            "adaptive_avg_pool2d(x, output_size=(2, 1))",
            (2, 4, 3, 2),
            lambda x: x.reshape(2, 2, 2, 1, 3, 2).mean(axis=(2, 4)),
        ),
        ("adaptive_max_pool1d(x, 3)", (2, 6, 2), lambda x: x.reshape(2, 3, 2, 2).max(axis=2)),
        ("adaptive_avg_pool1d(x, 3, equal=false)", (2, 7, 2), lambda x: adapted(np.mean, x, 3)),
        ("adaptive_max_pool1d(x, 5, equal=false)", (2, 3, 2), lambda x: adapted(np.max, x, 5)),
        (
            "adaptive_avg_pool2d(x, output_size=(3, 2), equal=false)",
            (2, 4, 5, 2),
            lambda x: adapted(np.mean, x, 3, 2),
        ),
        (
            "adaptive_max_pool2d(x, output_size=(2, 3), equal=false)",
            (2, 5, 4, 1),
            lambda x: adapted(np.max, x, 2, 3),
        ),
        ("upsample1d(x, 3)", (2, 4, 2), lambda x: repeated(x, 3)),
        ("upsample2d(x)", (2, 3, 4, 2), lambda x: repeated(x, 2, 2)),
        ("upsample2d(x, factor=(1, 3))", (2, 3, 2, 2), lambda x: repeated(x, 1, 3)),
        ("upsample2d(x, factor=(2, 3), mode=bilinear)", (2, 3, 4, 1), lambda x: between(x, 2, 3)),
        ("upsample2d(x, mode=bilinear)", (2, 1, 2, 2), lambda x: between(x, 2, 2)),
        ("patch_embedding(x, 5, patch=(2, 3))", (2, 4, 6, 2), embedded),
        ("squeeze_excite(x, reduction=2)", (3, 2, 4, 6), gated),
        ("squeeze_excite(x, reduction=3)", (2, 1, 1, 3), gated),
    ],
)
def test_a_layer_is_what_it_says(call: str, shape: tuple[int, ...], expected: Callable[..., Array]) -> None:
    agrees(call, shape, expected, np.random.default_rng(len(call)))
