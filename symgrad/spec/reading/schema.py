"""The structure of a spec: which keys there are. What their values may be stands in `fields`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from symgrad.spec import library
from symgrad.spec.language.names import shorten
from symgrad.spec.model import Monitor, SolvingMethod
from symgrad.spec.other_names import HYPER_PARAMETERS, known_as, meant
from symgrad.spec.reading.fields import (
    MAX_SIZE,
    Axes,
    BatchSize,
    Classes,
    DataPath,
    Delimiter,
    Formula,
    Formulas,
    Initial,
    LayerCall,
    LossFormula,
    MissingValues,
    Names,
    OptimizerCall,
    Positive,
    ScheduleFormula,
    Seed,
    Size,
    StepsAtOnce,
    Texts,
    refuse,
    under,
)
from symgrad.spec.reading.slips import call_text, torn

MAX_EQUATIONS = 1000
MAX_FUNCTIONS = 100
MAX_STEPS = 10_000
REPEATED_EQUATIONS = "repeat: {times: 12, start: E, equations: {...}}"


class _Block(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        keys = value if isinstance(value, dict) else {}
        for key in keys:
            if key not in cls.model_fields:
                expected = f"expected {', '.join(cls.model_fields)}"
                remedy = torn(key, keys[key]) or cls._instead(key, keys)
                remedy = remedy or meant(key, cls.model_fields, expected)
                raise refuse(f"unknown key '{shorten(key)}'", remedy, key)
        return value

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:  # noqa: ARG003  # used by some blocks
        """What to write for a key that belongs elsewhere; empty where it does not."""
        return ""


def _text_or_block(value: object) -> str:
    return "block" if isinstance(value, dict) else "text"


def _data_kind(value: object) -> str:
    return "sets" if isinstance(value, dict) and "sets" in value else _set_kind(value)


def _set_kind(value: object) -> str:
    return "drawn" if isinstance(value, dict) and "points" in value else "data"


def _range_kind(value: object) -> str:
    return "choices" if isinstance(value, dict) else "range"


def _size_kind(value: object) -> str:
    return "sets" if isinstance(value, dict) else "size"


def _fraction_or_data(value: object) -> str:
    return _data_kind(value) if isinstance(value, str | dict) else "fraction"


class TensorBlock(_Block):
    """An input or a target."""

    axes: Axes
    classes: Classes | None = None


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


class StateBlock(_Block):
    """What lives on between steps: its first value, and the formula of the next one."""

    axes: Axes = []
    init: Initial
    next: Formula


class OptimizerBlock(_Block):
    """The user's own optimiser."""

    hyper: Formulas = {}
    state: Formulas = {}
    gradient_at: Formula | None = None
    update: Formulas
    full_batch: bool = False

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:
        """A library optimiser spelt as a mapping: as the call it stands for."""
        named = next((k for k in ("name", "type", "class", "kind") if k in block), None)
        name, given = key, block[key]
        if named is not None:
            name, given = str(block[named]), {k: v for k, v in block.items() if k != named}
        optimizer = known_as(name, library.optimizers)
        return f"write optimizer: {call_text(optimizer, given)}" if optimizer else ""


class StopBlock(_Block):
    """When to stop early."""

    patience: Size | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    time_limit: Positive | None = None
    watch: str | None = None


class MemoryBlock(_Block):
    """How much memory a step of training may work in."""

    megabytes: Positive


class CheckpointBlock(_Block):
    """How often to keep what training could go on from, and how many of these."""

    epochs: Size | None = None
    minutes: Positive | None = None
    keep: Size = 2


class DataBlock(_Block):
    """A data file and its columns."""

    path: DataPath
    columns: dict[str, Texts] = {}
    header: bool | None = None
    delimiter: Delimiter | None = None
    decimal: Literal[".", ","] | None = None
    window: Size | None = None
    step: Size | None = None
    ahead: Size | None = None

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:
        """Columns that stand beside the path, and what the train block says of data."""
        if key in ("missing", "categorical", "unseen", "standardize"):
            return f"it stands beside data, not in it: write {key}: {block[key]} under train"
        return f"write columns: {{{key}: ...}}" if isinstance(block[key], list) else ""


class RepeatedLayers(_Block):
    """Layers several times in a row, each time with parameters of their own."""

    times: Times
    layers: Layers


class RepeatBlock(_Block):
    """`- repeat: {times: 12, layers: [...]}` in a chain."""

    repeat: RepeatedLayers

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:  # noqa: ARG003  # its value plays no part
        return "write repeat: {times: 12, layers: [...]}" if key in RepeatedLayers.model_fields else ""


class ResidualBlock(_Block):
    """`- residual: [...]` in a chain: x + f(x)."""

    residual: Layers


class ConcatBlock(_Block):
    """`- concat: [...]` in a chain: x and f(x) side by side."""

    concat: Layers


