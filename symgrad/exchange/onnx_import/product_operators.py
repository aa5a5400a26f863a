"""Products: of matrices, dense layers, in Einstein's notation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.exchange.onnx_import.onnx_graph import OnnxNode
from symgrad.exchange.onnx_import.patterns import DENSE
from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    PRODUCT,
    SUM,
    AlongAxis,
    ReadValue,
    Tree,
    WholeFormula,
    moved,
    number_text,
)
from symgrad.exchange.onnx_import.spec_builder import DenseRow, base_name, layer_name

if TYPE_CHECKING:
    from symgrad.exchange.onnx_import.spec_builder import SpecBuilder


def dense(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """A dense layer, with the activation that alone takes it."""
    wanted = layer_name(node.inputs[1], node.outputs[0], node)
    text, x = build.whole(build.input(node, 0), build.called(node, 0))
    weight = build.known[node.inputs[1]]
    weight = weight.T if node.attributes.get("transposed") else weight
    if text is None or text.endswith(".T") or len(x.shape) < 2:
        return _affine(build, node, x, weight)
    if x.shape[-1] != weight.shape[0]:
        node.refuse(f"multiplies rows of {x.shape[-1]} with {weight.shape[0]} rows of numbers")
    units, bias = weight.shape[1], build.known[node.inputs[2]].ravel() if node.inputs[2] else None
    shape = (*x.shape[:-1], units)
    formula = f"dense({text}, {units}{'' if node.inputs[2] else ', bias=false'})"
    rank = len(shape)
    value = ReadValue(shape, WholeFormula(formula, ATOM, tuple(range(rank)), shape))
    called = tuple(name for name in node.inputs[1:] if name)
    row = DenseRow(text, units, "", weight, bias, called)
    build.rows[node.outputs[0]] = wanted, row
    return value


def _affine(build: SpecBuilder, node: OnnxNode, x: ReadValue, weight: object) -> ReadValue:
    """The same for what is no whole tensor."""
    matrix = build.given(build.parameters, node.inputs[1], np.asarray(weight))
    found = multiplied(build, node, x, matrix)
    if not node.inputs[2]:
        return found
    return build.applied(node, "{} + {}", [found, build.input(node, 2)], SUM, (SUM, SUM))


def matmul(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    return multiplied(build, node, build.input(node, 0), build.input(node, 1))


def multiplied(build: SpecBuilder, node: OnnxNode, a: ReadValue, b: ReadValue) -> ReadValue:
    wanted = base_name(node.outputs[0], node)
    if not a.shape or not b.shape:
        node.refuse("multiplies a single number")
    if a.shape[-1] != b.shape[-2 if len(b.shape) > 1 else 0]:
        node.refuse(f"multiplies shapes {list(a.shape)} and {list(b.shape)}")
    if len(a.shape) == len(b.shape) == 2:
        left, a = build.whole(a, wanted + "_left")
        right, b = build.whole(b, wanted + "_right")
        if left and right:
            shape = (a.shape[0], b.shape[1])
            return ReadValue(shape, WholeFormula(f"{left} @ {right}", PRODUCT, (0, 1), shape))
    stack = [f"s{k}" for k in range(max(len(a.shape), len(b.shape), 2) - 2)]
    left_axes = [*stack[len(stack) - len(a.shape) + 2 :], "row", "inner"][-len(a.shape) :]
    right_axes = (
        [*stack[len(stack) - len(b.shape) + 2 :], "inner", "column"] if len(b.shape) > 1 else ["inner"]
    )
    result = [*stack, *(["row"] if len(a.shape) > 1 else []), *(["column"] if len(b.shape) > 1 else [])]
    left_axes = ["inner"] if len(a.shape) == 1 else left_axes
    return build.product([a, b], [left_axes, right_axes], result)


def gemm(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """alpha·A·B + beta·C, where it is no dense layer."""
    told = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **node.attributes}
    a, b = (
        _transposed(build.input(node, k)) if told[turned] else build.input(node, k)
        for k, turned in enumerate(("transA", "transB"))
    )
    found = _scaled(build, node, multiplied(build, node, a, b), told["alpha"])
    if len(node.inputs) < 3 or not node.inputs[2]:
        return found
    return build.applied(
        node, "{} + {}", [found, _scaled(build, node, build.input(node, 2), told["beta"])], SUM, (SUM, SUM)
    )


def _scaled(build: SpecBuilder, node: OnnxNode, value: ReadValue, by: float) -> ReadValue:
    if by == 1:
        return value
    return build.applied(node, f"{number_text(by)} * {{}}", [value], PRODUCT, (PRODUCT,))


def _transposed(value: ReadValue) -> ReadValue:
    swapped: dict[int, Tree] = {0: AlongAxis(1), 1: AlongAxis(0)}
    return ReadValue(value.shape[::-1], moved(value.tree, swapped))


def einsum(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    text = str(node.attributes.get("equation", "")).replace(" ", "")
    given, arrow, result = text.partition("->")
    terms = given.split(",")
    operands = [build.input(node, number) for number in range(len(node.inputs))]
    fits = [len(term) == len(operand.shape) for term, operand in zip(terms, operands, strict=False)]
    letters = text.replace(",", "").replace("->", "")
    is_plain = letters.isalpha() and all(len(set(term)) == len(term) for term in terms)
    if not arrow or len(terms) != len(operands) or not all(fits) or not is_plain:
        node.refuse(f"has the equation {text!r}", "expected one such as ij,jk->ik, without repeated letters")
    return build.product(operands, terms, result)


def linear(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """A linear regression of scikit-learn."""
    targets = node.attributes.get("targets", 1)
    weight = (
        np.asarray(node.attributes.get("coefficients", ()), build.graph.float_type).reshape(targets, -1).T
    )
    bias = np.asarray(node.attributes.get("intercepts", ()), build.graph.float_type)
    if node.attributes.get("post_transform", "NONE") != "NONE" or bias.size not in (0, targets):
        node.refuse("does something to its result", "expected post_transform NONE")
    names = (f"{node.outputs[0]}.weight", f"{node.outputs[0]}.bias" if bias.size else "")
    build.known |= dict(zip(names, (weight, bias), strict=True))
    return dense(build, OnnxNode(DENSE, node.name, (node.inputs[0], *names), node.outputs))
