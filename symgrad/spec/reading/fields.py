"""The values of a spec's keys: their types and ranges, and what may be written in their place."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from symgrad.spec.language.names import shorten
from symgrad.spec.reading.slips import as_number

MAX_SIZE = 10**9
MAX_RANK = 16
MAX_SEED = 2**32 - 1
MAX_FILE_NAME = 255
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""What Windows takes for a device, whatever the ending."""


def refuse(problem: str, remedy: str, key: str = "") -> PydanticCustomError:
    """An error of a validator; `key` names the entry of a mapping it is about."""
    return PydanticCustomError("symgrad", "{problem}", {"problem": problem, "remedy": remedy, "key": key})


def _expected(what: str) -> PydanticCustomError:
    """An error of a validator about a value that is something else."""
    return PydanticCustomError("expected", "{expected}", {"expected": what})


def _formula(example: str) -> BeforeValidator:
    """A text; a number stands for the formula that is this number."""

    def text(value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise _expected(f"a formula such as {example}")
        return str(value)

    return BeforeValidator(text)


def under(key: str, kind: type, expected: str) -> BeforeValidator:
    """A value of type `kind` is short for the mapping `{key: value}`."""

    def block(value: object) -> object:
        if not isinstance(value, kind | dict):
            raise _expected(expected)
        return {key: value} if isinstance(value, kind) else value

    return BeforeValidator(block)


def _digits(value: object) -> object:
    """Columns of a file without a header are named by their numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _full(value: str) -> str:
    if value != "full":
        raise _expected("a whole number or 'full'")
    return value


def _auto(value: str) -> str:
    if value != "auto":
        raise _expected("a whole number, 'auto' or {megabytes: 20}")
    return value


def _kind_of_classes(value: object) -> str:
    if isinstance(value, str) and value.isidentifier():
        return "axis"
    return "names" if isinstance(value, list) else "count"


def _distinct(names: list[str | bool | int | float]) -> list[str | bool | int | float]:
    """Names of classes: all of one kind, none twice, and numbers written as numbers."""
    seen: set[str | bool | int | float] = set()
    for name in names:
        if isinstance(name, str) and as_number(name):
            raise refuse(f"the class '{shorten(name)}' is a number in quotes", f"write {as_number(name)}")
        if name in seen:
            raise refuse(f"two classes are called {shorten(str(name))}", "give each class its own name")
        seen.add(name)
    kinds = {int if isinstance(name, float) else type(name) for name in names}
    if len(kinds) > 1:
        raise refuse("names of classes of several kinds", "expected words, or numbers, or true and false")
    return names


def _word_or_number(value: object) -> str:
    return "word" if isinstance(value, str) else "number"


def _one_character(text: str) -> str:
    text = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}.get(text.lower(), text)
    if len(text) != 1 or text.isalnum() or text in '"\r\n.':
        raise _expected("one character such as ';', or tab or space")
    return text


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _printable(text: str) -> str:
    if not text or not text.isprintable():
        raise refuse(f"{text!r} is no name of a column or file", "expected a text on one line")
    return text


def _inside(path: str) -> str:
    """A data path that stays in the folder of the spec, however the system writes paths."""
    if number := as_number(path):
        raise refuse(f"'{shorten(path)}' is no file", f"write the number {number}")
    if "://" in path:
        raise refuse(f"'{shorten(path)}' is an address", "fetch the file into the folder of the spec")
    parts = PureWindowsPath(path)
    if parts.drive or parts.root or ".." in parts.parts or path.startswith("~"):
        problem = f"the data path '{path}' leaves the folder of the spec"
        raise refuse(problem, "such a file must be named on the command line, with --data")
    impossible = next((part for part in parts.parts if not _can_name_a_file(part)), None)
    if impossible is not None:
        raise refuse(f"'{shorten(impossible)}' can name no file on every system", "choose another name")
    return path


def _can_name_a_file(name: str) -> bool:
    return len(name.encode()) <= MAX_FILE_NAME and name.partition(".")[0].lower() not in _DEVICES


def _size_or_name(value: object) -> str:
    return "name" if isinstance(value, str) else "size"


def _count_or_full(value: object) -> str:
    return "full" if isinstance(value, str) else "count"


Formula: TypeAlias = Annotated[str, _formula("x @ W + b")]
LayerCall: TypeAlias = Annotated[str, _formula("dense(32, activation=relu)")]
LossFormula: TypeAlias = Annotated[str, _formula("mse or mse(y, t)")]
OptimizerCall: TypeAlias = Annotated[str, _formula("adam(learning_rate=0.001)")]
ScheduleFormula: TypeAlias = Annotated[str, _formula("cosine() or learning_rate / (1 + epoch)")]
Initial: TypeAlias = Annotated[str, _formula("0.1 or normal(std=0.1)")]
Formulas: TypeAlias = dict[str, Formula]
Size: TypeAlias = Annotated[int, Field(ge=1, le=MAX_SIZE)]
Axis: TypeAlias = Annotated[
    Annotated[Size, Tag("size")] | Annotated[str, Tag("name")], Discriminator(_size_or_name)
]
Axes: TypeAlias = Annotated[list[Axis], Field(max_length=MAX_RANK)]
Names: TypeAlias = Annotated[list[str], BeforeValidator(_one_or_more)]
BatchSize: TypeAlias = Annotated[
    Annotated[Size, Tag("count")] | Annotated[Literal["full"], BeforeValidator(_full), Tag("full")],
    Discriminator(_count_or_full),
]
StepsAtOnce: TypeAlias = Annotated[
    Annotated[Size, Tag("count")] | Annotated[Literal["auto"], BeforeValidator(_auto), Tag("full")],
    Discriminator(_count_or_full),
]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=MAX_SEED)]
Text: TypeAlias = Annotated[str, BeforeValidator(_digits), AfterValidator(_printable)]
Texts: TypeAlias = Annotated[list[Text], BeforeValidator(_one_or_more)]
DataPath: TypeAlias = Annotated[Text, AfterValidator(_inside)]
Classes: TypeAlias = Annotated[
    Annotated[int, Field(ge=2, le=MAX_SIZE), Tag("count")]
    | Annotated[list[bool | int | float | Text], Field(min_length=2), AfterValidator(_distinct), Tag("names")]
    | Annotated[str, Tag("axis")],
    Discriminator(_kind_of_classes),
]
MissingValues: TypeAlias = Annotated[
    Annotated[Literal["refuse", "drop", "mean", "median", "most_frequent"], Tag("word")]
    | Annotated[float, Field(allow_inf_nan=False), Tag("number")],
    Discriminator(_word_or_number),
]
Delimiter: TypeAlias = Annotated[str, AfterValidator(_one_character)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
