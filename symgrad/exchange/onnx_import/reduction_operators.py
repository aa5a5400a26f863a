"""Reductions over axes, and softmax, which is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    POWER,
    AlongAxis,
    ReadValue,
    WholeFormula,
    axes_of,
    moved,
    plain_text,
)
from symgrad.exchange.onnx_import.shape_operators import axes_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.exchange.onnx_import.onnx_graph import OnnxNode
    from symgrad.exchange.onnx_import.spec_builder import SpecBuilder

REDUCTIONS = {
    "ReduceSum": ("{}", "sum", "{}"),
    "ReduceMean": ("{}", "mean", "{}"),
    "ReduceMax": ("{}", "max", "{}"),
    "ReduceMin": ("{}", "min", "{}"),
    "ReduceLogSumExp": ("{}", "logsumexp", "{}"),
    "ReduceL1": ("abs({})", "sum", "{}"),
    "ReduceL2": ("{}**2", "sum", "sqrt({})"),
    "ReduceSumSquare": ("{}**2", "sum", "{}"),
    "ReduceLogSum": ("{}", "sum", "log({})"),
}
"""What is done to entries, how they are reduced, and what is done to the result."""


def reduction(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    each, function, total = REDUCTIONS[node.operator]
    value = build.input(node, 0)
    rank, axes = len(value.shape), axes_in(build, node, 1)
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            return value
        axes = tuple(range(rank))
    axes = tuple(sorted({axis % rank for axis in axes})) if rank else ()
    needs = ATOM if each.endswith("**2") else 0
    inside = value if each == "{}" else build.applied(node, each, [value], POWER if needs else ATOM, (needs,))
    found = build.reduced(function, inside, axes, build.called(node, 0)) if axes else inside
    if total != "{}":
        found = build.applied(node, total, [found])
    return with_axes(found, axes, rank) if node.attributes.get("keepdims", 1) else found


def with_axes(value: ReadValue, axes: Sequence[int], rank: int) -> ReadValue:
    """Axes of length 1 at these places."""
    rest = [axis for axis in range(rank) if axis not in axes]
    shape = iter(value.shape)
    sizes = tuple(1 if axis in axes else next(shape) for axis in range(rank))
    return ReadValue(sizes, moved(value.tree, {k: AlongAxis(axis) for k, axis in enumerate(rest)}))


def softmax(function: str, build: SpecBuilder, node: OnnxNode) -> ReadValue:
    value = build.input(node, 0)
    rank = len(value.shape)
    axis = node.attributes.get("axis", 1 if build.graph.opset < 13 else -1)
    is_flat = build.graph.opset < 13 and rank != 2
    if axis % max(rank, 1) != rank - 1 or is_flat:
        node.refuse(f"runs along axis {axis} of {rank}", "expected the last axis")
    if plain_text(value.tree, rank) is None or rank - 1 not in axes_of(value.tree):
        value = build.stored(value, build.called(node, 0))
    text = plain_text(value.tree, rank)
    if text is None or axes_of(value.tree) != list(range(rank)):
        return node.refuse("runs over what is no whole tensor")
    if function == "softmax" and rank == 2:
        build.scores[node.outputs[0]] = ("softmax_cross_entropy", node.inputs[0])
    return ReadValue(
        value.shape, WholeFormula(f"{function}({text[0]})", ATOM, tuple(range(rank)), value.shape)
    )
