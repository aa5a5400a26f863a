"""The training data: read, checked against the spec and laid out as the module takes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.drawn_points import drawn_points
from symgrad.training.dataset.feeding.apply_preparation import known_columns
from symgrad.training.dataset.feeding.assign import assigned, named_columns
from symgrad.training.dataset.feeding.learn_names import learnt
from symgrad.training.dataset.feeding.missing_values import refuse_unfillable, whole_rows
from symgrad.training.dataset.feeding.row_lengths import check_lengths, row_lengths
from symgrad.training.dataset.feeding.slots import Slot, further_axes, lengths_in, sets_of, slots_of
from symgrad.training.dataset.feeding.tensor_of_columns import tensor_of
from symgrad.training.dataset.in_memory import memory_source
from symgrad.training.dataset.open_source import open_source
from symgrad.training.dataset.preparation import Dialect, Preparation, Windows
from symgrad.training.dataset.windows.series_windows import fed_by_series, has_windows, series_source
from symgrad.training.dataset.windows.text_windows import text_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import DataSpec, Missing, Spec, TensorSpec
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.feeding.row_lengths import RowLengths
    from symgrad.training.dataset.preparation import FoundBy
    from symgrad.training.dataset.source import Source

T = TypeVar("T")
Data: TypeAlias = "str | os.PathLike[str] | Any"
"""A file, or data in memory: a data frame, arrays by name, or a tuple of inputs and targets.

