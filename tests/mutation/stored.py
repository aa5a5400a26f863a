"""What a module answers of checkpoints and of rows as people have them: many right ones, many not."""

from __future__ import annotations

import os
from contextlib import chdir, suppress
from itertools import product
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.verifier.behaviour.workbench import Bench

FILE = "checkpoint.npz"
_TABLES = 160
_ROWS = 5
_WORDS: tuple[tuple[Any, ...], ...] = (
    ("green", "7", "na"),
    ("a", "b"),
    ("True", "2.5", "x", ""),
    (False, True),
    (2.0, 10.0),
    (0.0, 1.0, 2.0),
    ("alone",),
)
_TEXTS = (
    "green",
    " green ",
    "7",
    "7.0",
    "na",
    "NA",
    "a",
    "b",
    "x",
    "True",
    "true",
    "FALSE",
    "2.5",
    "2",
    "1_0",
    "",
)
_CELLS = (
    *(*_TEXTS, "?", "-", "none", "unknown", "blue", "10", "1e3", "nan"),
    *(0, 1, 2, 7, 2.5, 10.0, -1.5, 1e6, 10**400, 1e300, 1j, True, False, None, [1.0], b"a"),
    *(np.nan, np.inf, np.float32(2.5), np.int64(7), np.bool_(True), np.datetime64("NaT")),
)


