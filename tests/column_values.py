"""The value of a formula as linear algebra with columns: every vector is a matrix of one column.

Sizes and numbers are plain numbers. Nothing here knows how formulas are made.
"""

from __future__ import annotations

import numpy as np
from formula_values import FUNCTIONS, RELATIONS, SLOPES

from symgrad.notation.typesetting import typeset as ts

OF_COLUMNS = {
    "softmax": lambda v: np.exp(v) / np.exp(v).sum(axis=0),
    "log_softmax": lambda v: v - np.log(np.exp(v).sum(axis=0)),
    "logsumexp": lambda v: np.log(np.exp(v).sum(axis=0))[:, None],
}


def column(array):
    """A vector stood up; everything else as it is."""
    return array[:, None] if np.ndim(array) == 1 else array


def value(formula, known, classes=0):
    """A formula's value; `known` gives names and symbols theirs, vectors as columns."""
    read = lambda part: value(part, known, classes)  # noqa: E731  # a short name for the recursion
    match formula:
        case ts.NameText("π"):
            return np.pi
        case ts.NameText(text) | ts.Symbol(text):
            return known[text]
        case ts.Ones(size):
            return np.ones((read(size), 1))
        case ts.NumberText(number):
            return float(number)
        case ts.Transposed(base):
            return read(base).T
        case ts.Spread(base, in_rows):
            assert in_rows
            return read(base).T
        case ts.Sum(terms):
            return sum(-read(t) if negative else read(t) for negative, t in terms)
        case ts.ProductText(kind, factors):
            return _product(kind, [read(f) for f in factors])
        case ts.Quotient(above, below):
            return read(above) / read(below)
        case ts.Power(base, exponent):
            return read(base) ** read(exponent)
        case ts.Root(inner):
            return np.sqrt(read(inner))
        case ts.Absolute(inner):
            return np.abs(read(inner))
        case ts.Relation(left, operator, right):
            return RELATIONS[operator](read(left), read(right))
    return _special(formula, read, known, classes)


def _product(kind, factors):
    total = factors[0]
    for factor in factors[1:]:
        if kind == "matrices":
            total = total @ factor
        elif kind == "outer":
            total = total @ factor.T
        else:
            total = total * factor
    return total


def _special(formula, read, known, classes):
    match formula:
        case ts.CallText("onehot", (labels,)):
            return np.eye(classes)[:, read(labels).ravel()]
        case ts.CallText(function, arguments, is_slope):
            table = SLOPES if is_slope else {**FUNCTIONS, **OF_COLUMNS}
            return table[function](*map(read, arguments))
        case ts.Choice(branches):
            values, conditions = [read(v) for v, _ in branches], [read(c) for _, c in branches[:-1]]
            return np.select(conditions, values[:-1], values[-1])
        case ts.Indexed(base, (ts.Indexed(labels, (ts.NameText(n),)), ts.NameText(m))) if n == m:
            return column(read(base)[read(labels).ravel(), np.arange(len(read(labels)))])
        case ts.Reduced(kind, indices, body):
            inner = read(body)
            is_whole = len(indices) == inner.ndim or min(inner.shape) == 1
            assert is_whole or kind != "sum", "the sum over the samples is a product with ones"
            reduce = {"sum": np.sum, "max": np.max, "min": np.min}[kind]
            return reduce(inner) if is_whole else column(reduce(inner, axis=1))
    raise AssertionError(formula)
