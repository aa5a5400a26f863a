"""Which columns or arrays feed which tensor: as the spec says, by name, or in order."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from symgrad.errors import DataError, DataWarning, did_you_mean, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.training.dataset.source import Selection, Source

TARGET_WORDS = frozenset({"label", "labels", "target", "targets", "class", "y"})


def assign(
    source: Source,
    widths: Mapping[str, int],
    columns: Mapping[str, tuple[str, ...]],
    inputs: frozenset[str],
) -> dict[str, Selection]:
    """The selection of every tensor in `widths` (tensor name -> number of columns, 1 for an array).

    `columns` decides first, then a column or array of the tensor's own name; the tensors left take
    what is left, in order. Raises DataError when names or counts do not fit.
    """
    _check_names(source)
    _check_tensors(source, widths, columns)
    chosen = {tensor: _by_mapping(source, tensor, names, widths) for tensor, names in columns.items()}
    own = {tensor for tensor, width in widths.items() if width == 1 and tensor in source.names}
    chosen |= {tensor: (source.names.index(tensor),) for tensor in own - chosen.keys()}
    chosen |= _in_order(source, widths, chosen, inputs)
    return {tensor: chosen[tensor] for tensor in widths}


def _check_names(source: Source) -> None:
    for name, count in Counter(source.names).items():
        if name and count > 1:
            problem = f"{count} {source.noun}s are named '{name}'"
            raise DataError(problem, at=source.label, remedy="give each its own name")


def _check_tensors(source: Source, widths: Mapping[str, int], columns: Mapping[str, object]) -> None:
    for tensor in columns.keys() - widths.keys():
        remedy = did_you_mean(tensor, widths) or f"the spec declares {', '.join(widths)}"
        raise DataError(f"'columns' names '{tensor}', no input or target", at=source.label, remedy=remedy)


def _by_mapping(source: Source, tensor: str, names: tuple[str, ...], widths: Mapping[str, int]) -> Selection:
    if len(names) != widths[tensor]:
        problem = f"'{tensor}' takes {_count(widths[tensor], source.noun)}, 'columns' names {len(names)}"
        raise DataError(problem, at=source.label, remedy=f"list exactly {widths[tensor]}")
    return tuple(_position(source, name) for name in names)


def _position(source: Source, name: str) -> int:
    if name in source.names:
        return source.names.index(name)
    remedy = did_you_mean(name, source.names) or f"there are {_listed(source.names)}"
    raise DataError(f"there is no {source.noun} '{name}'", at=source.label, remedy=remedy)


def _in_order(
    source: Source, widths: Mapping[str, int], chosen: Mapping[str, Selection], inputs: frozenset[str]
) -> dict[str, Selection]:
    taken = {position for selection in chosen.values() for position in selection}
    rest = [position for position in range(len(source.names)) if position not in taken]
    waiting = {tensor: width for tensor, width in widths.items() if tensor not in chosen}
    if waiting and sum(waiting.values()) != len(rest):
        raise _wrong_count(source, waiting, len(rest), bool(taken))
    ordered: dict[str, Selection] = {}
    for tensor, width in waiting.items():
        ordered[tensor], rest = tuple(rest[:width]), rest[width:]
        if tensor in inputs:
            _refuse_target(source, tensor, ordered[tensor])
    _warn_of_a_guess(source, ordered, inputs)
    return ordered


def _warn_of_a_guess(source: Source, ordered: Mapping[str, Selection], inputs: frozenset[str]) -> None:
    """Say which columns feed what, where their names do not and another order could be meant."""
    names = {tensor: tuple(source.names[p] for p in chosen) for tensor, chosen in ordered.items()}
    guessed = [tensor for tensor in names if not _speak_for(tensor, names[tensor], tensor not in inputs)]
    if not source.has_names or len(guessed) < 2:
        return
    taken = "; ".join(f"'{tensor}' takes {_listed(names[tensor])}" for tensor in names)
    problem = f"{source.noun}s are taken in order, as their names do not say what they feed: {taken}"
    warn(DataWarning(problem, at=source.label, remedy=f"if that is wrong, {source.remedy}"))


def _speak_for(tensor: str, names: tuple[str, ...], is_target: bool) -> bool:
    """Whether columns bear a tensor's name, or its name and a number, or a target's a word for targets."""
    own = re.compile(rf"{re.escape(tensor)}([\W_]*\d+)?", re.IGNORECASE)
    return all(own.fullmatch(name) or (is_target and name.lower() in TARGET_WORDS) for name in names)


def _wrong_count(source: Source, waiting: Mapping[str, int], found: int, some_taken: bool) -> DataError:
    needs = ", ".join(f"{tensor} takes {width}" for tensor, width in waiting.items())
    left = "left " if some_taken else ""
    problem = f"has {_count(found, source.noun)} {left}where the spec needs {sum(waiting.values())} ({needs})"
    remedy = source.remedy
    if source.names and not source.names[0]:
        remedy = f"the first column has no name, perhaps a row number: drop it, or {remedy}"
    elif source.names and not source.names[-1]:
        remedy = f"the last column has no name, perhaps a separator too many: drop it, or {remedy}"
    return DataError(problem, at=source.label, remedy=remedy)


def _refuse_target(source: Source, tensor: str, selection: Selection) -> None:
    """Columns in order are a guess: refuse one that would train on the answer."""
    for position in selection:
        name = source.names[position]
        if name.lower() in TARGET_WORDS and name != tensor:
            problem = f"{source.noun} '{name}' would feed the input '{tensor}', as {source.noun}s go in order"
            raise DataError(problem, at=source.label, remedy=source.remedy)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 8 else shown