def stored(bench: Bench, called: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """What came of saving, loading and predicting from files, in a folder of its own."""
    with TemporaryDirectory() as folder, chdir(folder):
        yield from _saved(bench, called)
        yield from _other_files(bench, called)
        yield from _tables(bench, called)


def _read(bench: Bench, called: Callable[..., Any]) -> Any:
    """What the module reads of the file, and what NumPy does."""
    found = called(bench.module.load, FILE)
    arrays = None
    with suppress(Exception), np.load(FILE, allow_pickle=False) as archive:
        arrays = [(key, archive[key]) for key in archive.files]
    return repr(found), found, sorted(os.listdir()), arrays


def _saved(bench: Bench, called: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    module, params = bench.module, bench.params()
    states = (None, bench.state()) if bench.case.has_loss else (None,)
    prepared: tuple[Any, ...] = (None, {}, {"a": [0.1, "b"]}, {"inputs": {"x": {}}})
    for state, epoch, preparation in product(states, (0, 7), prepared):
        for more in ({}, {"mine": np.arange(3), "of.mine": np.ones((2, 2))}, {"other": 1.5}):
            done = called(module.save, FILE, params, state, epoch=epoch, preparation=preparation, **more)
            yield f"save {state is None} {epoch} {preparation} {list(more)}", (done, _read(bench, called))
    own = ("params.a", "state.b", "epoch", "sha256", "file", "format_version", "preparation", "spec_name")
    for key in (*own, "params", "state", "spec_sha256", "network_sha256", "symgrad_version", "statement"):
        yield f"save {key}", called(module.save, FILE, params, **{key: np.zeros(1)})
    for bad in (params[:-1], None, [*params, params], tuple(a.astype(int) for a in params)):
        yield "save of bad parameters", called(module.save, FILE, bad)
    yield "save in no folder", str(called(module.save, "none/of.npz", params)[0])[:20]  # then a random name
    yield "load of nothing", called(module.load, "nothing.npz")[0]


def _other_files(bench: Bench, called: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Files with something missing, changed or added, with and without the checksum that is theirs."""
    module = bench.module
    state = (bench.state(),) if bench.case.has_loss else ()
    module.save(FILE, bench.params(), *state, epoch=3, mine=np.arange(4))
    with np.load(FILE, allow_pickle=False) as archive:
        whole = {key: archive[key] for key in archive.files}
    with open(FILE, "rb") as stream:
        content = stream.read()
    for length in (0, 10, len(content) // 2, len(content) - 20):
        with open(FILE, "wb") as stream:
            stream.write(content[:length])
        yield f"load of {length} bytes", called(module.load, FILE)[0]
    for what, arrays in _changed(whole):
        for is_signed in (False, True):
            kept = {key: np.asarray(array) for key, array in arrays.items() if key != "sha256"}
            signature = {"sha256": np.array(_digest(kept))} if is_signed else {"sha256": whole["sha256"]}
            np.savez(FILE, **kept, **(signature if what != "sha256 missing" else {}))
            yield f"load, {what}, signed {is_signed}", _read(bench, called)


def _digest(arrays: dict[str, Any]) -> str:
    from symgrad.runtime.array_archives import _digest

    return _digest(arrays)


def _changed(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, array in whole.items():
        yield f"{key} missing", {k: a for k, a in whole.items() if k != key}
        yield f"{key} renamed", {k if k != key else f"{key}_": a for k, a in whole.items()}
        yield f"{key} longer", whole | {key: np.array([array, array])}
        yield f"{key} with an axis more", whole | {key: array[None]}
        if array.dtype.kind == "U":
            yield f"{key} other text", whole | {key: np.array("{}" if key == "preparation" else "other")}
            continue
        yield f"{key} more", whole | {key: array + 1}
        for kind in (np.float32, np.float64, np.int64, np.complex128, np.str_, object):
            yield f"{key} as {kind.__name__}", whole | {key: array.astype(kind)}
        for value in (np.nan, np.inf, 1e300) if array.dtype.kind == "f" and array.size else ():
            for entry in {0, array.size - 1}:
                other = array.astype(np.float64)
                other.flat[entry] = value
                yield f"{key} with {value} at {entry}", whole | {key: other}
    yield "another key", whole | {"another": np.zeros(2), "params.another": np.zeros(2)}
    yield "another state", whole | {"state.another": np.zeros(2)}


def _tables(bench: Bench, called: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Predictions and labels of drawn rows, under drawn records of what was learnt."""
    inputs = bench.case.inputs
    if any(not array.ndim for array in bench.data()[: len(inputs)]):
        return
    for number in range(_TABLES):
        rng = np.random.default_rng(number)
        learnt = {t.name: _record(rng, t.name, t.classes, bench.numbers(t).shape[1:]) for t in inputs}
        targets = {t.name: {"classes": ["u", "v", "w", "z"]} for t in bench.case.targets}
        known = {"inputs": learnt} | ({"targets": targets} if number % 2 else {})
        known = {} if number % 10 == 0 else known
        bench.module.save(FILE, bench.params(), preparation=known)
        found = bench.module.load(FILE)
        cells = {name: _cells(rng, record) for name, record in learnt.items()}
        for way, given in _given(rng, cells, learnt):
            yield f"table {number} as {way}", called(found.predict, *given)[0]
        if number % 8 == 0:
            yield f"labels {number}", called(found.labels, *bench.data()[: len(inputs)])[0]


def _record(rng: Any, name: str, classes: int | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """What may have been learnt of an input, in part."""
    if classes is not None:
        words = [["c0", "c1", "c2", "c3", "c4", "c5", "c6"][:classes], list(range(classes))][rng.integers(2)]
        return {"shape": list(shape), "classes": words, "columns": [name]}
    size, left = int(np.prod(shape)), int(np.prod(shape))
    categories: list[list[Any]] = []
    while left:
        words = _WORDS[rng.integers(len(_WORDS))] if rng.random() < 0.6 else ()
        width = 1 if not words or isinstance(words[0], bool) else len(words)
        if width <= left:
            categories.append(list(words))
            left -= width
    record: dict[str, Any] = {"shape": list(shape), "categories": categories}
    record["columns"] = [f"{name} {n}" for n in range(len(categories))] if len(categories) > 1 else [name]
    record["unseen"] = ("", "ignore")[rng.integers(2)]
    if rng.random() < 0.5:
        record["fill"] = (np.arange(size) / 4).reshape(shape).tolist()
    if rng.random() < 0.5:
        record |= {"mean": np.full(shape, 0.25).tolist(), "deviation": np.full(shape, 1.5).tolist()}
    return {key: value for key, value in record.items() if key == "shape" or rng.random() < 0.95}


def _cells(rng: Any, record: dict[str, Any]) -> list[list[Any]]:
    """A column of cells for each that was learnt, hardly any of them strange."""
    columns = []
    for words in (record.get("classes") and [record["classes"]]) or record.get("categories") or [[], []]:
        usual: list[Any] = [*words] or [0.5, -1, 2, np.float32(0.25)]
        strange = rng.random() < 0.15
        columns.append(
            [
                _CELLS[rng.integers(len(_CELLS))]
                if rng.random() < (0.4 if strange else 0.0)
                else (None if rng.random() < 0.05 else usual[rng.integers(len(usual))])
                for _ in range(_ROWS)
            ]
        )
    return columns


def _given(
    rng: Any, cells: dict[str, list[list[Any]]], learnt: dict[str, Any]
) -> Iterator[tuple[str, list[Any]]]:
    """The same columns in all ways that they may be given in, and some in which they may not."""
    table = {
        (learnt[name].get("columns") or [name])[n % len(learnt[name].get("columns") or [name])]: column
        for name, columns in cells.items()
        for n, column in enumerate(columns)
    }
    arrays = []
    for columns in cells.values():
        array = np.empty((_ROWS, len(columns)), object)
        for number, column in enumerate(columns):
            array[:, number] = np.array([*column, None], object)[:-1]
        arrays.append(array)
    lists = [array.tolist() for array in arrays]
    gone, short = (list(table)[rng.integers(len(table))] for _ in range(2))
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    yield "a table", [table]
    yield "rows", [rows]
    yield "rows in a tuple", [tuple(rows)]
    yield "rows with gaps", [[{k: v for k, v in r.items() if n or k != gone} for n, r in enumerate(rows)]]
    yield "arrays", [*arrays]
    yield "lists", lists
    yield "texts", [np.array([[*map(str, row)] for row in array]) for array in arrays]
    yield "a table of arrays", [dict(zip(cells, arrays, strict=True))]
    yield "arrays and a column", [{gone: table[gone]} | dict(zip(cells, arrays, strict=True))]
    yield "a frame", [_Frame(table, [*table])]
    yield "a frame with a column twice", [_Frame(table, [*table, gone])]
    yield "a frame with another column twice", [_Frame(table | {"more": [0]}, [*table, "more", "more"])]
    yield "without a column", [{key: column for key, column in table.items() if key != gone}]
    yield "a short column", [{key: c[:-1] if key == short else c for key, c in table.items()}]
    yield "a column less", [array[:, :-1] for array in arrays]
    yield "an array too many", [*arrays, arrays[0]]
    yield "first columns", [array[:, 0] for array in arrays]
    yield "further axes", [array[..., None] for array in arrays]
    shapes = [(_ROWS, *record["shape"]) for record in learnt.values()]
    numbers = [np.linspace(-1, 1, int(np.prod(shape))).reshape(shape) for shape in shapes]
    yield "numbers", [*numbers]
    yield "whole numbers", [n.round().astype(np.int64) for n in numbers]
    yield "numbers as objects", [n.astype(object) for n in numbers]
    yield "numbers with gaps", [np.where(n == 1, None, n.astype(object)) for n in numbers]


class _Frame(dict[str, Any]):
    """A table with the columns of a data frame, which may bear a name twice."""

    def __init__(self, table: dict[str, Any], names: list[str]) -> None:
        super().__init__(table)
        self.columns = _Names(names)


class _Names(list[str]):
    @property
    def is_unique(self) -> bool:
        return len({*self}) == len(self)
