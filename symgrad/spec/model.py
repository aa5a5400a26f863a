"""What a spec says, once read: frozen, located, free of YAML and of SymPy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args
from zlib import crc32

from symgrad.displayed import Displayed
from symgrad.spec.language.sizes.whole_numbers import tensors_measured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Call, Compare, Node, Number

AxisSpec: TypeAlias = int | str
"""A size, or the name of a named or free axis."""
ParameterAxis: TypeAlias = "AxisSpec | Node"
"""Or a formula of whole numbers over sizes, `size(x, -1) // 2`."""
Word: TypeAlias = str | bool | int | float
"""What a class or a category is called."""


@dataclass(frozen=True)
class TensorSpec:
    """A declared input or target. `classes` marks integer labels in `0 .. classes-1`.

    `class_names` says what the data call these, where the spec does. `ignore` is the label of a target's
    entries that have none: they count in no loss and no accuracy.
    """

    name: str
    axes: tuple[AxisSpec, ...]
    classes: int | None
    at: Position = field(compare=False)
    ignore: int | None = None
    class_names: tuple[Word, ...] = ()

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Its shape where the axes with names have these sizes."""
        return tuple(axis if isinstance(axis, int) else sizes[axis] for axis in self.axes)


@dataclass(frozen=True)
class ConstantSpec:
    """Fixed numbers, in the order of memory; a single number has the empty shape."""

    name: str
    shape: tuple[int, ...]
    values: tuple[float, ...]
    at: Position = field(compare=False)


@dataclass(frozen=True)
class ParameterSpec:
    """A declared parameter; `init` is an initialiser's call or one constant for all entries."""

    name: str
    axes: tuple[ParameterAxis, ...]
    init: Call | Number
    at: Position = field(compare=False)


@dataclass(frozen=True)
class StateSpec:
    """What makes a declared parameter a state of the model: the formula of its value after a training step.

    No optimiser changes it, and no derivative passes through it. `instead` is what to write where none may
    be in place of a layer that brings it along.
    """

    name: str
    next: Node
    at: Position = field(compare=False)
    instead: str = ""


@dataclass(frozen=True)
class FunctionSpec:
    """A function: `swish(x, beta): x * sigmoid(beta * x)`; `defaults` follow `arguments` in calls.

    One that training has by a name of its own is `written` by another.
    """

    name: str
    arguments: tuple[str, ...]
    formula: Node
    at: Position = field(compare=False)
    defaults: tuple[tuple[str, Node], ...] = ()
    written: str = field(default="", compare=False)

    @property
    def shown(self) -> str:
        """What messages call it: what a user wrote."""
        return self.written or self.name


@dataclass(frozen=True)
class NetworkSpec:
    """A function with parameters of its own, `u(x, t)`: `layers` over what it is given, or `equations`.

    Layers take the arguments side by side. The last of the equations gives the value; a formula alone is one
    equation of the network's name.
    """

    name: str
    arguments: tuple[str, ...]
    layers: tuple[Call | Branch, ...]
    equations: tuple[EquationSpec, ...]
    at: Position = field(compare=False)


@dataclass(frozen=True)
class EachStep:
    """What `h[:, t:20, :8]` says besides the name: the formula gives all of one step, and `index` counts
    steps along the axis number `along`.

    `sizes` are the formulas of how long axes are, or None where that is not said. Axes behind are not named.
    """

    index: str
    along: int
    sizes: tuple[Node | None, ...]


