"""What operators are in the language of specs, one row or one function each."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from symgrad.exchange.onnx_import.normalisations import batch_norm, layer_norm, scaler
from symgrad.exchange.onnx_import.patterns import DENSE
from symgrad.exchange.onnx_import.product_operators import dense, einsum, gemm, linear, matmul
from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    FixedNumber,
    ReadValue,
    number_text,
)
from symgrad.exchange.onnx_import.reduction_operators import REDUCTIONS, reduction, softmax
from symgrad.exchange.onnx_import.shape_operators import SHAPES
from symgrad.exchange.onnx_import.spec_builder import SpecBuilder, base_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.exchange.onnx_import.onnx_graph import OnnxNode

Reader: TypeAlias = "Callable[[SpecBuilder, OnnxNode], ReadValue | list[ReadValue]]"

_OF_ONE = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Mish": "mish",
    "HardSwish": "hardswish",
    **{name.title(): name for name in ("exp", "log", "sqrt", "abs", "sign", "erf")},
    **{name.title(): name for name in ("sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan")},
}
"""Functions of one number, and what they are called in specs."""
_OF_TWO = {
    "Add": ("{} + {}", SUM, (SUM, SUM)),
    "Sub": ("{} - {}", SUM, (SUM, PRODUCT)),
    "Mul": ("{} * {}", PRODUCT, (PRODUCT, PRODUCT)),
    "Div": ("{} / {}", PRODUCT, (PRODUCT, POWER)),
    "Pow": ("{}**{}", POWER, (ATOM, ATOM)),
}
_OF_MANY = {"Sum": _OF_TWO["Add"], "Max": ("max({}, {})", ATOM, (0, 0)), "Min": ("min({}, {})", ATOM, (0, 0))}
_RELATIONS = {"Less": "<", "LessOrEqual": "<=", "Greater": ">", "GreaterOrEqual": ">=", "Equal": "=="}


def _of_one(function: str, build: SpecBuilder, node: OnnxNode) -> ReadValue:
    return build.applied(node, f"{function}({{}})", [build.input(node, 0)])


def _of_two(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    form, level, needs = _OF_TWO[node.operator]
    return build.applied(node, form, [build.input(node, 0), build.input(node, 1)], level, needs)


def _of_many(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    form, level, needs = _OF_MANY[node.operator]
    first, *others = (build.input(node, number) for number in range(len(node.inputs)))
    for other in others:
        first = build.applied(node, form, [first, other], level, needs)
    return first


def _mean(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    total = first = build.input(node, 0)
    for number in range(1, len(node.inputs)):
        total = build.applied(node, "{} + {}", [total, build.input(node, number)], SUM, (SUM, SUM))
    count = len(node.inputs)
    return first if count == 1 else build.applied(node, f"{{}} / {count}", [total], PRODUCT, (PRODUCT,))


def _negative(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    return build.applied(node, "-{}", [build.input(node, 0)], SUM, (POWER,))


def _reciprocal(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    return build.applied(node, "1 / {}", [build.input(node, 0)], PRODUCT, (POWER,))


def _with_numbers(form: str, *numbers: tuple[str, float]) -> Reader:
    """A function with attributes that are numbers, and their defaults in ONNX; as {0}, {1} in the form."""

    def read(build: SpecBuilder, node: OnnxNode) -> ReadValue:
        found = [float(node.attributes.get(name, default)) for name, default in numbers]
        shortest = [float(str(np.float32(number))) for number in found]  # attributes are single numbers
        return build.applied(node, form.format(*map(number_text, shortest), x="{0}"), [build.input(node, 0)])

    return read


def _selu(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    if not node.attributes:
        return _of_one("selu", build, node)
    alpha, gamma = (
        node.attributes.get(n, d) for n, d in (("alpha", 1.67326319217), ("gamma", 1.05070102214))
    )
    return build.applied(
        node, f"{number_text(gamma)} * elu({{}}, alpha={number_text(alpha)})", [build.input(node, 0)], PRODUCT
    )


def _gelu(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    return _of_one("gelu_tanh" if node.attributes.get("approximate") == "tanh" else "gelu", build, node)


def _hard_sigmoid(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    slope, middle = (
        float(str(np.float32(node.attributes.get(n, d)))) for n, d in (("alpha", 0.2), ("beta", 0.5))
    )
    if middle == 0.5 and math.isclose(slope, 1 / 6, rel_tol=1e-6):
        return _of_one("hardsigmoid", build, node)
    form = f"clip({number_text(slope)} * {{}} + {number_text(middle)}, 0, 1)"
    return build.applied(node, form, [build.input(node, 0)], ATOM, (PRODUCT,))


def _prelu(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    x = build.stored(build.input(node, 0), base_name(node.outputs[0], node) + "_in")
    return build.applied(
        node, "where({0} > 0, {0}, {1} * {0})", [x, build.input(node, 1)], ATOM, (0, PRODUCT)
    )


def _clip(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    found = build.input(node, 0)
    for number, name, function in ((1, "min", "max"), (2, "max", "min")):
        bound = build.array(node, number)
        if bound is None and name in node.attributes:
            bound = np.array(node.attributes[name], np.float32)
        if (
            bound is not None
            and np.isfinite(bound).all()
            and abs(float(bound)) < float(np.finfo(np.float32).max)
        ):
            found = build.applied(node, f"{function}({{}}, {number_text(float(str(bound)))})", [found])
    return found


def _where(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    yes, no = build.input(node, 1), build.input(node, 2)
    return _chosen(build, node, node.inputs[0], yes, no)


def _chosen(build: SpecBuilder, node: OnnxNode, condition: str, yes: ReadValue, no: ReadValue) -> ReadValue:
    """One value where a condition holds, else the other: nested where it joins conditions."""
    made = {name: other for other in build.graph.nodes for name in other.outputs}.get(condition)
    if made is None:
        node.refuse(
            "chooses by what is no comparison", "expected Less, Greater, Equal, And, Or, Not before it"
        )
    if made.operator == "Not":
        return _chosen(build, node, made.inputs[0], no, yes)
    if made.operator == "And":
        inner = _chosen(build, node, made.inputs[1], yes, no)
        return _chosen(build, node, made.inputs[0], inner, no)
    if made.operator == "Or":
        inner = _chosen(build, node, made.inputs[1], yes, no)
        return _chosen(build, node, made.inputs[0], yes, inner)
    if made.operator not in _RELATIONS:
        node.refuse(f"chooses by {made.operator}", "expected Less, Greater, Equal, And, Or, Not before it")
    a, b = build.input(made, 0), build.input(made, 1)
    form = f"where({{}} {_RELATIONS[made.operator]} {{}}, {{}}, {{}})"
    return build.applied(node, form, [a, b, yes, no])


def _nothing(_build: SpecBuilder, _node: OnnxNode) -> ReadValue:
    """A condition: read where it is used."""
    return ReadValue((), FixedNumber(0))


def _sigmoid(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    if len(build.input(node, 0).shape) in (1, 2):
        build.scores[node.outputs[0]] = ("binary_cross_entropy_with_logits", node.inputs[0])
    return _of_one("sigmoid", build, node)


def _cast(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """Between numbers of the network's type nothing; whole numbers become such."""
    if node.attributes.get("to") not in (1, 11):
        node.refuse("makes numbers of another type", "expected float or double")
    return build.input(node, 0)


