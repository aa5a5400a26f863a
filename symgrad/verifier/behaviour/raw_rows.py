"""Rows as they stand in people's data: a checkpoint's `predict` takes them as they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, refusal, same, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.behaviour_case import DataTensor

_ROWS = 6
_WORDS = ("green", "7", "na")
_PAIR = ("a", "b")
_ALONE = ("one word",)
_TRUTHS = (False, True)
_NUMBERS = (2.0, 10.0)
_GAPS = (None, " ", "NA", "?", float("nan"), "None")
"""What stands where a value is missing; the last one only among numbers."""
_NO_NUMBERS = ("blue", True, 1j, [1.0], b"blue", 10**400)
_WORDS_IN_DEPTH = np.full((_ROWS, 1, 1), "blue", object)
_MEAN, _DEVIATION = 0.25, 1.5


@dataclass(frozen=True)
class _Column:
    """A column as people have it, the entries of an input that it becomes, and the words that it may hold."""

    name: str
    cells: list[Any]
    entries: Array
    words: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Turn:
    """What columns of one checkpoint are: words of which kinds come first, and whether a number is the last.

    What is not words is numbers. There may be gaps; what was not there in training is refused, or `unseen`.
    """

    kinds: tuple[tuple[Any, ...], ...]
    ends_with_number: bool = True
    gaps: bool = False
    fills: bool = False
    standardises: bool = False
    unseen: str = ""

    def __str__(self) -> str:
        return f"words {self.kinds}, gaps {self.gaps}, unseen {self.unseen or 'refused'}"


_TURNS = (
    _Turn((_WORDS, _TRUTHS, _NUMBERS)),
    _Turn((_TRUTHS, _NUMBERS, _WORDS), gaps=True, fills=True, standardises=True),
    _Turn((_NUMBERS, _WORDS, _TRUTHS), gaps=True, fills=True, unseen="ignore"),
    _Turn((_WORDS, _PAIR, _TRUTHS), ends_with_number=False),
    _Turn((_TRUTHS,), ends_with_number=False, gaps=True, fills=True),
    _Turn((_NUMBERS,)),
    _Turn((_ALONE, _TRUTHS)),
)
Columns: TypeAlias = "dict[str, list[_Column]]"
"""By the names of inputs."""


def raw_rows(bench: Bench) -> Iterator[str]:
    """What a checkpoint's predict makes of columns, of rows, of gaps, and of words that were not there."""
    inputs = _needed(bench)
    if not inputs:
        return
    if any(not bench.numbers(tensor).ndim for tensor in inputs):
        with TemporaryDirectory() as folder:
            yield from _objects(bench, inputs, Path(folder) / "checkpoint.npz")
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.npz"
        for turn in _TURNS:
            columns = {t.name: _columns(t, bench, turn) for t in inputs}
            learnt = {t.name: _learnt(t, bench, columns[t.name], turn) for t in inputs}
            bench.module.save(file, bench.params(), preparation={"inputs": learnt})
            found = bench.module.load(file)
            rows = [_rows(t, bench, columns[t.name]) for t in inputs]
            prepared = (_prepared(t, bench, r, learnt[t.name]) for t, r in zip(inputs, rows, strict=True))
            expected = _predicted(bench, prepared)
            yield from _answers(found, expected, columns, str(turn))
            yield from _of_encoded(found, expected, rows, columns)
            if not turn.unseen:
                yield from _refusals(found, columns, len(bench.case.inputs))
            yield from _frames(found, expected, columns)
        yield from _without_words(bench, file)
        yield from _nothing_learnt(bench, inputs, file)


def _needed(bench: Bench) -> list[DataTensor]:
    """The inputs that the prediction depends on."""
    return [tensor for tensor in bench.case.inputs if tensor.name not in bench.case.spare]


def _predicted(bench: Bench, arrays: Iterable[Array]) -> Any:
    """What the module predicts from these arrays of the inputs needed."""
    given = dict(zip((tensor.name for tensor in _needed(bench)), arrays, strict=True))
    return bench.module.predict(bench.params(), *(given.get(t.name) for t in bench.case.inputs))


