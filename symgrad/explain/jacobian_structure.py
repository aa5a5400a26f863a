"""Names for what a local Jacobian looks like, and which entries of the input an entry of the output reads.

`Y[α]` is the output, `X[β]` the input. An index of X is decided where Kronecker's delta binds it to the
indices of Y, so that the Jacobian is 0 for any other value. Each name is a statement about all entries:

- zero: every entry is 0.
- one number: Y and X are both numbers.
- shared by all entries: X is one number, which every entry of Y reads.
- gradient: Y is one number, and the Jacobian has the shape of X.
- identity: Y and X have the same indices; 1 where they all agree, else 0.
- multiple of the identity: the same with one number, or one size, in place of 1.
- diagonal: the same with any values in place of 1.
- any of these three for every n: the same for each value of the indices that Y has beside those of X.
- one entry: each entry of Y reads exactly one entry of X, in another arrangement than the above.
- only row k, only column k: of the matrix X, row or column k alone, where k is an index of Y of fixed size,
  a label or a number.
- block diagonal over n: 0 unless X and Y agree in n, which is an index of both; no other index is decided.
- full: no index of X is decided.
- symmetric, beside block diagonal and full: exchanging the indices of Y and X changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.deltas import behind_deltas
from symgrad.calculus.terms import Entry, index_symbol, indices_in

if TYPE_CHECKING:
    from symgrad.explain.jacobians import Jacobian

ALL = index_symbol(":")


def footprint(jacobian: Jacobian) -> Entry:
    """The entries of the input that an entry of the output reads: `W[:,k]`."""
    return Entry(jacobian.by.tensor, [ALL if read is None else read for read in jacobian.reads])


def structure(jacobian: Jacobian) -> str:
    """The name of the Jacobian's structure, one of those above."""
    of, by, reads = jacobian.of.indices, jacobian.by.indices, jacobian.reads
    if jacobian.value == 0:
        return "zero"
    if not by:
        return "shared by all entries" if of else "one number"
    if None not in reads:
        return _of_single_entries(jacobian)
    decided = [read for read in reads if read is not None]
    if not decided:
        return "full" + _symmetry(jacobian) if of else "gradient"
    return _of_parts(jacobian, decided) + _symmetry(jacobian)


def _of_single_entries(jacobian: Jacobian) -> str:
    of, reads = jacobian.of.indices, jacobian.reads
    others = [index for index in of if index not in reads]
    if [index for index in of if index in reads] != list(reads):
        return "one entry"
    if jacobian.value == 1:
        name = "identity"
    else:
        is_fixed = not jacobian.value.atoms(Entry) and not indices_in(jacobian.value)
        name = "multiple of the identity" if is_fixed else "diagonal"
    return f"{name} for every {_listed(others)}" if others else name


def _of_parts(jacobian: Jacobian, decided: list[sp.Expr]) -> str:
    place = next(number for number, read in enumerate(jacobian.reads) if read is not None)
    runs_freely = jacobian.axes[1][place].is_free
    if len(jacobian.reads) == 2 and not runs_freely:
        return f"only {('row', 'column')[place]} {decided[0]}"
    shared = [index for index in jacobian.of.indices if index in decided]
    return f"block diagonal over {_listed(shared)}" if shared else f"only {footprint(jacobian)}"


def _listed(indices: list[sp.Expr]) -> str:
    return " and ".join(map(str, indices))


def _symmetry(jacobian: Jacobian) -> str:
    """Whether nothing changes when the undecided indices of input and output change places."""
    pairs = list(zip(jacobian.of.indices, jacobian.by.indices, strict=False))
    own = [
        read is None or read == index
        for read, index in zip(jacobian.reads, jacobian.of.indices, strict=False)
    ]
    if jacobian.axes[0] != jacobian.axes[1] or not all(own):
        return ""
    undecided = [pair for pair, read in zip(pairs, jacobian.reads, strict=True) if read is None]
    exchange = {a: b for pair in undecided for a, b in (pair, pair[::-1])}
    difference = jacobian.value - jacobian.value.xreplace(exchange)
    return ", symmetric" if sp.Add(*map(behind_deltas, sp.Add.make_args(sp.expand(difference)))) == 0 else ""