OPERATORS: dict[str, Reader] = {
    **{name: partial(_of_one, function) for name, function in _OF_ONE.items()},
    **dict.fromkeys(_OF_TWO, _of_two),
    **dict.fromkeys(_OF_MANY, _of_many),
    **dict.fromkeys(REDUCTIONS, reduction),
    **dict.fromkeys((*_RELATIONS, "And", "Or", "Not"), _nothing),
    **SHAPES,
    "Sigmoid": _sigmoid,
    "Mean": _mean,
    "Neg": _negative,
    "Reciprocal": _reciprocal,
    "LeakyRelu": _with_numbers("leaky_relu({x}, negative_slope={0})", ("alpha", 0.01)),
    "Elu": _with_numbers("elu({x}, alpha={0})", ("alpha", 1.0)),
    "Celu": _with_numbers("celu({x}, alpha={0})", ("alpha", 1.0)),
    "ThresholdedRelu": _with_numbers("where({x} > {0}, {x}, 0)", ("alpha", 1.0)),
    "Selu": _selu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Clip": _clip,
    "Where": _where,
    "Softmax": partial(softmax, "softmax"),
    "LogSoftmax": partial(softmax, "log_softmax"),
    DENSE: dense,
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": einsum,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "Scaler": scaler,
    "LinearRegressor": linear,
    "Cast": _cast,
}