@dataclass(frozen=True)
class EquationSpec:
    """`name: formula`, with `indices` the index notation `name[n,k]: formula`, or with `each` the formula of
    `each` step, `name[:, t]: formula`.

    `ranges` are those that stand on the left, as in `name[n, k:10]`: an index and the formula of its size.
    Parameters of its layers are named after its `label`, where it has one, else after its name. `solving`, of
    one that helps to solve an equation: what is solved for, which the user wrote, and the index of steps.
    """

    name: str
    indices: tuple[str, ...] | None
    formula: Node
    at: Position = field(compare=False)
    ranges: tuple[tuple[str, Node], ...] = ()
    label: str = ""
    each: EachStep | None = None
    solving: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def shown(self) -> str:
        """What messages call it: what a user wrote."""
        return self.name if self.solving is None else self.solving[0]

    @property
    def index_names(self) -> tuple[str, ...]:
        """The names of the indices on its left side."""
        return self.indices or (() if self.each is None else (self.each.index,))

    @property
    def said_sizes(self) -> tuple[Node, ...]:
        """The formulas of sizes on its left side."""
        sizes = () if self.each is None else self.each.sizes
        return (*(size for _, size in self.ranges), *(size for size in sizes if size is not None))

    @property
    def left_side(self) -> str:
        """Its left side without sizes: `h[n,t,i]`, `h[:,t]`."""
        if self.each is not None:
            return f"{self.name}[{':,' * self.each.along}{self.each.index}]"
        return f"{self.name}[{','.join(self.indices)}]" if self.indices else self.name


ITS_END = "its steps"
"""The end of an axis of steps whose name and size nobody knows yet; no name of an axis."""


@dataclass(frozen=True)
class StartSpec:
    """What a recurrence starts with, `h[n,-1,i]: formula`: entries of `name` so many steps before its first.

    Of the `indices`, the one that counts steps is None; where the formula gives the `whole` of a step, as of
    `h[:,-1]: formula`, the others are ":", as far as they are named. One that goes back in time starts
    `steps` - 1 behind the `end` of that axis: `h[n,T,i]` is one step behind the last. Layers say `ITS_END`,
    of axes that they do not know.
    """

    name: str
    indices: tuple[str | None, ...]
    steps: int
    end: str
    formula: Node
    at: Position = field(compare=False)

    @property
    def along(self) -> int:
        """The number of the axis of steps."""
        return self.indices.index(None)

    @property
    def whole(self) -> bool:
        """Whether the formula gives all of a step, and not an entry."""
        return ":" in self.indices


@dataclass(frozen=True)
class CarriedSpec:
    """What a recurrence reads of the step before: at each step `name` is `source` one step before, or behind
    where `start` has an end. At the first step it is `start`.
    """

    name: str
    source: str
    start: StartSpec

    @property
    def back(self) -> bool:
        """Whether steps go back in time."""
        return bool(self.start.end)


SolvingMethod: TypeAlias = Literal["picard", "newton"]
"""How an equation is solved: by putting what it gives into it again, or by its slope."""


@dataclass(frozen=True)
class SolvedSpec:
    """An equation that is solved for the tensor `name`, in so many `steps` of a `method`.

    On its `left` stands what has the value of a `formula`, of which it stands for other equations: `iterated`
    are those of the steps but the last, which begins with `held`.
    """

    name: str
    method: SolvingMethod
    steps: int
    iterated: tuple[str, ...]
    held: str
    left: str
    formula: Node
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Branch:
    """Layers of a chain beside their input x: `residual` is x + f(x), `concat` is x and f(x) side by side."""

    join: Literal["residual", "concat"]
    layers: tuple[Call | Branch, ...]
    at: Position = field(compare=False)


AFTER_STEP = "theta after"
"""What an equation below that of theta reads where it means the parameter after the step."""


