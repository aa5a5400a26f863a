"""The value of a formula as a reader would compute it, and of a program straight from its definition.

Comparing the two shows that what is written on the page is what is computed.
"""

from __future__ import annotations

import itertools

import numpy as np
import sympy as sp

from symgrad.calculus.terms import Entry, Named, delta
from symgrad.notation.typesetting import typeset as ts

FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "cosh": np.cosh,
    "abs": np.abs,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "softplus": lambda v: np.log1p(np.exp(v)),
    "expm1": np.expm1,
    "log1p": np.log1p,
    "logcosh": lambda v: np.log(np.cosh(v)),
    "erfc": np.vectorize(lambda v: float(sp.erfc(v))),
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "relu": lambda v: np.maximum(v, 0),
    "elu": lambda v: np.where(v > 0, v, np.expm1(v)),
    "leaky_relu": lambda v: np.where(v > 0, v, 0.01 * v),
    "relu6": lambda v: np.clip(v, 0, 6),
    "hardtanh": lambda v: np.clip(v, -1, 1),
    "selu": lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543773 * np.expm1(v)),
    "hardshrink": lambda v: np.where(np.abs(v) > 0.5, v, 0),
    "logsumexp": lambda v: np.log(np.exp(v).sum(axis=-1)),
    "softmax": lambda v: np.exp(v) / np.exp(v).sum(axis=-1, keepdims=True),
    "rowsum": lambda v: v.sum(axis=-1, keepdims=True),
    "log_softmax": lambda v: v - np.log(np.exp(v).sum(axis=-1, keepdims=True)),
    "delta": lambda a, b: np.equal(a, b) * 1.0,
}
SLOPES = {
    "relu": lambda v: (v > 0) * 1.0,
    "elu": lambda v: np.where(v > 0, 1, np.exp(v)),
    "leaky_relu": lambda v: np.where(v > 0, 1, 0.01),
    "relu6": lambda v: ((v > 0) & (v < 6)) * 1.0,
    "hardtanh": lambda v: (np.abs(v) < 1) * 1.0,
    "selu": lambda v: 1.0507009873554805 * np.where(v > 0, 1, 1.6732632423543773 * np.exp(v)),
}
RELATIONS = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}
TOTALS = {"sum": np.sum, "max": np.max, "min": np.min, "logsumexp": lambda v: np.log(np.exp(v).sum())}


def value(formula, known, classes=0):
    """A formula with NumPy's meaning; in index form all indices are among the known."""
    read = lambda part: value(part, known, classes)  # noqa: E731  # a short name for the recursion
    match formula:
        case ts.NameText("π"):
            return np.pi
        case ts.NameText(text) | ts.Symbol(text):
            return known[text]
        case ts.NumberText(number):
            return float(number)
        case ts.Indexed(base, indices):
            array = read(base)
            places = [_place(i, known, array.shape[axis]) for axis, i in enumerate(indices)]
            return array[tuple(places)]
        case ts.Transposed(base):
            array = read(base)
            return array.T if array.ndim < 3 else array.swapaxes(-1, -2)
        case ts.Spread(base):
            return read(base)[..., None]
        case ts.Sum(terms):
            return sum(-read(t) if negative else read(t) for negative, t in terms)
        case ts.ProductText(kind, factors):
            join = {"matrices": np.matmul, "outer": np.multiply.outer}.get(kind, np.multiply)
            total = read(factors[0])
            for factor in factors[1:]:
                total = join(total, read(factor))
            return total
    return _function(formula, read, known, classes)


def _function(formula, read, known, classes):
    match formula:
        case ts.Quotient(above, below):
            return read(above) / read(below)
        case ts.Power(base, exponent):
            return read(base) ** read(exponent)
        case ts.Root(inner):
            return np.sqrt(read(inner))
        case ts.Absolute(inner):
            return np.abs(read(inner))
        case ts.CallText("onehot", (labels,)):
            return np.eye(classes)[read(labels)]
        case ts.CallText(function, arguments, is_slope):
            return (SLOPES if is_slope else FUNCTIONS)[function](*map(read, arguments))
        case ts.Choice(branches):
            return np.select(
                [read(c) for _, c in branches[:-1]],
                [read(v) for v, _ in branches[:-1]],
                read(branches[-1][0]),
            )
        case ts.Relation(left, operator, right):
            return RELATIONS[operator](read(left), read(right))
        case ts.Reduced(kind, indices, body):
            return _reduced(kind, [i.text for i in indices], body, known, classes)
    raise AssertionError(formula)


