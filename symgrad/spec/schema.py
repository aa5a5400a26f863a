"""The structure of a spec: which keys there are, and the types and ranges of their values."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from symgrad.errors import did_you_mean
from symgrad.spec.names import shorten

MAX_SIZE = 10**9
MAX_RANK = 16
MAX_EQUATIONS = 1000
MAX_FUNCTIONS = 100
MAX_SEED = 2**32 - 1


def refuse(problem: str, remedy: str, key: str = "") -> PydanticCustomError:
    """An error of a validator; `key` names the entry of a mapping it is about."""
    return PydanticCustomError("symgrad", "{problem}", {"problem": problem, "remedy": remedy, "key": key})


class _Block(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        keys = value if isinstance(value, dict) else {}
        for key in keys:
            if key not in cls.model_fields:
                remedy = did_you_mean(key, cls.model_fields) or f"expected {', '.join(cls.model_fields)}"
                raise refuse(f"unknown key '{shorten(key)}'", remedy, key)
        return value


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


def _under(key: str, kind: type, expected: str) -> BeforeValidator:
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


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _printable(text: str) -> str:
    if not text or not text.isprintable():
        raise refuse(f"{text!r} is no name of a column or file", "expected a text on one line")
    return text


def _inside(path: str) -> str:
    """A data path that stays in the folder of the spec, however the system writes paths."""
    parts = PureWindowsPath(path)
    if parts.drive or parts.root or ".." in parts.parts:
        problem = f"the data path '{path}' leaves the folder of the spec"
        raise refuse(problem, "such a file must be named on the command line, with --data")
    return path


def _size_or_name(value: object) -> str:
    return "name" if isinstance(value, str) else "size"


def _text_or_block(value: object) -> str:
    return "block" if isinstance(value, dict) else "text"


def _fraction_or_data(value: object) -> str:
    return "data" if isinstance(value, str | dict) else "fraction"


def _count_or_full(value: object) -> str:
    return "full" if isinstance(value, str) else "count"


Formula: TypeAlias = Annotated[str, _formula("x @ W + b")]
LayerCall: TypeAlias = Annotated[str, _formula("dense(32, activation=relu)")]
Initial: TypeAlias = Annotated[str, _formula("0.1 or normal(std=0.1)")]
Formulas: TypeAlias = dict[str, Formula]
Size: TypeAlias = Annotated[int, Field(ge=1, le=MAX_SIZE)]
Axis: TypeAlias = Annotated[
    Annotated[Size, Tag("size")] | Annotated[str, Tag("name")], Discriminator(_size_or_name)
]
Axes: TypeAlias = Annotated[list[Axis], Field(max_length=MAX_RANK)]
Names: TypeAlias = Annotated[list[str], BeforeValidator(_one_or_more)]
Text: TypeAlias = Annotated[str, BeforeValidator(_digits), AfterValidator(_printable)]
Texts: TypeAlias = Annotated[list[Text], BeforeValidator(_one_or_more)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TensorBlock(_Block):
    """An input or a target."""

    axes: Axes
    classes: Annotated[int, Field(ge=2, le=MAX_SIZE)] | None = None


class TargetBlock(TensorBlock):
    """A target. `ignore` is the label of what has none: outside the classes, or one of them."""

    ignore: Annotated[int, Field(ge=-MAX_SIZE, le=MAX_SIZE)] | None = None

    @model_validator(mode="after")
    def _labels(self) -> TargetBlock:
        if self.ignore is not None and self.classes is None:
            raise refuse("only labels can be ignored", "add classes: 10, for example", "ignore")
        return self


class ParameterBlock(_Block):
    """A parameter; without `init` its rank decides."""

    axes: Axes
    init: Initial | None = None


class OptimizerBlock(_Block):
    """The user's own optimiser."""

    hyper: Formulas = {}
    state: Formulas = {}
    gradient_at: Formula | None = None
    update: Formulas
    full_batch: bool = False


class StopBlock(_Block):
    """When to stop early."""

    patience: Size | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    time_limit: Positive | None = None


class DataBlock(_Block):
    """A data file and its columns."""

    path: Annotated[Text, AfterValidator(_inside)]
    columns: dict[str, Texts] = {}


Data: TypeAlias = Annotated[DataBlock, _under("path", str, "a path, or a mapping with path and columns")]
Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Tensor: TypeAlias = Annotated[TensorBlock, _under("axes", list, "a list of axes such as [batch, 4]")]
Target: TypeAlias = Annotated[TargetBlock, _under("axes", list, "a list of axes such as [batch, 4]")]
Parameter: TypeAlias = Annotated[ParameterBlock, _under("axes", list, "a list of axes such as [batch, 4]")]


class TrainBlock(_Block):
    """How to train. Gradients are clipped by their norm first, then each entry by its value."""

    data: Data | None = None
    validation: (
        Annotated[
            Annotated[Fraction, Tag("fraction")] | Annotated[Data, Tag("data")],
            Discriminator(_fraction_or_data),
        ]
        | None
    ) = None
    standardize: bool = False
    optimizer: Annotated[
        Annotated[Formula, Tag("text")] | Annotated[OptimizerBlock, Tag("block")],
        Discriminator(_text_or_block),
    ] = "sgd()"
    schedule: Formula | None = None
    batch_size: Annotated[
        Annotated[Size, Tag("count")] | Annotated[Literal["full"], BeforeValidator(_full), Tag("full")],
        Discriminator(_count_or_full),
    ] = 32
    micro_batch_size: Size | None = None
    shuffle: Literal["each_epoch", "once", "never"] = "each_epoch"
    epochs: Size = 10
    stop: StopBlock = StopBlock()
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0


class SpecBlock(_Block):
    """A whole spec."""

    name: str | None = None
    dtype: Literal["float32", "float64"] = "float32"
    axes: dict[str, Size] = {}
    inputs: dict[str, Tensor] = {}
    targets: dict[str, Target] = {}
    constants: dict[str, Any] = {}
    parameters: dict[str, Parameter] = {}
    functions: Annotated[Formulas, Field(max_length=MAX_FUNCTIONS)] = {}
    layers: Annotated[list[LayerCall], Field(min_length=1, max_length=MAX_EQUATIONS)] | None = None
    equations: Annotated[Formulas, Field(min_length=1, max_length=MAX_EQUATIONS)] | None = None
    outputs: Names = []
    loss: Formula | None = None
    gradients: Names = []
    manual: Annotated[Formulas, Field(max_length=MAX_EQUATIONS)] = {}
    train: TrainBlock = TrainBlock()

    @model_validator(mode="after")
    def _chain_or_graph(self) -> SpecBlock:
        remedy = "a spec has either layers, a chain, or equations, a graph"
        if self.layers is None and self.equations is None:
            raise refuse("neither layers nor equations", remedy)
        if self.layers is not None and self.equations is not None:
            raise refuse("both layers and equations", remedy, "equations")
        if self.layers is not None and len(self.inputs) != 1:
            problem = f"a chain of layers with {len(self.inputs)} inputs"
            raise refuse(problem, "expected one input; write equations for a graph", "inputs")
        return self