@dataclass(frozen=True)
class Averaging:
    """The moving average of the parameters: its state, and the hyper-parameter that is its decay."""

    state: str
    decay: str


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimiser as equations over theta, g, t, hyper-parameters, states and quantities of the step.

    The gradient is taken at `look_ahead`, or at theta itself. `full_batch` is the reason why every step
    needs all rows, or empty.
    """

    name: str
    hyper: tuple[tuple[str, Node], ...]
    state: tuple[tuple[str, Node], ...]
    update: tuple[tuple[str, Node], ...]
    at: Position = field(compare=False)
    look_ahead: Node | None = None
    full_batch: str = ""
    average: Averaging | None = None


@dataclass(frozen=True)
class StopSpec:
    """When training ends before its last epoch; None switches a criterion off.

    `watch` is the score on held-out rows that says which epoch is best, higher being better; None: the loss.
    """

    patience: int | None = None
    tolerance: float | None = None
    time_limit: float | None = None
    watch: str | None = None


@dataclass(frozen=True)
class CheckpointSpec:
    """How often training keeps what it could go on from, in epochs and in minutes, and how many stay.

    None switches a measure off; without both it is every minute.
    """

    epochs: int | None = None
    minutes: float | None = None
    keep: int = 2


Sampling: TypeAlias = Literal["uniform", "latin", "sobol"]


@dataclass(frozen=True)
class PointsSpec:
    """Points that are drawn: for each input the least and largest of its numbers, or `choices` of them.

    `method` says how: independently, in a Latin hypercube, or by Sobol's sequence. `stream` tells those of
    different sets, and those that are held out, apart. Where they `resample`, every epoch has others.
    """

    ranges: tuple[tuple[str, tuple[float, float]], ...]
    choices: tuple[tuple[str, tuple[float, ...]], ...]
    number: int
    method: Sampling
    stream: int
    resample: bool = False

    def of_epoch(self, epoch: int, number: int) -> PointsSpec:
        """So many points as an epoch has them, counted from 1; the first has those of the spec."""
        stream = self.stream if epoch == 1 else crc32(f"{self.stream}/{epoch}".encode())
        return replace(self, number=number, stream=stream)


@dataclass(frozen=True)
class DataSpec:
    """A data file, relative to the spec, and which columns or arrays feed which tensor.

    `columns` maps an input's or target's name to column names (tables), or patterns of these such as `p*`,
    or one array name (NPZ); empty means: the arrays named like the tensors, or the columns in order, inputs
    before targets. `header` says whether the first row of a CSV file names the columns, `delimiter` what
    divides its cells, `decimal` how its numbers are written; None: that is to be seen. A text is cut into
    `window` bytes a row, which begin every `step` bytes, or where the one before ends; with `ahead` a table
    is cut into windows of rows, behind which so many are foretold, every `step` rows, or where those end. Of
    several sets of points, `sets` may name data of their own for each, by its axis; then there is no path.
    Nor is there one where `points` are drawn.
    """

    path: str
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    at: Position = field(compare=False)
    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    window: int | None = None
    step: int | None = None
    ahead: int | None = None
    sets: tuple[tuple[str, DataSpec], ...] = ()
    points: PointsSpec | None = None


Monitor: TypeAlias = Literal["gradients"]
"""What training measures besides, at the end of each epoch: norms of the gradient."""
MONITORS: tuple[Monitor, ...] = get_args(Monitor)
Missing: TypeAlias = Literal["refuse", "drop", "mean", "median", "most_frequent"] | float
"""Rows with a missing value are refused or left out, or inputs are filled in from the rows trained on."""


@dataclass(frozen=True)
class MicroBatches:
    """The gradient of a batch is computed from pieces of at most `rows` rows."""

    rows: int
    at: Position = field(compare=False)


@dataclass(frozen=True)
class StepsAtOnce:
    """The gradient of a recurrence is computed from parts of so many `steps`, each computed again.

    Without their number there are about as many parts as steps in each, or, with a limit in `megabytes`, as
    few as let a step of training work in so much memory.
    """

    steps: int | None
    megabytes: float | None
    at: Position = field(compare=False)


@dataclass(frozen=True)
class FinishSpec:
    """How training ends, after its epochs: the name of a library's entry and all of its settings."""

    name: str
    settings: tuple[tuple[str, float], ...]
    at: Position = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value:g}' for name, value in self.settings)})"

    @property
    def iterations(self) -> int:
        """How many it may make."""
        return int(dict(self.settings)["max_iterations"])