def _layer_kind(value: object) -> str:
    keys = value if isinstance(value, dict) else ()
    return next((key for key in ("repeat", "residual", "concat") if key in keys), "text")


Layer: TypeAlias = Annotated[
    Annotated[LayerCall, Tag("text")]
    | Annotated[RepeatBlock, Tag("repeat")]
    | Annotated[ResidualBlock, Tag("residual")]
    | Annotated[ConcatBlock, Tag("concat")],
    Discriminator(_layer_kind),
]
Layers: TypeAlias = Annotated[list[Layer], Field(min_length=1, max_length=MAX_EQUATIONS)]
Times: TypeAlias = Annotated[int, Field(ge=1, le=MAX_EQUATIONS)]


class RepeatedEquations(_Block):
    """Equations several times in a row, each time with parameters of their own, from a first value on."""

    times: Times
    start: Formula
    equations: Annotated[Formulas, Field(min_length=1, max_length=MAX_EQUATIONS)]


class RepeatedBlock(_Block):
    """`h: {repeat: {times: 12, start: E, equations: {...}}}` in a graph."""

    repeat: RepeatedEquations

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:  # noqa: ARG003  # its value plays no part
        return f"write {REPEATED_EQUATIONS}" if key in RepeatedEquations.model_fields else ""


class SolvedBlock(_Block):
    """`"z[n,i]": {solve: ..., start: 0, method: picard, steps: 40}`: z is what the formula, which reads it,
    gives.
    """

    solve: Formula
    start: Formula
    method: SolvingMethod
    steps: Annotated[int, Field(ge=2, le=MAX_STEPS)]


def _equation_kind(value: object) -> str:
    if not isinstance(value, dict):
        return "text"
    if "solve" in value or "method" in value or "steps" in value:
        return "solved"
    return "block" if {"repeat", *RepeatedEquations.model_fields} & value.keys() else "text"


Equations: TypeAlias = dict[
    str,
    Annotated[
        Annotated[Formula, Tag("text")]
        | Annotated[RepeatedBlock, Tag("block")]
        | Annotated[SolvedBlock, Tag("solved")],
        Discriminator(_equation_kind),
    ],
]