Of several sets of points also a mapping of their names, the axes, to data of each.
"""


@dataclass(frozen=True)
class Dataset:
    """Rows of data: one contiguous array [rows, ...] per input and per target, in the spec's order.

    `origin` names the file in messages; `preparation` is how the arrays were made, as far as names go;
    `left_out` counts the rows besides that missed a value, where those were known from training. Of a text
    or series rows foretell entries that `overlap` of the next do too; other rows are of no order. `sets` says
    of which set of points each tensor is, where there are several: rows are counted in each of them by
    themselves.
    """

    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[Any]]
    origin: str
    preparation: Preparation = field(default_factory=Preparation, repr=False)
    left_out: int = 0
    overlap: int | None = None
    sets: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The number of examples; of several sets of points, of those of the first tensor."""
        return len(self.arrays[0])

    @property
    def rows_of(self) -> dict[str, int]:
        """The number of rows of every set of points, the one that batches are drawn from first."""
        arrays = {**self.inputs, **self.targets}
        return {self.sets.get(name, ""): len(values) for name, values in arrays.items()}

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Inputs, then targets: the data arguments of the module's functions."""
        return (*self.inputs.values(), *self.targets.values())

    def take(self, rows: NDArray[Any], of: str | None = None) -> Dataset:
        """The chosen rows, in the order given; those of other sets of points all, as in a batch.

        They are of the set `of`, or of the one that batches are drawn from.
        """
        of = next(iter(self.rows_of)) if of is None else of

        def taken(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {n: values[rows] if self.sets.get(n, "") == of else values for n, values in arrays.items()}

        return Dataset(taken(self.inputs), taken(self.targets), self.origin, self.preparation, sets=self.sets)


def load_data(
    spec: Spec,
    override: Data | None = None,
    *,
    data: DataSpec | None = None,
    like: Preparation | None = None,
) -> Dataset:
    """The data a spec names, or those in `override`, which are read with the spec's `columns`.

    `data` chooses another block than `train: data`, such as the validation file; `like` reads them as those
    in training, where something is known of these. A path written in a spec must stay in the spec's folder;
    one in `override` may lie anywhere. Where inputs will be filled in or standardised they stay float64, with
    NaN for missing values, until they are. Raises DataError saying where, what and how to mend it.
    """
    dataset = loaded(spec, override, data or spec.train.data, like, row_lengths(spec))
    if dataset.rows < 2:
        problem = "holds one row of data" if dataset.rows else "holds no rows of data"
        problem += " without missing values" if spec.train.missing == "drop" else ""
        raise DataError(problem, at=dataset.origin, remedy="at least 2 are needed")
    _check_sets(spec, dataset)
    return dataset


def loaded(
    spec: Spec,
    override: Data | None,
    data: DataSpec | None,
    like: Preparation | None,
    lengths: Sequence[RowLengths] = (),
) -> Dataset:
    """The same, however few rows there are; the tensors of the spec may be those of one set of points."""
    slots = slots_of(spec, dict.fromkeys(further_axes(spec), 1))
    if not slots:
        remedy = "training on rows needs an input or a target"
        raise DataError("the spec declares neither inputs nor targets", at=spec.name, remedy=remedy)
    apart = _apart(spec, override, data)
    if apart:
        return _of_sets(spec, apart, like, lengths)
    known = like if like is not None and (like.inputs or like.targets) else None
    source = _source(spec, override, data, known)
    try:
        if known is None:
            dataset = _learnt(spec, source, slots, lengths)
        else:
            dataset = _known(spec, source, known, lengths)
    except OSError as error:
        remedy = "check the path and its permissions"
        raise DataError(f"cannot be read: {error.strerror}", at=source.label, remedy=remedy) from error
    return replace(dataset, overlap=source.windows.overlap if source.windows else None)


def _apart(
    spec: Spec, override: Data | None, data: DataSpec | None
) -> dict[str, tuple[Data | None, DataSpec | None]]:
    """The data of each set of points, where they are given set by set; else nothing."""
    sets = {*sets_of(spec).values()}
    if override is None:
        return {name: (None, own) for name, own in data.sets} if data is not None else {}
    if sets and isinstance(override, Mapping) and {*override} == sets:
        own = dict(data.sets) if data is not None else {}
        return {name: (table, own.get(name)) for name, table in override.items()}
    return {}


def _of_sets(
    spec: Spec,
    apart: Mapping[str, tuple[Data | None, DataSpec | None]],
    like: Preparation | None,
    lengths: Sequence[RowLengths],
) -> Dataset:
    """One data set of those of each set of points."""
    sets = {t.name: str(t.axes[0]) for t in (*spec.inputs, *spec.targets)}
    found: list[Dataset] = []
    for name, (override, data) in apart.items():
        inputs = tuple(t for t in spec.inputs if sets[t.name] == name)
        targets = tuple(t for t in spec.targets if sets[t.name] == name)
        of_set, known = replace(spec, inputs=inputs, targets=targets), _of_these(like, sets, name)
        found.append(loaded(of_set, override, data, known, lengths))
    records = [part.preparation for part in found]
    preparation = replace(
        records[0],
        inputs=_merged([record.inputs for record in records], spec.inputs),
        targets=_merged([record.targets for record in records], spec.targets),
    )
    inputs_of_all = _merged([part.inputs for part in found], spec.inputs)
    targets_of_all = _merged([part.targets for part in found], spec.targets)
    origin = ", ".join(dict.fromkeys(part.origin for part in found))
    return Dataset(inputs_of_all, targets_of_all, origin, preparation, sets=sets_of(spec))


def _of_these(like: Preparation | None, sets: Mapping[str, str], name: str) -> Preparation | None:
    """What is known of the tensors of one set of points."""
    if like is None:
        return None
    inputs, targets = (
        {n: record for n, record in known.items() if sets[n] == name} for known in (like.inputs, like.targets)
    )
    return replace(like, inputs=inputs, targets=targets)


def _merged(parts: Iterable[Mapping[str, T]], tensors: Iterable[TensorSpec]) -> dict[str, T]:
    """All that parts have, in the order of tensors."""
    every = {name: value for part in parts for name, value in part.items()}
    return {tensor.name: every[tensor.name] for tensor in tensors}


def _check_sets(spec: Spec, dataset: Dataset) -> None:
    """Refuse a set without points, and inputs of several sets that would be standardised apart."""
    for name, rows in dataset.rows_of.items():
        if not rows:
            problem = f"there are no points of '{name}'"
            raise DataError(problem, at=dataset.origin, remedy="at least 1 is needed")
    if dataset.sets and spec.train.standardize:
        at = spec.place_of("train", "standardize")
        problem = "inputs of several sets of points would be standardised, each set by its own mean"
        raise DataError(problem, at=at, remedy="scale in the formulas, such as u((x - 5) / 3, t)")


def _learnt(spec: Spec, source: Source, slots: Sequence[Slot], lengths: Sequence[RowLengths]) -> Dataset:
    """All rows, and the names learnt from them."""
    listed = spec.train.categorical
    is_array = source.noun == "array"
    slots = slots if is_array else slots_of(spec)
    read = assigned(source, slots, dict(source.given), listed)
    if is_array and further_axes(spec):
        shapes = {name: columns[0].numbers.shape[1:] for name, columns in read.items()}
        slots = slots_of(spec, lengths_in(spec, shapes))
    found = {slot.name: learnt(slot, read[slot.name], listed, source.label) for slot in slots}
    inputs, targets = (
        {s.name: replace(found[s.name][0], found_by=_found_by(source)) for s in slots if s.is_input is side}
        for side in (True, False)
    )
    inputs = {name: replace(tensor, unseen=spec.train.unseen) for name, tensor in inputs.items()}
    columns = {name: typed for name, (_, typed) in found.items()}
    preparation = Preparation(inputs, targets, spec.train.missing == "drop", source.windows, source.dialect)
    return _dataset(source.label, preparation, columns, spec, lengths)


def _found_by(source: Source) -> FoundBy:
    if source.noun == "array":
        return "array"
    return "name" if source.has_names else "position"


def _known(spec: Spec, source: Source, preparation: Preparation, lengths: Sequence[RowLengths]) -> Dataset:
    """All rows, read as those the preparation was learnt from."""
    parts = known_columns(source, {**preparation.inputs, **preparation.targets})
    found = [_dataset(source.label, preparation, part, spec, lengths) for part in parts]
    return joined_rows(found, source.label)


def _source(spec: Spec, override: Data | None, data: DataSpec | None, known: Preparation | None) -> Source:
    """The columns or arrays, with those chosen that the spec names, cut as it says or as is known."""
    dialect = Dialect(data.header, data.delimiter, data.decimal) if data else Dialect()
    as_known = known.dialect if known else None
    windows = _windows(data) or (known.windows if known else None)
    is_file = isinstance(override, str | os.PathLike)
    if windows is not None and windows.ahead is None and (is_file or (override is None and data is not None)):
        return _text(spec, override, data, windows)
    if override is not None:
        source = source_of(override, [t.name for t in (*spec.inputs, *spec.targets)], dialect, as_known)
    elif data is not None and data.points is not None:
        shapes = {slot.name: slot.shape for slot in slots_of(spec)}
        drawn = drawn_points(data.points, shapes, spec.train.seed)
        source = memory_source(drawn, [*shapes], "points")
    elif data is not None:
        source = open_source(_inside_folder(spec, data), data.path, dialect, as_known)
    else:
        remedy = "add 'data: FILE' under 'train', or name a file when training"
        raise DataError("the spec names no data", at=spec.name, remedy=remedy)
    if windows is not None and windows.ahead is not None:
        if has_windows(source) and (known is not None or not (is_file or override is None)):
            return source
        cut = series_source(source, windows)
        fed = {} if known else fed_by_series(source, spec, data.columns if data else (), windows)
        return replace(cut, given=tuple(fed.items()))
    chosen = named_columns(source, data.columns) if data else {}
    named = {name for names in chosen.values() for name in names}
    # A tuple says itself what feeds what, unless its tables have the columns that the spec names.
    if source.given and not named <= set(source.names):
        return source
    return replace(source, given=tuple((dict(source.given) | chosen).items()))


def _windows(data: DataSpec | None) -> Windows | None:
    """How a text or a series is cut: where it says no step, so that each entry is foretold once."""
    if data is None or data.window is None:
        return None
    return Windows(data.window, data.step or data.ahead or data.window, data.ahead)


def _text(
    spec: Spec, override: str | os.PathLike[str] | None, data: DataSpec | None, windows: Windows
) -> Source:
    """A text cut into windows, which feed the one input and the one target unless `columns` says."""
    if override is None and data is not None:
        source = text_source(_inside_folder(spec, data), data.path, windows)
    else:
        source = text_source(Path(override or ""), str(override), windows)
    tensors = (*spec.inputs[:1], *spec.targets[:1])
    given = {tensor.name: (name,) for tensor, name in zip(tensors, source.names, strict=False)}
    return replace(source, given=tuple((given | dict(data.columns if data else ())).items()))


def source_of(
    data: Data, tensors: list[str], dialect: Dialect | None = None, known: Dialect | None = None
) -> Source:
    """The columns or arrays of a file or of data in memory; a tuple feeds `tensors`.

    `dialect` and `known`: see `open_source`. Raises DataError.
    """
    if isinstance(data, str | os.PathLike):
        return open_source(Path(data), str(data), dialect, known)
    return memory_source(data, tensors)


def _inside_folder(spec: Spec, data: DataSpec) -> Path:
    """The file a spec names. A stranger's spec must not reach files elsewhere on the machine."""
    folder = (spec.path.parent if spec.path else Path()).resolve()
    file = (folder / data.path).resolve()
    if not file.is_relative_to(folder):
        remedy = "move the file there, or name it on the command line"
        raise DataError(f"the data file {data.path!r} leaves the spec's folder", at=data.at, remedy=remedy)
    return file


def _dataset(
    label: str,
    preparation: Preparation,
    columns: Mapping[str, list[Column]],
    spec: Spec,
    lengths: Sequence[RowLengths],
) -> Dataset:
    """The rows of these columns, as numbers or words, with missing values treated as the spec says."""
    missing = spec.train.missing
    # Casting first would round away what standardising keeps, such as seconds in a time stamp.
    later = spec.train.standardize or is_filled(missing)
    dtype = "float64" if later else spec.dtype
    sets = sets_of(spec)
    columns = without_missing(missing, preparation, columns, label, sets)
    inputs = {n: tensor_of(n, t, columns[n], dtype) for n, t in preparation.inputs.items()}
    targets = {n: tensor_of(n, t, columns[n], spec.dtype) for n, t in preparation.targets.items()}
    check_lengths(lengths, columns, {**inputs, **targets})
    return Dataset(inputs, targets, label, preparation, sets=sets)


def is_filled(missing: Missing) -> bool:
    """Whether missing values are filled in."""
    return missing not in ("refuse", "drop")


def without_missing(
    missing: Missing,
    preparation: Preparation,
    columns: Mapping[str, list[Column]],
    label: str,
    sets: Mapping[str, str] | None = None,
) -> Mapping[str, list[Column]]:
    """The columns without the rows left out. Raises DataError for values that must not be missing.

    Rows are those of each of the `sets` of points by itself.
    """
    sets = sets or {}
    of_sets = [
        {n: c for n, c in columns.items() if sets.get(n) == of}
        for of in dict.fromkeys(map(sets.get, columns))
    ]
    for found in of_sets:
        _check_rows(found, label)
    if missing == "drop":
        whole: dict[str, list[Column]] = {}
        for found in of_sets:
            kept = whole_rows([column for group in found.values() for column in group])
            whole |= {n: c if kept is None else [part.take(kept) for part in c] for n, c in found.items()}
        return {n: whole[n] for n in columns}
    inputs, targets = (
        [
            column
            for name, group in columns.items()
            if (name in preparation.inputs) == given
            for column in group
        ]
        for given in (True, False)
    )
    refuse_unfillable(missing, inputs, targets)
    return columns


def joined_rows(parts: Iterable[Dataset], label: str) -> Dataset:
    """One data set of several, one below the other. Raises DataError where there are none."""
    parts = list(parts)
    if not parts:
        raise DataError("holds no rows of data", at=label, remedy="at least 2 are needed")
    first = parts[0]
    if len(parts) == 1:
        return first
    inputs = {n: np.concatenate([part.inputs[n] for part in parts]) for n in first.inputs}
    targets = {n: np.concatenate([part.targets[n] for part in parts]) for n in first.targets}
    left_out = sum(part.left_out for part in parts)
    return Dataset(inputs, targets, first.origin, first.preparation, left_out, sets=first.sets)


def _check_rows(columns: Mapping[str, list[Column]], label: str) -> None:
    rows = {column.name: len(column.numbers) for group in columns.values() for column in group}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise DataError(f"the numbers of rows differ: {counts}", at=label, remedy="one row per example")