def _columns(tensor: DataTensor, bench: Bench, turn: _Turn) -> list[_Column]:
    """Columns for all entries of an input: of words, of truths, of two numbers only, the rest of numbers."""
    size = left = int(np.prod(bench.numbers(tensor).shape[1:]))
    if tensor.classes is not None:
        names = [10.0 * n if turn.standardises else f"class {n}" for n in range(tensor.classes)]
        codes = np.arange(_ROWS * size) % tensor.classes
        return [_Column(tensor.name, [names[c] for c in codes], codes.astype(float)[:, None], tuple(names))]
    if size == 1 or (size == 2 and not turn.ends_with_number):  # two words alone: 0 and 1, or one-hot
        words = next(kind for kind in (*turn.kinds, _NUMBERS) if len(kind) == 2)
        return [_of_words(f"{tensor.name} alone", words, size, turn)]
    found: list[_Column] = []
    for words in turn.kinds:
        width = 1 if words == _TRUTHS else len(words)
        if left >= width + turn.ends_with_number:
            found.append(_of_words(f"{tensor.name} {words[0]}", words, width, turn))
            left -= width
    return [*found, *(_of_numbers(f"{tensor.name} {n}", n, gaps=turn.gaps) for n in range(left))]


def _of_words(name: str, words: Sequence[Any], width: int, turn: _Turn) -> _Column:
    codes = [n % len(words) for n in range(_ROWS)]
    cells: list[Any] = [words[c] for c in codes]
    entries = np.eye(len(words))[codes] if width == len(words) else np.array(codes, float)[:, None]
    if words == _WORDS:
        cells[1], cells[3] = 7, f" {cells[3]} "  # a number as a word, and a word with blanks around it
    if words == _TRUTHS:
        cells[:2] = ["False", "TRUE"]
    if turn.gaps:
        cells[4], entries[4] = _GAPS[1 + len(words) % 2], np.nan
    if turn.unseen and width == len(words):
        cells[5], entries[5] = "blue", 0  # of all that is one-hot; a code has no room for more words
    return _Column(name, cells, entries, tuple(words))


def _of_numbers(name: str, place: int, *, gaps: bool) -> _Column:
    numbers = np.linspace(-1, 1, _ROWS) * (1 + place % 3) / 2
    cells: list[Any] = numbers.tolist()
    if gaps:
        row = place % _ROWS
        cells[row], numbers[row] = _GAPS[place % len(_GAPS)], np.nan
        cells[row - 1], numbers[row - 1] = "none", np.nan
    return _Column(name, cells, numbers[:, None])


def _learnt(tensor: DataTensor, bench: Bench, columns: list[_Column], turn: _Turn) -> dict[str, Any]:
    """What training would have kept of an input of these columns."""
    shape = bench.numbers(tensor).shape[1:]
    record: dict[str, Any] = {"shape": list(shape), "columns": [column.name for column in columns]}
    if tensor.classes is not None:
        return record | {"classes": list(columns[0].words)}
    size = int(np.prod(shape))
    record["categories"] = [list(column.words) for column in columns]
    record["unseen"] = turn.unseen
    if turn.fills:
        record["fill"] = (np.arange(size) / 4).reshape(shape).tolist()
    if turn.standardises:
        record |= {"mean": np.full(shape, _MEAN).tolist(), "deviation": np.full(shape, _DEVIATION).tolist()}
    return record


def _rows(tensor: DataTensor, bench: Bench, columns: list[_Column]) -> Array:
    """The entries that columns become, NaN in gaps."""
    return np.hstack([column.entries for column in columns]).reshape(-1, *bench.numbers(tensor).shape[1:])


def _prepared(tensor: DataTensor, bench: Bench, rows: Array, learnt: dict[str, Any]) -> Array:
    """The numbers that the network is to be given for these rows."""
    if tensor.classes is not None:
        return rows.astype(np.int64)
    filled = np.where(np.isnan(rows), np.array(learnt.get("fill", 0.0)), rows)
    standardised = (filled - _MEAN) / _DEVIATION if "mean" in learnt else filled
    found: Array = standardised.astype(bench.dtype)
    return found


def _table(columns: Columns) -> dict[str, list[Any]]:
    return {column.name: column.cells for group in columns.values() for column in group}


