"""The library's layers as they are defined, written in NumPy, and the names their parameters bear."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

from fuzz.broadcast import added, aligned, matmul, multiplied

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz.arithmetic import Arithmetic

ACTIVATIONS = ("prelu", "swish")
NORMS = ("layer_norm", "rms_norm")
LAYERS = ("dense", "maxout", "glu", "swiglu", *NORMS, *ACTIVATIONS)


def layer_value(
    name: str, x: np.ndarray, parameter: Callable[[str], np.ndarray], bias: bool, arithmetic: Arithmetic
) -> np.ndarray:
    """The output of a layer without its activation; `parameter` knows W, b, ... by these names."""

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
        case "layer_norm":
            centred = x - x.sum(axis=-1, keepdims=True) / x.shape[-1]
            normed = arithmetic.quotient(centred, _root_mean_square(centred, 1e-5, arithmetic))
            found = multiplied(parameter("gamma"), normed)
            return added(found, parameter("beta")) if bias else found
        case "rms_norm":
            normed = arithmetic.quotient(x, _root_mean_square(x, 1.1920929e-7, arithmetic))
            return multiplied(parameter("gamma"), normed)
        case "prelu":
            x, sloped = np.broadcast_arrays(*aligned(x, multiplied(parameter("a"), x)))
            return arithmetic.choose(x.real > 0, x.real, x, sloped)
    return multiplied(x, _sigmoid(multiplied(parameter("beta"), x)))


def _root_mean_square(z: np.ndarray, eps: float, arithmetic: Arithmetic) -> np.ndarray:
    mean = (z * z).sum(axis=-1, keepdims=True) / z.shape[-1]
    return arithmetic.function("sqrt", mean + arithmetic.number(repr(eps)))


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
