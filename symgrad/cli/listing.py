"""What list shows: the library's entries and the rows of the language, as they are written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.endings import GOOD
from symgrad.cli.output import produce, produce_json
from symgrad.spec import library
from symgrad.spec.language.arrays.placements import PLACEMENTS
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.builtins import MAX_ORDER
from symgrad.spec.library import (
    Finish,
    Function,
    Initializer,
    Layer,
    LayerForm,
    LibraryEntry,
    Optimizer,
    Schedule,
)
from symgrad.spec.reductions import REDUCTIONS, ReductionRow
from symgrad.spec.scalars import SCALARS, ScalarFunction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


ARRAYS = {
    "pad": "x with entries before and after an axis: 0, or value=",
    "concat": "behind each other along an axis",
    "stack": "beside each other along a new axis",
    "column_stack": "columns side by side; one number a row is a column, a number a constant one",
    "flatten": "the axes from start to end as one, rows first",
    "reshape": "other axes of as many entries, rows first; -1 is what the others leave",
    "transpose": "the axes in this order; x.T has them reversed",
    "split": 'a part of an axis; "a, b": split(x, 2) names all',
    "einsum": "the sum over the letters that the result lacks",
    "outer": "every product of two entries",
    "cumsum": "the sum of all entries up to each",
    "one_hot": "1 where the label is, 0 elsewhere, along a last axis",
    "gather": "the entries that labels name along an axis",
}
"""What is made of whole arrays, by the names of the language's rows."""
INDEXING = (
    ("slices", "x[:, 1:, ::2], x[:, ::-1], h[:, -1]", "as NumPy's"),
    ("index", "x[n, 2*i + k], x[n, i // 2, i % 2], E[t[n,i], d]", "entries at sums, parts and labels"),
    ("where", "where(j <= i, S[n,i,j], -inf)", "a choice by numbers or by indices, which are numbers"),
    ("size", "size(x, 1)", "how many entries an axis has"),
)
DERIVATIVES = (
    ("d", "d(u, x), d(u, x, x), d(u, x, t)", "∂u/∂x, ∂²u/∂x², ∂²u/∂x∂t, row by row, in any equation or loss"),
    ("d_entries", "d(u[n,i], x[n,j]), d(E[n], x[n,i], x[n,j])", "of entries by entries: Jacobians, Hessians"),
    ("stop_gradient", "stop_gradient(x)", "x, through which no derivative passes"),
)
STATES = (
    (
        "state",
        'state: {m: {axes: [3], init: 0, next: "0.9 * m + 0.1 * mu"}}',
        "a tensor that lives on: each step of training ends with its next value, made of what the step finds",
    ),
    ("training", "training(mu, m)", "mu in training, m in inference"),
)
DRAWN = ("uniform", "uniform(like=x)", "a number between 0 and 1 for each entry of x, drawn evenly")
"""The draw that all others are formulas of."""
NOTES = {
    "draws": (
        "by a counter, Philox 4x32-10 (Salmon et al. 2011), from the seed and the step of training and the"
        " place in the batch: a step draws the same wherever it is made; with indices like is left out,"
        ' "e[n:batch, j:8]": normal()'
    ),
    "noises": "among layers, dropout(0.5), and in formulas, dropout(h, 0.5)",
    "states": (
        "no optimiser, weight decay or clipping touches a state, and no derivative passes through it;"
        " training is loss_and_grad, train_step and fit, inference forward, predict, evaluate and loss, which"
        " held-out rows are measured by"
    ),
    "derivatives": (
        "by inputs, parameters and names of equations above; row n of u may depend on row n of x alone,"
        f" else write entries; up to order {MAX_ORDER}; a function of your own called d is that function"
    ),
    "arrays": "indices of an equation are on its left, y[n, i:4]; others are summed over, sum(x[n,k], k=2)",
    "losses": "each also takes reduction=mean, sum, batchmean or none, and weights=w, per sample or entry",
    "optimizers": "make a step for every batch; finishes, after them, iterations on all rows",
    "finishes": "finish: lbfgs() in a train block; with epochs: 0 nothing goes before it",
    "reductions": "over an index, sum(x[n,k], k), or an axis, sum(x, axis=1); keepdims=true keeps the axis",
}


@dataclass(frozen=True)
class Listed:
    """An entry as it is shown."""

    name: str
    signature: str
    formulas: tuple[str, ...]
    source: str
    note: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    needs_all_rows: bool = False


def show_library(kinds: Sequence[str], as_json: bool, name: str = "") -> int:
    """Print the entries of these kinds, one block each, or those that bear the name."""
    entries = {kind: tuple(e for e in _listed(kind) if name in ("", e.name)) for kind in kinds}
    if as_json:
        produce_json({kind: [_record(entry) for entry in group] for kind, group in entries.items()})
        return GOOD
    produce("\n\n".join(f"{_heading(kind)}\n{_blocks(group)}" for kind, group in entries.items()))
    return GOOD