def _arrays(columns: Columns) -> list[Array]:
    """An array of cells for each input, a column each."""
    found = []
    for group in columns.values():
        cells = np.empty((len(group[0].cells), len(group)), object)
        for number, column in enumerate(group):
            cells[:, number] = column.cells
        found.append(cells)
    return found


def _answers(found: Any, expected: Array, columns: Columns, how: str) -> Iterator[str]:
    table, arrays = _table(columns), _arrays(columns)
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    ways: list[tuple[str, list[Any]]] = [("a table", [table]), ("rows, a dict each", [rows])]
    whole = dict(zip(columns, arrays, strict=True))
    first = {column.name: column.cells for group in columns.values() for column in group[:1]}
    ways.append(("a table of arrays, beside one of their columns", [first | whole]))
    if all(isinstance(cell, float) for array in arrays for cell in array.flat):
        numbers = [array.astype(float) for array in arrays]
        ways.append(("arrays of numbers, words among them", numbers))
        if all(array.shape[1] == 1 for array in numbers):
            ways.append(("arrays of numbers that are words", [array[:, 0] for array in numbers]))
    for way, given in (*ways, ("arrays of cells", arrays), ("a table of arrays", [whole])):
        if not same(found.predict(*given), expected):
            yield f"a checkpoint's predict takes {way} otherwise than it was trained on ({how})"


class _Frame(dict[str, Any]):
    """A table that says, as a data frame does, how its columns are called; two may be called the same."""

    def __init__(self, table: dict[str, Any], names: list[str]) -> None:
        super().__init__(table)
        self.columns = _Names(names)


class _Names(list[str]):
    @property
    def is_unique(self) -> bool:
        return len({*self}) == len(self)


def _frames(found: Any, expected: Array, columns: Columns) -> Iterator[str]:
    """Data frames, whose columns may be called the same where they are not inputs."""
    table = _table(columns)
    for names in ([*table], [*table, "more", "more"]):
        if not same(found.predict(_Frame(table, names)), expected):
            yield "a checkpoint's predict takes a data frame otherwise than it was trained on"
    for name, group in columns.items():
        frame, parts = _Frame(table, [*table, group[0].name]), (repr(group[0].name),)
        if wrong := told(ValueError, f"{name}: 2 columns", parts, found.predict, frame):
            yield f"predict of a data frame with a column twice {wrong}"


def _nothing_learnt(bench: Bench, inputs: list[DataTensor], file: Path) -> Iterator[str]:
    """Words and the like, beside gaps, where nothing was learnt: they are no numbers, and no labels."""
    yield from _objects(bench, inputs, file)
    found, name = bench.module.load(file), inputs[0].name
    for cell in _NO_NUMBERS:
        table = {tensor.name: [None, cell] for tensor in inputs}
        words = f"{name}: {cell!r} in row 2 of {name!r} is no number"
        if wrong := refusal(ValueError, words, found.predict, table):
            yield f"predict of {cell!r:.20}, where nothing was learnt of the data, {wrong}"
    arrays = {tensor.name: bench.numbers(tensor) for tensor in inputs}
    for name, array in arrays.items():
        if array.shape[1:] not in ((), (1,)):
            column, parts = np.ravel(array)[:_ROWS], (f"got [{min(_ROWS, array.size)}]",)
            for cells in (column, [None, *column[1:].tolist()]):
                short: dict[str, Any] = {**arrays, name: cells}
                if wrong := told(ValueError, f"{name}: expected shape", parts, found.predict, short):
                    yield f"predict of a table with one column for {name}, which has more, {wrong}"


def _objects(bench: Bench, inputs: list[DataTensor], file: Path) -> Iterator[str]:
    """Arrays of objects are none of numbers, whatever is in them, where nothing was learnt of the data."""
    bench.module.save(file, bench.params())
    found, arrays = bench.module.load(file), {tensor.name: bench.numbers(tensor) for tensor in inputs}
    for name in arrays:
        objects = [a.astype(object) if n == name else a for n, a in arrays.items()]
        if wrong := refusal(TypeError, f"{name}: expected numbers", found.predict, *objects):
            yield f"predict of an array of objects for {name} {wrong}"