@dataclass(frozen=True)
class TrainSpec:
    """The `train` block. `batch_size` is a number of rows or 'full', of several sets of points that of the
    first; `set_batches` are those of others, by their axes: without, all their rows go into every step.

    `freeze` names parameters that stay as they are, by patterns such as `b*` too; `per_parameter` gives some
    of them other hyper-parameters of the optimiser. `average` is the decay of a moving average of parameters.
    `finish` is what comes after the epochs, of which there may then be none.

    `shard` says what ranks divide among them beside the rows of a batch.

    `clip_norm` bounds the norm of all gradients together; then `clip_value` bounds each entry. `missing` says
    what becomes of missing values, and `categorical` names columns whose every cell is a word. A word in an
    input that was not there in training is an error, or `unseen` ignores it: none of its entries is 1.
    """

    data: DataSpec | None
    validation: float | DataSpec | None
    standardize: bool
    optimizer: Call | OptimizerSpec
    schedule: Node | None
    batch_size: int | Literal["full"]
    shuffle: Literal["each_epoch", "once", "never"]
    epochs: int
    stop: StopSpec
    clip_norm: float | None
    seed: int
    clip_value: float | None = None
    micro_batches: MicroBatches | None = None
    steps_at_once: StepsAtOnce | None = None
    missing: Missing = "refuse"
    categorical: tuple[str, ...] = ()
    unseen: Literal["error", "ignore"] = "error"
    checkpoint: CheckpointSpec = CheckpointSpec()
    monitor: Monitor | None = None
    metrics: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    per_parameter: tuple[tuple[str, tuple[tuple[str, Number], ...]], ...] = ()
    average: float | None = None
    finish: FinishSpec | None = None
    set_batches: tuple[tuple[str, int], ...] = ()
    shard: Literal["optimizer"] | None = None

    @property
    def sources(self) -> list[DataSpec]:
        """Where the rows come from that are trained on and held out, of several sets of points each."""
        named = [data for data in (self.data, self.validation) if isinstance(data, DataSpec)]
        return [source for data in named for source in ([own for _, own in data.sets] or [data])]


Distribution: TypeAlias = Literal[
    "constant", "normal", "uniform", "truncated_normal", "identity", "orthogonal"
]


@dataclass(frozen=True)
class InitSpec:
    """First values of a parameter: `scale` is a half-width, a standard deviation, a constant or a gain.

    The scale's formula is over numbers, `fan_in` and `fan_out`: how many entries of the parameter each output
    sums, and how many outputs each entry of the input feeds.
    """

    distribution: Distribution
    scale: Node


@dataclass(frozen=True)
class ParameterDecl:
    """A parameter of a model, the user's or a layer's."""

    name: str
    axes: tuple[ParameterAxis, ...]
    init: InitSpec
    at: Position = field(compare=False)

    @cached_property
    def measured(self) -> set[str]:
        """The tensors whose sizes it takes."""
        formulas = (axis for axis in self.axes if not isinstance(axis, int | str))
        return set[str]().union(*map(tensors_measured, formulas))


@dataclass(frozen=True)
class ShapeDemand:
    """How many axes a layer takes, by their usual names; a first `...` stands for any number of others.

    A `formula` is what a tensor without a name of the user's was given as. One that is made at every step has
    its steps first, where it is told of the axes `of_each_step`.
    """

    layer: str
    tensor: str
    axes: tuple[str, ...]
    at: Position = field(compare=False)
    formula: str = field(compare=False, default="")
    of_each_step: bool = False

    @property
    def shown(self) -> str:
        """What is said of the tensor: the formula it was given as, else its name."""
        return self.formula or self.tensor

    @cached_property
    def measured(self) -> set[str]:
        """The tensors whose axes it is about."""
        return {self.tensor}


@dataclass(frozen=True)
class SizeDemand:
    """What a layer demands of sizes: a comparison of whole numbers, with what is said where it fails.

    In `problem` formulas stand for their values.
    """

    layer: str
    condition: Compare
    problem: tuple[str | Node, ...]
    remedy: str
    at: Position = field(compare=False)

    @cached_property
    def measured(self) -> set[str]:
        """The tensors whose sizes it is about."""
        formulas = (part for part in self.problem if not isinstance(part, str))
        return set[str]().union(*map(tensors_measured, (self.condition, *formulas)))


@dataclass(frozen=True)
class HidingTensor:
    """What the numbers of a tensor say to a layer: how many places of a row are there, of so many at `most`,
    or, without that, which of them, or which neighbours.
    """

    tensor: str
    most: Node | None
    at: Position = field(compare=False)


@dataclass(frozen=True)
class HyperParameter:
    """A number of training that callers of a module may change: its name there, and its value in the spec.

    `key` says where it stands in the train block: `optimizer.learning_rate`, `schedule.decay`, `clip_norm`.
    `allowed` is the interval it lies in, whose ends may be names of others; empty where it may be anything.
    """

    name: str
    key: str
    value: Node
    allowed: str = ""

    @property
    def of(self) -> str:
        """What it is called in its own part: `weight_decay` of `optimizer.weight_decay`."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters for which the optimiser has numbers of their own, in place of those `of` the same name."""

    parameters: tuple[str, ...]
    hyper: tuple[HyperParameter, ...]


