"""What list shows: the library's entries, as they are written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.endings import GOOD
from symgrad.cli.output import produce, produce_json
from symgrad.spec import library
from symgrad.spec.library import Function, Initializer, Layer, LayerForm, LibraryEntry, Optimizer, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


NOTES = {
    "losses": "each also takes reduction=mean, sum, batchmean or none, and weights=w, one per sample or entry"
}


def show_library(kinds: Sequence[str], as_json: bool) -> int:
    """Print the entries of these kinds, one block each."""
    entries = {kind: tuple(getattr(library, kind).values()) for kind in kinds}
    if as_json:
        produce_json({kind: [_record(entry) for entry in group] for kind, group in entries.items()})
        return GOOD
    produce("\n\n".join(f"{_heading(kind)}\n{_blocks(group)}" for kind, group in entries.items()))
    return GOOD


def formulas(entry: LibraryEntry) -> tuple[str, ...]:
    """The mathematics of an entry, one line per equation."""
    if isinstance(entry, Optimizer):
        return tuple(_of_optimizer(entry))
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


def _record(entry: LibraryEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "signature": entry.text,
        "formulas": [" ".join(formula.split()) for formula in formulas(entry)],
        "source": entry.source,
        "note": entry.note,
        "ranges": dict(entry.own_ranges),
    }


def _blocks(entries: Sequence[LibraryEntry]) -> str:
    return "\n".join(line for entry in entries for line in _block(entry))


def _block(entry: LibraryEntry) -> Iterator[str]:
    yield f"  {click.style(entry.text, fg='cyan')}"
    for formula in formulas(entry):
        yield f"      {formula}"
    if entry.own_ranges:
        ranges = ", ".join(f"{name} in {text}" for name, text in entry.own_ranges)
        yield click.style(f"      {ranges}", dim=True)
    remarks = (entry.source, entry.note, "full batches only" if _needs_all_rows(entry) else "")
    yield click.style(f"      {'; '.join(part for part in remarks if part)}", dim=True)


def _needs_all_rows(entry: LibraryEntry) -> bool:
    return isinstance(entry, Optimizer) and bool(entry.full_batch)
