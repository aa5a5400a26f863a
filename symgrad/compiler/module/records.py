"""What the template of a module receives: frozen records of strings, every decision already made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symgrad.compiler.targets.numba.approximations import Precision
    from symgrad.compiler.targets.numba.elementary import FunctionText


@dataclass(frozen=True)
class KernelText:
    """A compiled function of the emitted module; where it must be `exact`, no sum may be regrouped."""

    name: str
    arguments: str
    doc: str
    lines: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class ParameterText:
    """A parameter: its field's name, shape and first values."""

    name: str
    comment: str
    start: int
    end: int
    shape: str
    initial: str


@dataclass(frozen=True)
class ArgumentText:
    """An input or target: `axes` as a Python tuple of sizes and axis names.

    `name` is the spec's, `variable` what Python calls it.
    """

    name: str
    variable: str
    axes: str
    classes: str
    ignore: int | None
    comment: str
    is_batched: bool
    row_size: str
    batch_shape: str


@dataclass(frozen=True)
class ConstantText:
    """A constant: its numbers as nested lists, a line for each row of a matrix."""

    name: str
    comment: str
    numbers: str


@dataclass(frozen=True)
class ResultText:
    """A tensor that a caller gets: a view of the workspace, `as_scalar` where it is one number.

    `place` counts inputs and targets: the one that a gradient belongs to, or -1.
    """

    name: str
    view: str
    comment: str
    as_scalar: str
    place: int = -1
    is_by_columns: bool = False


@dataclass(frozen=True)
class CarryingText:
    """How a step takes gradients in while they are formed: `target` by `shares`, and the rest of the step."""

    target_name: str
    target: str
    shares: tuple[str, ...]
    rest: tuple[str, ...]


@dataclass(frozen=True)
class FitText:
    """What `fit` does where its caller does not say: the spec's train block, each as Python writes it."""

    epochs: str
    batch_size: str
    seed: str
    shuffle: str


@dataclass(frozen=True)
class ModuleText:
    """All that the template needs.

    `epochs` is 0 where the schedule does not ask for it, `micro_batch_size` where steps take batches whole.
    `look_ahead` is empty where gradients are taken at theta, `full_batch` where mini-batches will do.
    """

    name: str
    sha256: str
    version: str
    dtype: str
    task: str
    epochs: int
    fit: FitText
    is_standardized: bool
    micro_batch_size: int
    tensors: tuple[str, ...]
    forward_equations: tuple[str, ...]
    gradient_equations: tuple[str, ...]
    look_ahead_rule: tuple[str, ...]
    update_rule: tuple[str, ...]
    parameters: tuple[ParameterText, ...]
    parameter_count: int
    inputs: tuple[ArgumentText, ...]
    targets: tuple[ArgumentText, ...]
    scored: str
    constants: tuple[ConstantText, ...]
    free_axes: tuple[str, ...]
    extents: tuple[str, ...]
    batch_axis: str
    by_columns: bool
    work_size: str
    has_products: bool
    kernels: tuple[KernelText, ...]
    forward: tuple[str, ...]
    prediction: tuple[str, ...]
    loss: tuple[str, ...]
    gradient: tuple[str, ...]
    loss_view: str
    outputs: tuple[ResultText, ...]
    predictions: tuple[ResultText, ...]
    input_gradients: tuple[ResultText, ...]
    states: tuple[tuple[str, str], ...]
    look_ahead: tuple[str, ...]
    update: tuple[str, ...]
    carrying: CarryingText | None
    full_batch: str
    precision: Precision
    llvm_functions: tuple[str, ...]
    functions: tuple[FunctionText, ...]

    @property
    def copies_rows(self) -> bool:
        """Whether an epoch copies the rows of a batch as they lie in memory."""
        return bool(self.batch_axis and self.loss_view) and not self.by_columns
