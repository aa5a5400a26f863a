"""What the template of a module receives: frozen records of strings, every decision already made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.targets.numba.runtime import RuntimePart

Manner: TypeAlias = Literal["plain", "kernel", "driver", "section", "update"]
"""How a function is compiled; a plain one is not."""


@dataclass(frozen=True)
class Definition:
    """A function of the model: its arguments, what it is for in one or more lines, and its body."""

    name: str
    arguments: str
    doc: tuple[str, ...]
    lines: tuple[str, ...]
    manner: Manner = "plain"


@dataclass(frozen=True)
class Driver:
    """A compiled function that calls kernels: its arguments, what it is for, and its body as data.

    A section of a long one, `section_of`, is compiled once for all that run it.
    """

    name: str
    arguments: str
    doc: str
    body: tuple[Instruction, ...]
    section_of: str = ""

    @property
    def manner(self) -> Manner:
        """How it is compiled."""
        return "section" if self.section_of else "driver"


@dataclass(frozen=True)
class FieldText:
    """A field of a named tuple: a parameter, a state, a gradient."""

    name: str
    comment: str


@dataclass(frozen=True)
class FactText:
    """A constant of the module: its name, what it is as Python writes it, and a word on it."""

    name: str
    value: str
    comment: str = ""


@dataclass(frozen=True)
class ArgumentText:
    """An input or target: `axes` as a Python tuple of sizes and axis names.

    `name` is the spec's, `variable` what Python calls it; `row_size` are the sizes of all axes but the first,
    `batch_shape` is what one batch of rows is laid out as. What is predicted depends on no `is_spare` input.
    """

    name: str
    variable: str
    axes: str
    classes: int | None
    ignore: int | None
    row_size: str
    batch_shape: str
    is_batched: bool = False
    is_spare: bool = False


@dataclass(frozen=True)
class ResultText:
    """A tensor that a caller gets: its name, the view of it, and its axes."""

    name: str
    view: str
    comment: str

    @property
    def copied(self) -> str:
        """The text that copies it."""
        return f"{self.view}.copy()"


@dataclass(frozen=True)
class Opening:
    """What the docstring of a module says of its mathematics."""

    name: str
    version: str
    sha256: str
    is_standardized: bool
    tensors: tuple[str, ...]
    forward_equations: tuple[str, ...]
    gradient_equations: tuple[str, ...]
    look_ahead_rule: tuple[str, ...]
    update_rule: tuple[str, ...]
    hyper_symbols: tuple[tuple[str, str], ...]
    apart: tuple[str, ...]
    frozen: str
    renewed: str
    finish: str
    epochs: int


@dataclass(frozen=True)
class ModuleText:
    """All that the template needs: the model first, then what is the same in all modules that need it."""

    opening: Opening
    imports: tuple[str, ...]
    facts: tuple[FactText, ...]
    parameters: tuple[FieldText, ...]
    states: tuple[FieldText, ...]
    gradients: tuple[FieldText, ...]
    kernels: tuple[Definition, ...]
    network: tuple[Definition, ...]
    training: tuple[Definition, ...]
    further: tuple[Definition, ...]
    stepping: tuple[Definition, ...]
    carry: tuple[FieldText, ...]
    interface: tuple[Definition, ...]
    told: tuple[FactText, ...]
    runtime: tuple[RuntimePart, ...]
