"""The library's layers as they are defined, written in NumPy, and the names their parameters bear."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz import blocks, sequence_layers, windowed
from fuzz.broadcast import added, aligned, matmul, multiplied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fuzz.arithmetic import Arithmetic

    Parameter = Callable[[str], np.ndarray]
    Options = Mapping[str, Any]

RANKS = (1, 2, 3)
ACTIVATIONS = ("prelu", "swish")
ROW_NORMS = ("layer_norm", "rms_norm")
PLACE_NORMS = (
    *(f"{kind}_norm{rank}d" for kind in ("batch", "group", "instance") for rank in RANKS),
    "batch_norm",
    "group_norm",
)
WINDOWED = (
    *(f"conv{rank}d" for rank in RANKS),
    *(f"conv_transpose{rank}d" for rank in RANKS[:2]),
    *(f"{kind}_pool{rank}d" for kind in ("max", "avg") for rank in RANKS),
    *(f"adaptive_avg_pool{rank}d" for rank in RANKS[:2]),
    *(f"upsample{rank}d" for rank in RANKS[:2]),
    *("global_avg_pool", "global_max_pool", "patch_embedding", "squeeze_excite"),
)
OF_PLACES = ("positional", "sinusoidal", "rotary", "attention", "cross_attention")
OF_LAYERS = ("feed_forward", "transformer_block")
DENSE = ("dense", "maxout", "glu", "swiglu")
LAYERS = (
    *(*DENSE, *ROW_NORMS, *PLACE_NORMS, *WINDOWED, *OF_PLACES, *OF_LAYERS),
    *("embedding", *sequence_layers.NAMES, "last", *ACTIVATIONS),
)

LEARNT = tuple(
    name
    for name in LAYERS
    if "pool" not in name
    and not name.startswith(("upsample", "instance"))
    and name not in ("sinusoidal", "rotary", "last", *ACTIVATIONS)
)
"""Those with parameters, which chains count."""


def layer_value(
    name: str,
    x: np.ndarray,
    parameter: Parameter,
    options: Options,
    arithmetic: Arithmetic,
    activated: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """The output of a layer without its activation; `parameter` knows W, b, ... by these names.

    `options` are the arguments of the call by name; `activated` is the activation inside of a block.
    """
    if options.get("layout") == "channels_first":  # behind the axis of directions and that of the batch
        last = {key: given for key, given in options.items() if key != "layout"}
        found = layer_value(name, np.moveaxis(x, 2, -1), parameter, last, arithmetic, activated)
        return np.moveaxis(found, -1, 2) if found.ndim == x.ndim else found
    if name in WINDOWED:
        return _windowed(name, x, parameter, options, arithmetic)
    if name in PLACE_NORMS:
        return _normed_places(name, x, parameter, options, arithmetic)
    if name in (*OF_PLACES, *OF_LAYERS, *ROW_NORMS):
        return _of_rows(name, x, parameter, options, arithmetic, activated)
    if name in sequence_layers.NAMES:
        return sequence_layers.gone_through(name, x, parameter, options, arithmetic)
    if name == "last":
        return sequence_layers.last_of(x, options)
    bias = options.get("bias") is not False

    def affine(weight: str, shift: str) -> np.ndarray:
        product = matmul(x, parameter(weight))
        return added(product, parameter(shift)) if bias else product

    match name:
        case "dense":
            return affine("W", "b")
        case "maxout":
            pieces = np.stack(
                [
                    added(matmul(x, parameter("W")[:, :, k]), parameter("b")[:, k])
                    for k in range(parameter("W").shape[2])
                ],
                axis=-1,
            )
            return arithmetic.extreme(pieces, 1)
        case "glu":
            return affine("W", "b") * _sigmoid(affine("V", "c"))
        case "swiglu":
            gate = affine("W", "b")
            return gate * _sigmoid(gate) * affine("V", "c")
        case "prelu":
            x, sloped = np.broadcast_arrays(*aligned(x, multiplied(parameter("a"), x)))
            return arithmetic.choose(x.real > 0, x.real, x, sloped)
    return multiplied(x, _sigmoid(multiplied(parameter("beta"), x)))


def _windowed(
    name: str, x: np.ndarray, parameter: Parameter, options: Options, arithmetic: Arithmetic
) -> np.ndarray:
    kind = name.rstrip("123d") if name[-1] == "d" and name[-2].isdigit() else name
    match kind:
        case "conv" | "conv_transpose":
            compute = windowed.correlated if kind == "conv" else windowed.scattered
            return _shifted(compute(x, parameter("W"), options), parameter, options)
        case "patch_embedding":
            found = windowed.correlated(x, parameter("W"), {"stride": options["patch"]})
            shifted = _shifted(found, parameter, options)
            return shifted.reshape(*shifted.shape[:2], -1, shifted.shape[-1])
        case "max_pool" | "avg_pool":
            return windowed.pooled(kind[:3], x, options, arithmetic)
        case "global_avg_pool" | "global_max_pool":
            return windowed.pooled_whole(kind[7:10], x, arithmetic)
        case "adaptive_avg_pool":
            return windowed.pooled_to(x, options["output_size"])
        case "upsample":
            return windowed.enlarged(x, options.get("factor", 2), options.get("mode", "nearest"))
    squeezed = windowed.pooled_whole("avg", x, arithmetic)
    inner = added(matmul(squeezed, parameter("W")), parameter("b"))
    arithmetic.near(inner.real)
    gate = _sigmoid(added(matmul(np.where(inner.real > 0, inner, 0), parameter("V")), parameter("c")))
    return x * gate[:, :, None, None, :]


def _shifted(z: np.ndarray, parameter: Parameter, options: Options) -> np.ndarray:
    return z if options.get("bias") is False else added(z, parameter("b"))


def _normed_places(
    name: str, x: np.ndarray, parameter: Parameter, options: Options, arithmetic: Arithmetic
) -> np.ndarray:
    """Of batches all rows and places together, of groups and instances each row alone."""
    groups = {"b": 1, "g": options.get("groups", 1), "i": x.shape[-1]}[name[0]]
    if name.startswith("batch"):
        z, axes = x, tuple(range(1, x.ndim - 1))
    else:
        z = x.reshape(*x.shape[:-1], groups, -1)
        axes = (*range(2, z.ndim - 2), z.ndim - 1)
    normed = _standard(z, axes, options.get("eps", 1e-5), arithmetic).reshape(x.shape)
    return normed if name.startswith("instance") else _scaled(normed, parameter, options)


def _standard(z: np.ndarray, axes: tuple[int, ...], eps: float, arithmetic: Arithmetic) -> np.ndarray:
    count = int(np.prod([z.shape[axis] for axis in axes]))
    centred = z - z.sum(axis=axes, keepdims=True) / count
    return _over_root_mean_square(centred, axes, eps, arithmetic)


def _over_root_mean_square(
    z: np.ndarray, axes: tuple[int, ...], eps: float, arithmetic: Arithmetic
) -> np.ndarray:
    count = int(np.prod([z.shape[axis] for axis in axes]))
    mean = (z * z).sum(axis=axes, keepdims=True) / count
    root = arithmetic.function("sqrt", mean + arithmetic.number(repr(eps)))
    return arithmetic.quotient(z, root)


def _scaled(z: np.ndarray, parameter: Parameter, options: Options, suffix: str = "") -> np.ndarray:
    found = multiplied(parameter(f"gamma{suffix}"), z)
    return found if options.get("bias") is False else added(found, parameter(f"beta{suffix}"))


def _of_rows(
    name: str,
    x: np.ndarray,
    parameter: Parameter,
    options: Options,
    arithmetic: Arithmetic,
    activated: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """What norms of rows, attention, places and blocks make of rows of features."""
    last = (x.ndim - 1,)

    bias = options.get("bias") is not False

    def normed(z: np.ndarray, kind: str, has_shift: bool, suffix: str = "") -> np.ndarray:
        is_rms = kind == "rms_norm"
        over = _over_root_mean_square if is_rms else _standard
        eps = options.get("eps", 1.1920929e-7 if is_rms else 1e-5)
        return _scaled(over(z, last, eps, arithmetic), parameter, {"bias": has_shift and not is_rms}, suffix)

    def fed(z: np.ndarray) -> np.ndarray:
        assert activated
        inner = activated(_shifted(matmul(z, parameter("W")), parameter, options))
        outer = matmul(inner, parameter("W_2"))
        return added(outer, parameter("b_2")) if bias else outer

    match name:
        case "layer_norm" | "rms_norm":
            return normed(x, name, bias)
        case "feed_forward":
            return fed(x)
        case "positional":
            return added(x, parameter("P"))
        case "sinusoidal":
            return blocks.waves(x, options.get("base", 10000), arithmetic)
        case "rotary":
            return blocks.turned(x, options.get("base", 10000), arithmetic)
        case "transformer_block":
            kind = str(options.get("norm", "layer_norm"))
            z = normed(x, kind, True)
            beside = x + blocks.attended(z, z, parameter, options)
            return beside + fed(normed(beside, kind, True, "_2"))
    return blocks.attended(x, options.get("memory", x), parameter, options)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def own_name(owner: str, letter: str, number: str = "") -> str:
    """W of the third layer of a chain is W3 (its owner is called #3), of the equation h it is h_W.

    Where an equation has several layers, it is h_W1, h_W2, ...
    """
    return f"{letter}{owner[1:]}" if owner.startswith("#") else f"{owner}_{letter}{number}"


def layer_numbers(formula: ast.expr) -> dict[int, str]:
    """The number of each layer call among those of its equation, inner first; activations count apart."""
    found: dict[bool, list[int]] = {True: [], False: []}

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            visit(child)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LAYERS:
            found[node.func.id in ACTIVATIONS].append(id(node))

    visit(formula)
    return {key: str(n + 1) for keys in found.values() if len(keys) > 1 for n, key in enumerate(keys)}