FurtherKind: TypeAlias = Literal["hvp", "gauss_newton", "per_sample", "jacobian", "hessian"]

FURTHER_FUNCTIONS: Mapping[FurtherKind, str] = {
    "hvp": "hvp",
    "gauss_newton": "gauss_newton",
    "per_sample": "per_sample_grad",
    "jacobian": "jacobian",
    "hessian": "hessian",
}
"""What a module calls its function of a further derivative, where it has one of the kind."""

STEP_FUNCTION = "step"
"""What a module calls its function of one step of time."""


@dataclass(frozen=True)
class FurtherDerivative:
    """A further derivative that a module computes: its kind, the tensors that its call names, and what the
    module calls its function.
    """

    kind: FurtherKind
    of: tuple[str, ...]
    function: str
    at: Position = field(compare=False)

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.of)})" if self.of else self.kind


@dataclass(frozen=True)
class NetworkFunction:
    """A network by itself, as a function that a module has: of `arguments` that are none of the model's
    tensors, by `equations` whose last is its value, over parameters that all calls share.

    Each argument has the axes of the tensor in `like`, which the network is given in one of its calls.
    """

    function: str
    arguments: tuple[str, ...]
    like: tuple[str, ...]
    equations: tuple[EquationSpec, ...]
    at: Position = field(compare=False)

    kind: ClassVar[Literal["network"]] = "network"

    def __str__(self) -> str:
        return f"{self.function}({', '.join(self.arguments)})"

    @property
    def value(self) -> str:
        """The tensor that it gives."""
        return self.equations[-1].name


@dataclass(frozen=True)
class DrawnPrediction:
    """The prediction by numbers that are drawn, as a function that a module has: by a model of its own, in
    which what draws is as in training, and all else as in inference.
    """

    model: Model
    at: Position = field(compare=False)

    kind: ClassVar[Literal["drawn"]] = "drawn"
    function: ClassVar[str] = "draw_prediction"

    def __str__(self) -> str:
        return self.function


BesideFunction: TypeAlias = FurtherDerivative | NetworkFunction | DrawnPrediction
"""A function that a module of some specs has beside those of all, with a workspace of its own."""


@dataclass(frozen=True)
class NextValue:
    """The equation that gives what a state of the model becomes in a step of training; `instead` as there."""

    state: str
    equation: str
    instead: str = ""