def kinds_of(kinds: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The kinds in which each entry's name stands."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in kinds:
        for entry in _listed(kind):
            found[entry.name] = (*found.get(entry.name, ()), kind)
    return found


def _listed(kind: str) -> tuple[Listed, ...]:
    if kind == "reductions":
        return tuple(map(_reduction, REDUCTIONS.values()))
    if kind == "arrays":
        usage = {**REARRANGEMENTS, **{name: row.usage for name, row in PLACEMENTS.items()}}
        named = ((name, usage[name], meaning) for name, meaning in ARRAYS.items())
        return tuple(Listed(n, text, (meaning,), "definition") for n, text, meaning in (*named, *INDEXING))
    if kind == "derivatives":
        return tuple(Listed(n, text, (meaning,), "definition") for n, text, meaning in DERIVATIVES)
    if kind == "states":
        return tuple(Listed(n, text, (meaning,), "definition") for n, text, meaning in STATES)
    if kind == "functions":
        return tuple(_scalar(row) for row in SCALARS.values() if row.use == "formulas")
    entries = tuple(map(_entry, getattr(library, kind).values()))
    return (Listed(*DRAWN[:2], DRAWN[2:], "definition"), *entries) if kind == "draws" else entries


def _entry(entry: LibraryEntry) -> Listed:
    needs_all_rows = isinstance(entry, Optimizer) and bool(entry.full_batch)
    about = entry.source, entry.note, tuple(entry.own_ranges)
    return Listed(entry.name, entry.text, formulas(entry), *about, needs_all_rows)


def _reduction(row: ReductionRow) -> Listed:
    total = re.sub(r"\bx\b", "s", row.total)
    primitive = f"the {row.kind} of {row.each}" + (" and n their number" if "n" in row.total else "")
    formula = primitive if row.total == "x" else f"{total}, where s is {primitive}"
    return Listed(row.name, f"{row.name}(x)", (formula,), "definition", _also(row.also))


def _scalar(row: ScalarFunction) -> Listed:
    ranges = () if row.domain == "(-inf, inf)" else (("x", row.domain),)
    return Listed(
        row.name, f"{row.name}(x)", (row.formula or row.code,), "definition", _also(row.also), ranges
    )


def _also(names: str) -> str:
    return f"elsewhere called {', '.join(names.split())}" if names else ""


def formulas(entry: LibraryEntry) -> tuple[str, ...]:
    """The mathematics of an entry, one line per equation."""
    if isinstance(entry, Optimizer):
        return tuple(_of_optimizer(entry))
    if isinstance(entry, Finish):
        return tuple(text for text, _ in entry.rule)
    if isinstance(entry, Initializer):
        return (f"{entry.distribution}: {entry.scale}",)
    if isinstance(entry, Layer):
        return tuple(_of_layer(entry))
    if isinstance(entry, Function | Schedule):
        return (entry.formula,)
    return ()


def _of_layer(form: LayerForm) -> Iterator[str]:
    for name, formula in form.parts:
        yield f"{name} = {formula}"
    yield f"y{form.indices} = {form.formula}" if form.indices else form.formula


def _of_optimizer(entry: Optimizer) -> Iterator[str]:
    for name, formula in entry.state:
        if formula != "0":
            yield f"{name} = {formula}, before the first step"
    if entry.gradient_at:
        yield f"g is the gradient at {entry.gradient_at}"
    for name, formula in entry.update:
        yield f"{name} <- {formula}"


def _heading(kind: str) -> str:
    note = f"\n  {click.style(NOTES[kind], dim=True)}" if kind in NOTES else ""
    return click.style(kind, bold=True) + note


def _record(entry: Listed) -> dict[str, Any]:
    return {
        "name": entry.name,
        "signature": entry.signature,
        "formulas": [" ".join(formula.split()) for formula in entry.formulas],
        "source": entry.source,
        "note": entry.note,
        "ranges": dict(entry.ranges),
    }


def _blocks(entries: Sequence[Listed]) -> str:
    return "\n".join(line for entry in entries for line in _block(entry))


def _block(entry: Listed) -> Iterator[str]:
    yield f"  {click.style(entry.signature, fg='cyan')}"
    for formula in entry.formulas:
        yield f"      {formula}"
    if entry.ranges:
        ranges = ", ".join(f"{name} in {text}" for name, text in entry.ranges)
        yield click.style(f"      {ranges}", dim=True)
    remarks = (entry.source, entry.note, "full batches only" if entry.needs_all_rows else "")
    yield click.style(f"      {'; '.join(part for part in remarks if part)}", dim=True)
