"""Which columns or arrays feed which tensor: as the spec says, by name, or in order."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from symgrad.errors import DataError, DataWarning, did_you_mean, warn
from symgrad.training.dataset.feeding.learn_names import kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.feeding.slots import Slot
    from symgrad.training.dataset.source import Selection, Source

TARGET_WORDS = frozenset({"label", "labels", "target", "targets", "class", "y"})


def assigned(
    source: Source, slots: Sequence[Slot], columns: Mapping[str, tuple[str, ...]], listed: Collection[str]
) -> dict[str, list[Column]]:
    """The columns or the array that feed each tensor, as they were read.

    `columns` decides first, then a column or array of the tensor's own name, or columns of its name and
    their numbers, as many as it has entries; the tensors left take what is left, in order, a column of words
    for as many entries as it has categories. Raises DataError when names or counts do not fit.
    """
    _check_names(source, listed)
    _check_tensors(source, slots, columns)
    known = {slot.name: slot for slot in slots}
    chosen = {name: _by_mapping(source, known[name], names) for name, names in columns.items()}
    for slot in slots:
        own = of_its_name(source, slot.name, _columns_of(slot, source))
        if own and slot.name not in chosen:
            chosen[slot.name] = own
    taken = {position for selection in chosen.values() for position in selection}
    waiting = [slot for slot in slots if slot.name not in chosen]
    rest = [position for position in range(len(source.names)) if position not in taken] if waiting else []
    needed = sum(_columns_of(slot, source) for slot in waiting)
    if len(rest) > needed or (_is_array(source) and len(rest) < needed):
        raise _wrong_count(source, waiting, dict.fromkeys(rest, 1), bool(taken))
    positions = [*sorted(taken), *rest]
    words = {position for position in positions if source.names[position] in listed}
    read = dict(zip(positions, source.read(positions, words), strict=False))
    if len(read) != len(positions):
        raise DataError("holds no rows of data", at=source.label, remedy="at least 2 are needed")
    chosen |= _in_order(source, waiting, {p: read[p] for p in rest}, listed, bool(taken))
    return {slot.name: [read[position] for position in chosen[slot.name]] for slot in slots}


def _is_array(source: Source) -> bool:
    return source.noun == "array"


def _columns_of(slot: Slot, source: Source) -> int:
    """The most columns or arrays that a tensor takes."""
    return 1 if _is_array(source) else slot.size


def _check_names(source: Source, listed: Collection[str]) -> None:
    for name, count in Counter(source.names).items():
        if name and count > 1:
            problem = f"{count} {source.noun}s are named '{name}'"
            raise DataError(problem, at=source.label, remedy="give each its own name")
    for name in listed:
        if name not in source.names:
            raise _unknown(source, name, f"'categorical' names '{name}', but there is no such {source.noun}")


def _check_tensors(source: Source, slots: Sequence[Slot], columns: Mapping[str, object]) -> None:
    names = [slot.name for slot in slots]
    for tensor in columns:
        if tensor not in names:
            remedy = did_you_mean(tensor, names) or f"the spec declares {', '.join(names)}"
            raise DataError(f"'columns' names '{tensor}', no input or target", at=source.label, remedy=remedy)


def _by_mapping(source: Source, slot: Slot, names: tuple[str, ...]) -> Selection:
    most = slot.size * (slot.classes or 1)
    if len(names) > (1 if _is_array(source) else most):
        takes = _count(_columns_of(slot, source), source.noun)
        problem = f"'{slot.name}' takes {takes}, 'columns' names {len(names)}"
        raise DataError(problem, at=source.label, remedy=f"list exactly {_columns_of(slot, source)}")
    return tuple(position_of(source, name) for name in names)


def named_columns(
    source: Source, columns: Iterable[tuple[str, tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    """The columns or arrays that names and patterns such as `p*` stand for, tensor by tensor, in their order.

    A pattern leaves out what is named outright, so that inputs never take a named target along. What stands
    for nothing is given back, to be missed by its name.
    """
    columns = tuple(columns)
    outright = {name for _, names in columns for name in names}
    free = [name for name in source.names if name not in outright]

    def meant(name: str) -> tuple[str, ...]:
        alike = () if name in source.names else tuple(c for c in free if fnmatchcase(c, name))
        return alike or (name,)

    return {tensor: tuple(dict.fromkeys(c for n in names for c in meant(n))) for tensor, names in columns}


def position_of(source: Source, name: str) -> int:
    """The position of a column or array. Raises DataError where there is none of this name."""
    if name in source.names:
        return source.names.index(name)
    raise _unknown(source, name, f"there is no {source.noun} '{name}'")


def of_its_name(source: Source, name: str, count: int) -> Selection:
    """The columns `x`, or `x1, x2` by their numbers, wherever they stand; none if these are not so many."""
    if count == 1:
        return (source.names.index(name),) if name in source.names else ()
    numbered = re.compile(rf"{re.escape(name)}[\W_]*(\d+)")
    found = [(int(m[1]), p) for p, column in enumerate(source.names) if (m := numbered.fullmatch(column))]
    is_whole = len(found) == len({number for number, _ in found}) == count
    return tuple(position for _, position in sorted(found)) if is_whole else ()


def _unknown(source: Source, name: str, problem: str) -> DataError:
    remedy = did_you_mean(name, source.names) or f"there are {listed_names(source.names)}"
    return DataError(problem, at=source.label, remedy=remedy)


def _in_order(
    source: Source, waiting: list[Slot], rest: Mapping[int, Column], listed: Collection[str], some_taken: bool
) -> dict[str, Selection]:
    if _is_array(source):
        ordered: dict[str, Selection] = {s.name: (p,) for s, p in zip(waiting, rest, strict=True)}
    else:
        width = cache(lambda position: _width(rest[position], listed))
        own = _own_words(source, waiting, rest, width)
        left = [position for position in rest if (position,) not in own.values()]
        filled = _filled([slot for slot in waiting if slot.name not in own], left, width)
        if filled is None:
            raise _wrong_count(source, waiting, {p: width(p) for p in rest}, some_taken)
        ordered = {slot.name: {**own, **filled}[slot.name] for slot in waiting}
    for slot in waiting:
        if slot.is_input:
            _refuse_target(source, slot.name, ordered[slot.name], waiting)
    _warn_of_a_guess(source, ordered, waiting)
    return ordered


def _width(column: Column, listed: Collection[str]) -> int:
    """The entries a column gives to an input of several columns."""
    (typed,) = kinds_of([column], listed)
    return len(typed.words) if typed.codes is not None and not isinstance(typed.words[0], bool) else 1


def _own_words(
    source: Source, waiting: list[Slot], rest: Iterable[int], width: Callable[[int], int]
) -> dict[str, Selection]:
    """The tensors of several entries with a column of words of their own name."""
    names = {source.names[position]: position for position in rest}
    own = [slot.name for slot in waiting if slot.name in names and not slot.classes]
    return {name: (names[name],) for name in own if width(names[name]) > 1}


def _filled(
    slots: list[Slot], columns: list[int], width: Callable[[int], int]
) -> dict[str, Selection] | None:
    """Columns in order for tensors in order; None where they do not come out.

    A last target of several entries may have one column of labels.
    """
    filled: dict[str, Selection] = {}
    for slot in slots:
        entries, chosen = 0, []
        takes_labels = not slot.is_input and slot is slots[-1] and len(columns) == 1
        while entries < slot.size and columns:
            chosen.append(columns.pop(0))
            entries += slot.size if takes_labels else 1 if slot.classes else width(chosen[-1])
            entries -= slot.size == 1 and entries == 2  # two words are one number
        if entries != slot.size:
            return None
        filled[slot.name] = tuple(chosen)
    return None if columns else filled


def _warn_of_a_guess(source: Source, ordered: Mapping[str, Selection], slots: Sequence[Slot]) -> None:
    """Say which columns feed what, where their names do not and another order could be meant."""
    targets = {slot.name for slot in slots if not slot.is_input}
    names = {tensor: tuple(source.names[p] for p in chosen) for tensor, chosen in ordered.items()}
    guessed = [tensor for tensor in names if not _speak_for(tensor, names[tensor], tensor in targets)]
    if not source.has_names or len(guessed) < 2:
        return
    taken = "; ".join(f"'{tensor}' takes {listed_names(names[tensor])}" for tensor in names)
    problem = f"{source.noun}s are taken in order, as their names do not say what they feed: {taken}"
    warn(DataWarning(problem, at=source.label, remedy=f"if that is wrong, {source.remedy}"))


def _speak_for(tensor: str, names: tuple[str, ...], is_target: bool) -> bool:
    """Whether columns bear a tensor's name, or its name and a number, or a target's a word for targets."""
    own = re.compile(rf"{re.escape(tensor)}([\W_]*\d+)?", re.IGNORECASE)
    return all(own.fullmatch(name) or (is_target and name.lower() in TARGET_WORDS) for name in names)


def _wrong_count(
    source: Source, waiting: Sequence[Slot], widths: Mapping[int, int], some_taken: bool
) -> DataError:
    sizes = {slot.name: _columns_of(slot, source) for slot in waiting}
    needs = ", ".join(f"{tensor} takes {width}" for tensor, width in sizes.items())
    problem = f"has {_count(len(widths), source.noun)} {'left ' if some_taken else ''}"
    answers = sum(slot.size for slot in waiting if not slot.is_input)
    for position in list(widths)[-answers:] if 0 < answers < len(widths) else []:
        widths = {**widths, position: 1}  # a label is one number
    wide = [f"{source.names[position]} ({width})" for position, width in widths.items() if width > 1]
    problem += f"({sum(widths.values())} after one-hot of {', '.join(wide)}) " if wide else ""
    problem += f"where the spec needs {sum(sizes.values())} ({needs})"
    remedy = source.remedy
    fed = [slot for slot in waiting if slot.is_input]
    if wide and len(fed) == 1:
        width = fed[0].size + sum(widths.values()) - sum(sizes.values())
        remedy = f"write {fed[0].name}: [batch, {width}], or {remedy}"
    if source.names and not source.names[0]:
        remedy = f"the first column has no name, perhaps a row number: drop it, or {remedy}"
    elif source.names and not source.names[-1]:
        remedy = f"the last column has no name, perhaps a separator too many: drop it, or {remedy}"
    return DataError(problem, at=source.label, remedy=remedy)


def _refuse_target(source: Source, tensor: str, selection: Selection, slots: Sequence[Slot]) -> None:
    """Columns in order are a guess: refuse one that would train on the answer."""
    answers = TARGET_WORDS | {slot.name.lower() for slot in slots if not slot.is_input}
    for position in selection:
        name = source.names[position]
        if name.lower() in answers and name != tensor:
            problem = f"{source.noun} '{name}' would feed the input '{tensor}', as {source.noun}s go in order"
            raise DataError(problem, at=source.label, remedy=source.remedy)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed_names(names: Sequence[str]) -> str:
    """Some names for people: all of them, or the first ones and how many there are."""
    shown = ", ".join(names[:8])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 8 else shown
