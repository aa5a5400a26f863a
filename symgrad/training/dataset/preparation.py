"""What was learnt about the data, kept with a model: whatever predicts does the same to its data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from symgrad.spec.model import Word

_ARRAYS = ("fill", "mean", "deviation")
_AT_ONCE = 1 << 18
"""So many entries are filled and standardised at once: all would take memory for several times the data."""
FoundBy: TypeAlias = Literal["name", "position", "array"]
"""Of columns: by their names, or in a table without names by their positions; or an array, by its name."""


@dataclass(frozen=True, eq=False)
class TensorPreparation:
    """How the columns or the array that feed one tensor become its numbers, rows of the shape `shape`.

    `columns` are their names in order: the positions, from "1", in a table without names, and the one name
    of an array; `found_by` says which of these. A column of words has its `categories`, in the order of its
    one-hot entries; see `widths`. Labels are whole numbers below `count`, 0 of what is none; `classes` says
    what each class, also of one-hot rows, is called, where not by its number, and `ignore` is the number of
    what has no label. Then `fill` stands for missing values, and `mean` and `deviation` standardise: arrays
    of the row's shape, measured on the rows trained on, or None. A word that is no category is an error, or
    with `unseen` ignored: none of its entries is 1.
    """

    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    categories: tuple[tuple[Word, ...], ...] = ()
    count: int = 0
    classes: tuple[Word, ...] = ()
    ignore: int | None = None
    fill: NDArray[np.float64] | None = None
    mean: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None
    found_by: FoundBy = "name"
    unseen: Literal["error", "ignore"] = "error"

    @property
    def size(self) -> int:
        """The number of entries in a row."""
        return math.prod(self.shape)

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of entries that each column gives."""
        alone = len(self.columns) == 1
        return tuple(_width(words, self.size if alone else 0) for words in self.categories)

    @property
    def is_word(self) -> NDArray[np.bool_]:
        """Which entries of a row tell words apart, of the shape of a row; all others are numbers."""
        if not any(self.categories):
            return np.zeros(self.shape, bool)
        words = [bool(categories) for categories in self.categories]
        return np.repeat(words, self.widths).reshape(self.shape)

    def filled(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows without missing values, where something fills in for them."""
        return values if self.fill is None else np.where(np.isnan(values), self.fill, values)

    def finished(self, name: str, values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
        """The rows of the tensor `name`, filled and standardised, in `dtype`; as they are where neither is.

        Raises DataError for rows of another shape, and for numbers that no longer fit `dtype`.
        """
        if values.shape[1:] != self.shape or values.ndim == 0:
            problem = f"'{name}' has rows of shape {list(values.shape[1:])}, those in training had "
            raise DataError(f"{problem}{list(self.shape)}", remedy="give rows as they stand in the data")
        if self.fill is None and self.mean is None:
            return values
        cast = np.empty(values.shape, dtype)
        some_rows = max(_AT_ONCE // max(self.size, 1), 1)
        with np.errstate(over="ignore"):
            for first in range(0, len(values), some_rows):
                rows = slice(first, first + some_rows)
                cast[rows] = self._standardized(self.filled(values[rows]))
        if not np.isfinite(cast).all():
            remedy = "look for outliers in this file that the training data do not have"
            made = "filled in" if self.mean is None else "standardised"
            raise DataError(f"{made}, '{name}' no longer fits {np.dtype(dtype)}", remedy=remedy)
        return cast

    def _standardized(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.mean is None or self.deviation is None:
            return values
        return np.asarray((values - self.mean) / self.deviation)

    def to_json(self) -> dict[str, Any]:
        """Lists, texts and numbers under the names above, without what is empty."""
        plain = {
            "shape": list(self.shape),
            "columns": list(self.columns),
            "categories": [list(words) for words in self.categories] if any(self.categories) else [],
            "classes": list(self.classes),
            "count": self.count,
            "found_by": "" if self.found_by == "name" else self.found_by,
            "unseen": "" if self.unseen == "error" else self.unseen,
        }
        arrays = {name: values.tolist() for name in _ARRAYS if (values := getattr(self, name)) is not None}
        optional = {name: value for name, value in plain.items() if value or name == "shape"}
        return {**optional, **arrays} | ({} if self.ignore is None else {"ignore": self.ignore})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TensorPreparation:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        shape, columns = tuple(map(int, record["shape"])), tuple(record.get("columns", ()))
        categories = tuple(map(tuple, record.get("categories") or [()] * len(columns)))
        arrays = {name: np.array(record[name], np.float64) for name in _ARRAYS if name in record}
        for name, values in arrays.items():
            if values.shape != shape or not np.isfinite(values).all():
                raise ValueError(f"{name} is not one finite number per entry")
        count, classes = int(record.get("count", 0)), tuple(record.get("classes", ()))
        found_by = record.get("found_by", "name")
        if found_by not in get_args(FoundBy):
            raise ValueError(f"columns found by {found_by}")
        unseen = record.get("unseen", "error")
        if unseen not in ("error", "ignore"):
            raise ValueError(f"words not seen before: {unseen}")
        found = cls(
            shape,
            columns,
            categories,
            count,
            classes,
            record.get("ignore"),
            **arrays,
            found_by=found_by,
            unseen=unseen,
        )
        if sum(found.widths) != found.size and any(categories):
            raise ValueError(f"columns of {sum(found.widths)} entries for rows of {found.size}")
        return found


def _width(words: tuple[Word, ...], size: int) -> int:
    """The entries of a column with these categories; `size` are the tensor's, where it has no other column.

    A truth is one number, 0 or 1, and so are two words that have one entry to themselves.
    """
    if size in (1, 2) and len(words) == 2:
        return size
    return 1 if not words or isinstance(words[0], bool) else len(words)


@dataclass(frozen=True)
class Windows:
    """`window` rows of a series, which begin every `step` rows; the `ahead` rows behind each are foretold.

    Without `ahead`, as many bytes of a text, each of which foretells the one behind it.
    """

    window: int
    step: int
    ahead: int | None = None

    @property
    def overlap(self) -> int:
        """How many of the next windows foretell something that a window foretells too."""
        return ((self.ahead or self.window) - 1) // self.step

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Windows:
        """What `asdict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        ahead = None if record["ahead"] is None else int(record["ahead"])
        found = cls(int(record["window"]), int(record["step"]), ahead)
        if min(found.window, found.step, 1 if ahead is None else ahead) < 1:
            raise ValueError(f"windows by {record}")
        return found


@dataclass(frozen=True)
class Dialect:
    """What is said of a CSV file: whether its first row names the columns, what divides its cells, and what
    stands before decimals. None: that is to be seen."""

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None

    def beside(self, known: Dialect) -> Dialect:
        """This, and what is known besides where it says nothing."""
        return replace(known, **self.said)

    @property
    def said(self) -> dict[str, Any]:
        """What it says, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Dialect:
        """What `said` gave. Raises TypeError or ValueError for anything else."""
        found = cls(**record)
        is_one = found.delimiter is None or (isinstance(found.delimiter, str) and len(found.delimiter) == 1)
        if found.header not in (None, True, False) or found.decimal not in (None, ".", ",") or not is_one:
            raise ValueError(f"a CSV file written by {record}")
        return found


@dataclass(frozen=True, eq=False)
class Preparation:
    """What was learnt about each input and target. A tensor that is not named is taken as it is given.

    `drops_missing` where rows that miss a value were left out in training; `windows` where rows are cut of a
    series, whose columns the tensors' are named after, or of a text; `dialect` is what was said of
    the CSV file.
    """

    inputs: Mapping[str, TensorPreparation] = field(default_factory=dict)
    targets: Mapping[str, TensorPreparation] = field(default_factory=dict)
    drops_missing: bool = False
    windows: Windows | None = None
    dialect: Dialect = Dialect()

    @property
    def is_standardized(self) -> bool:
        """Whether an input is."""
        return any(tensor.mean is not None for tensor in self.inputs.values())

    def of_inputs(self, names: Sequence[str]) -> Preparation:
        """Of these inputs alone."""
        return replace(self, inputs={n: tensor for n, tensor in self.inputs.items() if n in names})

    def input(self, name: str, values: Any, dtype: DTypeLike) -> Any:
        """The rows of the input `name`, as the model takes them. Raises DataError."""
        if name not in self.inputs:
            return values
        return self.inputs[name].finished(name, np.asarray(values), dtype)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; numbers come back bit for bit."""
        groups = {"inputs": self.inputs, "targets": self.targets}
        found: dict[str, Any] = {
            group: {n: t.to_json() for n, t in tensors.items()} for group, tensors in groups.items()
        }
        windows = {} if self.windows is None else {"windows": asdict(self.windows)}
        csv = {"csv": said} if (said := self.dialect.said) else {}
        return found | windows | csv | ({"missing": "drop"} if self.drops_missing else {})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Preparation:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        inputs, targets = (
            {str(name): TensorPreparation.from_json(tensor) for name, tensor in record[group].items()}
            for group in ("inputs", "targets")
        )
        windows = Windows.from_json(record["windows"]) if "windows" in record else None
        dialect = Dialect.from_json(record.get("csv", {}))
        return cls(inputs, targets, record.get("missing") == "drop", windows, dialect)