@dataclass(frozen=True)
class Model:
    """A spec without sugar: no layers, no bare losses, no library optimisers; equations only.

    `spec` is the one that was expanded, as it was read: whatever takes a spec may be given it.
    Calls in formulas name builtin functions or `functions`, each applied entry by entry or with the
    reductions its own formula holds. `prediction` is scored by its `task` against the target `scored`, where
    it has one. `schedule` is over learning_rate, epoch, epochs and step; in `named_schedule`, constants of
    the library's schedules have names too, those of `hyper`: all numbers that may change at run time.
    Equations read what is `carried` from step to step of a recurrence by its own name.
    Optimisers leave the `frozen` parameters as they are; those of `groups` have numbers of their own. Of the
    frozen ones, states have `next_values`, equations over what a step finds. Where training and inference
    differ, `loss` is that of training, `evaluation` that of inference, and `in_training` says what training
    calls the equations that stand twice. Layers make `demands` of the tensors they are given, and are told
    what is there by those in `hiding`. `networks` are those that stand by themselves too, `drawn` the
    prediction by chance, where something draws.
    """

    spec: Spec
    parameters: tuple[ParameterDecl, ...]
    functions: tuple[FunctionSpec, ...]
    equations: tuple[EquationSpec, ...]
    outputs: tuple[str, ...]
    loss: Node | None
    prediction: Node | None
    task: Literal["values", "binary", "classes", "sign"]
    scored: str | None
    optimizer: OptimizerSpec
    schedule: Node
    named_schedule: Node
    hyper: tuple[HyperParameter, ...]
    manual: tuple[EquationSpec, ...]
    frozen: tuple[str, ...] = ()
    groups: tuple[ParameterGroup, ...] = ()
    next_values: tuple[NextValue, ...] = ()
    evaluation: Node | None = None
    in_training: tuple[tuple[str, str], ...] = ()
    demands: tuple[ShapeDemand | SizeDemand, ...] = ()
    hiding: tuple[HidingTensor, ...] = ()
    carried: tuple[CarriedSpec, ...] = ()
    networks: tuple[NetworkFunction, ...] = ()
    drawn: DrawnPrediction | None = None

    @property
    def beside(self) -> tuple[BesideFunction, ...]:
        """What a module has beside the functions of all: derivatives that are asked for, networks, a
        prediction by chance.
        """
        return (*self.spec.derive, *self.networks, *((self.drawn,) if self.drawn else ()))

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The parameters that are states of the model: a step computes them anew."""
        return tuple(found.state for found in self.next_values)

    @cached_property
    def said_of_training(self) -> Mapping[str, str]:
        """What the spec calls the equations that training has by names of their own."""
        return {there: name for name, there in self.in_training}

    @cached_property
    def said(self) -> Mapping[str, str]:
        """The same, with the steps of what is solved for."""
        return {**self.said_of_training, **{e.name: e.shown for e in self.equations if e.name != e.shown}}

    @cached_property
    def batch_axis(self) -> str:
        """The free axis that counts samples; empty where there is none."""
        return self.spec.batch_axis


@dataclass(frozen=True, repr=False)
class Spec(Displayed):
    """A whole spec. `sha256` is of its `text`, JSON where it was a dict; `path` is None for text and dicts.

    `manual` are formulas that are no part of the model: those named `dX` claim a derivative of the loss.
    `derive` asks for derivatives beyond the gradient. Of the parameters, those in `state` live on
    by formulas. Where an equation is `solved`, others stand for it.

    `places` says where the names in `outputs`, `gradients`, `axes` and `train` stand: key, name, place.
    """

    name: str
    dtype: Literal["float32", "float64"]
    axes: tuple[tuple[str, int], ...]
    inputs: tuple[TensorSpec, ...]
    targets: tuple[TensorSpec, ...]
    constants: tuple[ConstantSpec, ...]
    parameters: tuple[ParameterSpec, ...]
    functions: tuple[FunctionSpec, ...]
    layers: tuple[Call | Branch, ...]
    equations: tuple[EquationSpec, ...]
    outputs: tuple[str, ...]
    loss: Node | None
    gradients: tuple[str, ...]
    manual: tuple[EquationSpec, ...]
    train: TrainSpec
    sha256: str
    path: Path | None = field(compare=False)
    at: Position = field(compare=False)
    places: tuple[tuple[str, str, Position], ...] = field(default=(), compare=False)
    text: str = field(default="", compare=False, repr=False)
    derive: tuple[FurtherDerivative, ...] = ()
    networks: tuple[NetworkSpec, ...] = ()
    state: tuple[StateSpec, ...] = ()
    starts: tuple[StartSpec, ...] = ()
    solved: tuple[SolvedSpec, ...] = ()

    @cached_property
    def batch_axis(self) -> str:
        """The free axis that counts samples: the first that leads an input or target and stands nowhere else.

        Empty where there is none.
        """
        sizes = dict(self.axes)
        tensors = (*self.inputs, *self.targets)
        first = (axis for tensor in tensors for axis in tensor.axes[:1])
        axis = next((axis for axis in first if isinstance(axis, str) and axis not in sizes), "")
        return "" if any(axis in tensor.axes[1:] for tensor in tensors) else axis

    def __str__(self) -> str:
        """A line that says which spec it is, and its text."""
        tensors = ", ".join(
            f"{t.name} [{', '.join(map(str, t.axes))}]" for t in (*self.inputs, *self.targets)
        )
        return f"{self.name}: {tensors} ({self.path or 'given as text'})\n\n{self.text}"

    def place_of(self, key: Literal["outputs", "gradients", "axes", "train"], name: str) -> Position:
        """Where a name of outputs, gradients or axes stands, or the value of an entry of train."""
        found = (at for k, n, at in self.places if (k, n) == (key, name))
        return next(found, self.at)