class CalledNetworkBlock(_Block):
    """`u(x, t): {layers: [...]}`, or a network as equations, the last of which gives its value."""

    layers: Layers | None = None
    equations: Annotated[Formulas, Field(min_length=1, max_length=MAX_EQUATIONS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> CalledNetworkBlock:
        if (self.layers is None) == (self.equations is None):
            problem = "neither layers nor equations" if self.layers is None else "both layers and equations"
            raise refuse(f"a network of {problem}", "write {layers: [dense(20, activation=tanh), dense(1)]}")
        return self


def _network_kind(value: object) -> str:
    return "block" if isinstance(value, dict) else "layers" if isinstance(value, list) else "text"


Network: TypeAlias = Annotated[
    Annotated[Formula, Tag("text")]
    | Annotated[Layers, Tag("layers")]
    | Annotated[CalledNetworkBlock, Tag("block")],
    Discriminator(_network_kind),
]
Data: TypeAlias = Annotated[DataBlock, under("path", str, "a path, or a mapping with path and columns")]


class ChoicesBlock(_Block):
    """What a number may be: `{of: [-1, 1]}`."""

    of: Annotated[list[Any], Field(min_length=1)]


class PointsBlock(_Block):
    """Points that are drawn: `{points: {x: [-1, 1], t: [0, 1]}, number: 1000}`."""

    points: Annotated[
        dict[
            str,
            Annotated[
                Annotated[ChoicesBlock, Tag("choices")]
                | Annotated[list[Any], Field(min_length=2, max_length=2), Tag("range")],
                Discriminator(_range_kind),
            ],
        ],
        Field(min_length=1),
    ]
    number: Size
    method: Literal["uniform", "latin", "sobol"] = "uniform"
    resample: bool = False


OneSet: TypeAlias = Annotated[
    Annotated[Data, Tag("data")] | Annotated[PointsBlock, Tag("drawn")], Discriminator(_set_kind)
]


class SetsBlock(_Block):
    """Data of their own for each set of points: `sets: {interior: interior.csv, boundary: edge.csv}`."""

    sets: Annotated[dict[str, OneSet], Field(min_length=1)]


Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Tensor: TypeAlias = Annotated[TensorBlock, under("axes", list, "a list of axes such as [batch, 4]")]
Target: TypeAlias = Annotated[TargetBlock, under("axes", list, "a list of axes such as [batch, 4]")]
State: TypeAlias = Annotated[StateBlock, under("next", str, "a mapping with axes, init and next")]
Parameter: TypeAlias = Annotated[ParameterBlock, under("axes", list, "a list of axes such as [batch, 4]")]


class TrainBlock(_Block):
    """How to train. Gradients are clipped by their norm first, then each entry by its value."""

    data: (
        Annotated[
            Annotated[Data, Tag("data")]
            | Annotated[PointsBlock, Tag("drawn")]
            | Annotated[SetsBlock, Tag("sets")],
            Discriminator(_data_kind),
        ]
        | None
    ) = None
    validation: (
        Annotated[
            Annotated[Fraction, Tag("fraction")]
            | Annotated[Data, Tag("data")]
            | Annotated[PointsBlock, Tag("drawn")]
            | Annotated[SetsBlock, Tag("sets")],
            Discriminator(_fraction_or_data),
        ]
        | None
    ) = None
    standardize: bool = False
    missing: MissingValues = "refuse"
    categorical: Texts = []
    unseen: Literal["error", "ignore"] = "error"
    optimizer: Annotated[
        Annotated[OptimizerCall, Tag("text")] | Annotated[OptimizerBlock, Tag("block")],
        Discriminator(_text_or_block),
    ] = "sgd()"
    schedule: ScheduleFormula | None = None
    batch_size: Annotated[
        Annotated[BatchSize, Tag("size")] | Annotated[dict[str, BatchSize], Tag("sets")],
        Discriminator(_size_kind),
    ] = 32
    micro_batch_size: Size | None = None
    steps_at_once: (
        Annotated[
            Annotated[StepsAtOnce, Tag("size")] | Annotated[MemoryBlock, Tag("sets")],
            Discriminator(_size_kind),
        ]
        | None
    ) = None
    shuffle: Literal["each_epoch", "once", "never"] = "each_epoch"
    epochs: Annotated[int, Field(ge=0, le=MAX_SIZE)] = 10
    finish: OptimizerCall | None = None
    stop: StopBlock = StopBlock()
    shard: Literal["optimizer"] | None = None
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    seed: Seed = 0
    checkpoint: CheckpointBlock = CheckpointBlock()
    monitor: Monitor | None = None
    metrics: Texts = []
    freeze: Names = []
    average: Fraction | None = None
    per_parameter: dict[str, Annotated[dict[str, Finite], Field(min_length=1)]] = {}

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:
        """What belongs to the optimiser, to `stop`, to `data` or beside this block."""
        asked = str(block.get("optimizer", "sgd")).partition("(")[0].lower()
        optimizer = asked if asked in library.optimizers else "sgd"
        own = {name for entry in library.optimizers.values() for name, _ in entry.signature.defaults}
        if key in HYPER_PARAMETERS or key in own:
            return f"it belongs to the optimiser: write optimizer: {call_text(optimizer, {key: block[key]})}"
        if key in StopBlock.model_fields:
            return f"write stop: {{{key}: {block[key]}}}"
        if key in DataBlock.model_fields:
            path = block["data"] if isinstance(block.get("data"), str) else "..."
            return f"it belongs to the data: write data: {{path: {shorten(path)}, {key}: ...}}"
        return "it stands beside train, not in it" if key in SpecBlock.model_fields else ""


class SpecBlock(_Block):
    """A whole spec."""

    name: str | None = None
    dtype: Literal["float32", "float64"] = "float32"
    axes: dict[str, Size] = {}
    inputs: dict[str, Tensor] = {}
    targets: dict[str, Target] = {}
    constants: dict[str, Any] = {}
    parameters: dict[str, Parameter] = {}
    state: dict[str, State] = {}
    functions: Annotated[Formulas, Field(max_length=MAX_FUNCTIONS)] = {}
    networks: Annotated[dict[str, Network], Field(max_length=MAX_FUNCTIONS)] = {}
    layers: Layers | None = None
    equations: Annotated[Equations, Field(min_length=1, max_length=MAX_EQUATIONS)] | None = None
    outputs: Names = []
    loss: LossFormula | None = None
    gradients: Names = []
    derive: Texts = []
    manual: Annotated[Formulas, Field(max_length=MAX_EQUATIONS)] = {}
    train: TrainBlock = TrainBlock()

    @classmethod
    def _instead(cls, key: str, block: dict[str, Any]) -> str:  # noqa: ARG003  # its value plays no part
        """What belongs to the train block."""
        return f"it stands in train: write train: {{{key}: ...}}" if key in TrainBlock.model_fields else ""

    @model_validator(mode="after")
    def _chain_or_graph(self) -> SpecBlock:
        remedy = "a spec has either layers, a chain, or equations, a graph"
        if self.layers is None and self.equations is None and not self.networks:
            raise refuse("neither layers nor equations", remedy)
        if self.layers is not None and self.equations is not None:
            raise refuse("both layers and equations", remedy, "equations")
        if self.layers is not None and len(self.inputs) != 1:
            problem = f"a chain of layers with {len(self.inputs)} inputs"
            raise refuse(problem, "expected one input; write equations for a graph", "inputs")
        return self
