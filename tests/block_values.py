"""The value of a block of a Hessian as its matrix form says it, as linear algebra with columns.

A vector is a column, and so is one row of a matrix, `p[n]`. Nothing here knows how formulas are made.
"""

from __future__ import annotations

import functools
import itertools

import formula_values
import numpy as np

from symgrad.notation.typesetting import typeset as ts


def value(formula, known):
    """A formula's value: a number or a matrix; `known` gives names arrays, and sizes and indices numbers."""
    read = lambda part: value(part, known)  # noqa: E731  # a short name for the recursion
    match formula:
        case ts.NumberText(number):
            return float(number)
        case ts.NameText(text):
            return _as_matrix(known[text])
        case ts.Indexed(ts.NameText(text), indices):
            return _as_matrix(known[text][tuple(_place(i, known) for i in indices)])
        case ts.Ones(size):
            return np.ones((int(read(size)), 1))
        case ts.IdentityMatrix(size):
            return np.eye(int(read(size)))
        case ts.Transposed(base):
            return np.transpose(read(base))
        case ts.CallText("diag", (inner,)):
            column = read(inner)
            assert column.shape[1] == 1
            return np.diag(column[:, 0])
        case ts.Sum(terms):
            parts = [-read(t) if negative else read(t) for negative, t in terms]
            assert len({np.shape(p) for p in parts}) == 1, "a number and a matrix, or two sizes, are added"
            return sum(parts)
        case ts.ProductText(kind, factors):
            return functools.reduce(_JOINED[kind], map(read, factors))
        case ts.Quotient(above, below):
            return read(above) / read(below)
        case ts.Power(base, exponent):
            return read(base) ** read(exponent)
        case ts.Root(inner):
            return np.sqrt(read(inner))
        case ts.Reduced("sum", indices, body):
            names = [i.text for i in indices]
            ranges = dict(formula_values.ranges(body, known))
            every = itertools.product(*(range(ranges[n]) for n in names))
            return sum(value(body, {**known, **dict(zip(names, at, strict=True))}) for at in every)
    raise AssertionError(formula)


def _entries(one, other):
    assert np.shape(one) == np.shape(other), "entry by entry, but of two shapes"
    return one * other


def _numbers(one, other):
    assert np.ndim(one) == 0 or np.ndim(other) == 0, "two matrices multiplied as numbers"
    return one * other


_JOINED = {"numbers": _numbers, "matrices": np.matmul, "entries": _entries, "kronecker": np.kron}


def _as_matrix(found):
    array = np.asarray(found, float)
    assert array.ndim <= 2, "no matrix"
    return array[:, None] if array.ndim == 1 else array if array.ndim else float(array)


def _place(index, known):
    match index:
        case ts.NameText(":"):
            return slice(None)
        case ts.NameText(text):
            return int(text) if text.isdigit() else known[text]
    raise AssertionError(index)


def along(block, known, v, w):
    """vᵀHw for a block in matrix form, v and w of the shapes of its tensors, over all that it is for."""
    form, names = block.form, [str(i) for i in block.form.every]
    ranges = dict(formula_values.ranges(form.of, {block.first: v}))
    total = 0.0
    for at in itertools.product(*(range(ranges[n]) for n in names)):
        here = {**known, **dict(zip(names, at, strict=True))}
        of, by = (_part(p, a, here) for p, a in ((form.of, v), (form.by, w)))
        found = np.asarray(value(form.value, here), float)
        assert found.shape in ((len(of), len(by)), ()), "a matrix of another size"
        assert found.shape or len(of) == len(by) == 1, "a number for a matrix"
        total += of @ found.reshape(len(of), len(by)) @ by
    return total


def _part(place, array, known):
    indices = place.indices if isinstance(place, ts.Indexed) else ()
    return np.ravel(array[tuple(_place(i, known) for i in indices)])