def _without_words(bench: Bench, file: Path) -> Iterator[str]:
    """Cells that are numbers, with a gap, and lists of them, where nothing was learnt but what fills gaps."""
    inputs = _needed(bench)
    if any(tensor.classes is not None for tensor in inputs):
        return
    arrays = [bench.numbers(tensor) for tensor in inputs]
    learnt = {t.name: {"fill": np.ones(a.shape[1:]).tolist()} for t, a in zip(inputs, arrays, strict=True)}
    whole = {
        t.name: {"shape": a.shape[1:], "columns": [f"{t.name} {n}" for n in range(a[0].size)]}
        for t, a in zip(inputs, arrays, strict=True)
    }
    for gap, what in ((None, "a gap"), (0.5, "no gap")):
        cells = [a.astype(object).reshape(len(a), -1) for a in arrays]
        for array, cell in zip(arrays, cells, strict=True):
            cell[1, 0] = gap
            array.reshape(len(array), -1)[1, 0] = 1.0 if gap is None else gap
        bench.module.save(
            file, bench.params(), preparation={"inputs": {n: learnt[n] | whole[n] for n in whole}}
        )
        given: list[Any] = cells
        if gap is not None:
            given = [c.reshape(a.shape).tolist() for c, a in zip(cells, arrays, strict=True)]
        if not same(bench.module.load(file).predict(*given), _predicted(bench, arrays)):
            yield f"a checkpoint's predict takes cells with {what} and no words otherwise"


def _of_encoded(found: Any, expected: Array, rows: list[Array], columns: Columns) -> Iterator[str]:
    """Numbers in the shape of an input are taken for what its words and gaps become."""
    groups = list(columns.values())
    if any(r.ndim < 2 or r.shape[1] == len(group) for r, group in zip(rows, groups, strict=True)):
        return
    if not same(found.predict(*rows), expected):
        yield "a checkpoint's predict takes arrays of numbers, words among them, otherwise"


def _refusals(found: Any, columns: Columns, count: int) -> Iterator[str]:
    """A column that is missing or too short, a word that was not there, a text for a number: by name."""
    table, arrays = _table(columns), _arrays(columns)
    if wrong := refusal(TypeError, "predict: expected", found.predict, *(count + 1) * arrays):
        yield f"predict of {count + 1} times as many inputs {wrong}"
    for place, (name, group) in enumerate(columns.items()):
        refused = partial(refusal, ValueError, f"{name}: ", found.predict)
        deep = [arrays[n] if n != place else _WORDS_IN_DEPTH for n in range(len(arrays))]
        if wrong := refusal(ValueError, f"{name}: expected columns", found.predict, *deep):
            yield f"predict of an array of words with {_WORDS_IN_DEPTH.ndim} axes {wrong}"
        fewer = [a[:, :-1] if n == place else a for n, a in enumerate(arrays)]
        if len(group) > 1 and (wrong := refusal(ValueError, f"{name}: expected", found.predict, *fewer)):
            yield f"predict of an array with a column too few {wrong}"
        for column in group:
            others = {key: cells for key, cells in table.items() if key != column.name}
            parts = (repr(column.name),)
            if wrong := told(ValueError, f"{name}: ", parts, found.predict, others):
                yield f"predict without the column {column.name!r} {wrong}"
            if len(group) > 1 and (wrong := refused(table | {column.name: column.cells[:-1]})):
                yield f"predict of a column {column.name!r} that is too short {wrong}"
            yield from _cells_refused(found, table, name, column)


def _cells_refused(found: Any, table: dict[str, list[Any]], name: str, column: _Column) -> Iterator[str]:
    for cell in ("blue",) if column.words else _NO_NUMBERS:
        cells = [*column.cells]
        cells[2] = cell
        place = f"{cell!r} in row 3"
        parts = (place if column.name == name else f"{place} of {column.name!r}",)
        if wrong := told(ValueError, f"{name}: ", parts, found.predict, table | {column.name: cells}):
            yield f"predict of {column.name!r} with {cell!r:.20} in it {wrong}"
    if not column.words and (
        wrong := refusal(
            ValueError, f"{name}: ", found.predict, table | {column.name: ["none"] * len(column.cells)}
        )
    ):
        yield f"predict of {column.name!r} with words alone {wrong}"