def _place(index, known, length):
    """An index: a known one, else all of them at once, as under the Σ of a matrix form."""
    if isinstance(index, ts.NameText) and index.text not in known:
        return np.arange(length)
    return np.asarray(value(index, known)).astype(int)


def _reduced(kind, indices, body, known, classes):
    spans = dict(ranges(body, known))
    if set(indices) <= spans.keys() and not known.get("matrix form"):
        every = itertools.product(*(range(spans[i]) for i in indices))
        return TOTALS[kind](
            np.array([value(body, {**known, **dict(zip(indices, at, strict=True))}, classes) for at in every])
        )
    inner = np.asarray(value(body, known, classes))
    axes = tuple(range(inner.ndim)) if len(indices) == inner.ndim else 0
    return {"sum": np.sum, "max": np.max, "min": np.min}[kind](inner, axis=axes)


def ranges(formula, known):
    """How far each index runs: as far as the axis it stands at."""
    if isinstance(formula, ts.Indexed) and isinstance(formula.base, ts.NameText | ts.Symbol):
        for axis, index in enumerate(formula.indices):
            if isinstance(index, ts.NameText):
                yield index.text, known[formula.base.text].shape[axis]
    if not isinstance(formula, tuple | str | bool) and hasattr(formula, "__dataclass_fields__"):
        for name in formula.__dataclass_fields__:
            yield from ranges(getattr(formula, name), known)
    elif isinstance(formula, tuple):
        for part in formula:
            yield from ranges(part, known)


def run(program, sizes, seed=0, given=None):
    """Random data but for what is given, and every tensor of the program entry by entry."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for tensor in program.tensors:
        shape = shape_of(tensor.axes, sizes)
        if tensor.kind in ("input", "target", "parameter"):
            drawn = (
                rng.normal(size=shape) if tensor.classes is None else rng.integers(tensor.classes, size=shape)
            )
            arrays[tensor.name] = np.asarray(drawn)
    arrays |= given or {}
    for equation in program.equations:
        arrays[equation.target] = _run(equation, program, arrays, sizes)
    return arrays


def shape_of(axes, sizes):
    return tuple(axis.size if axis.size is not None else sizes[axis.name] for axis in axes)


def _run(equation, program, arrays, sizes):
    shape = shape_of(program.tensor[equation.target].axes, sizes)
    collected = {}
    lengths = shape_of([loop.axis for loop in equation.loops], sizes)
    for at in np.ndindex(*lengths):
        index = {loop.index: i for loop, i in zip(equation.loops, at, strict=True)}
        index |= {s: sizes[s.name] for s in equation.body.free_symbols if s.is_Symbol and s.name in sizes}
        place = tuple(int(_number(p, arrays, index)) for p in equation.indices)
        collected.setdefault(place, []).append(_number(equation.body, arrays, index))
    result = np.zeros(shape)
    for place, values in collected.items():
        kind = "sum" if equation.reduction == "none" else equation.reduction
        result[place] = TOTALS[kind](np.array(values, float))
    return result


def _number(expr, arrays, index):
    if isinstance(expr, Entry):
        return arrays[expr.tensor][tuple(int(_number(i, arrays, index)) for i in expr.indices)]
    if expr in index:
        return index[expr]
    if isinstance(expr, sp.Piecewise):
        for branch, condition in expr.args:
            if condition == sp.true or _number(condition, arrays, index):
                return _number(branch, arrays, index)
    parts = [_number(a, arrays, index) for a in expr.args]
    if isinstance(expr, sp.And | sp.Or):
        return all(parts) if isinstance(expr, sp.And) else any(parts)
    if isinstance(expr, delta):
        return float(parts[0] == parts[1])
    if isinstance(expr, Named):
        return float(type(expr).formula(sp.Float(parts[0])))
    if not parts:
        return float(expr)
    return (
        expr.func(*(sp.Float(p) for p in parts))
        if expr.is_Relational
        else float(expr.func(*(sp.Float(p) for p in parts)))
    )
