"""What a library entry is: a few lines of the spec language, with their source.

Every entry is mathematics only. Its derivative, its matrix form, its kernels and its tests are derived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from symgrad.errors import Position
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.known_numbers import with_known_numbers
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.library.hyper import RANGES, USUAL

if TYPE_CHECKING:
    from symgrad.spec.ranges import Ranges, Usual


def parse_formula_of(text: str, entry: str) -> Node:
    """The formula of an entry of the library, with pi and e as numbers."""
    return with_known_numbers(parse_formula(text, Position(f"<library:{entry}>", 1, 1)), ())


@dataclass(frozen=True)
class Signature:
    """A name, its positional arguments and its keyword arguments with their defaults."""

    name: str
    arguments: tuple[str, ...]
    defaults: tuple[tuple[str, Node], ...]


def parse_signature(text: str) -> Signature:
    """Read `elu(x, alpha=1)`."""
    call = parse_formula_of(text, text.partition("(")[0])
    if not isinstance(call, Call):
        raise TypeError(f"not a signature: {text}")
    arguments = tuple(node.id for node in call.arguments if isinstance(node, Name))
    return Signature(call.function, arguments, call.keywords)


@dataclass(frozen=True)
class LibraryEntry:
    """What all entries share: `signature`, where the mathematics comes from, and what it is for.

    `ranges` are what an argument may be where it is a number; `usual` is narrower, with the reason why.
    """

    text: str
    source: str
    note: str = ""
    ranges: Ranges = field(default=(), kw_only=True)
    usual: Usual = field(default=(), kw_only=True)

    @cached_property
    def signature(self) -> Signature:
        return parse_signature(self.text)

    @property
    def own_ranges(self) -> Ranges:
        """The ranges of the arguments that this entry has."""
        own = (*self.signature.arguments, *(name for name, _ in self.signature.defaults))
        return tuple((name, text) for name, text in self.ranges if name in own)

    @property
    def name(self) -> str:
        return self.text.partition("(")[0]


@dataclass(frozen=True)
class Function(LibraryEntry):
    """An activation, loss, regulariser, part of one or ordinary mathematics: one formula over its arguments.

    A loss's formula is per element or per sample; `reduction` makes one number of it where the call
    says nothing else. `prediction` turns its first argument into what a user wants to see, and `task`
    says how that is scored. A call of a function `over_axes` may say `axis=` and `keepdims=`, which all
    reductions in its formula get.

    `takes` and `gives` say what the first argument and the result are, where that is "scores" (of any size),
    "probabilities" or "log-probabilities"; `image` is the interval of all results. `least_width` is how many
    entries the last axis of the first argument needs for the result to depend on them.
    """

    formula: str = ""
    prediction: str = ""
    task: str = "values"
    reduction: str = "mean"
    over_axes: bool = False
    takes: str = ""
    gives: str = ""
    image: str = ""
    least_width: int = 1

    @cached_property
    def body(self) -> Node:
        return parse_formula_of(self.formula, self.name)

    @cached_property
    def predicted(self) -> Node | None:
        return parse_formula_of(self.prediction, self.name) if self.prediction else None


@dataclass(frozen=True)
class Optimizer(LibraryEntry):
    """Update equations over `theta`, `g`, the step `t` (from 1), hyper-parameters and states.

    A state starts from a formula over hyper-parameters. A target that is neither theta nor a state is a
    quantity of this step, for the equations below it; `g` itself may be one. The gradient is taken at
    `gradient_at`, a formula over all but g, or at theta where there is none. `full_batch` says why every
    step needs all rows; it is empty where mini-batches will do.
    """

    state: tuple[tuple[str, str], ...] = ()
    update: tuple[tuple[str, str], ...] = ()
    gradient_at: str = ""
    full_batch: str = ""
    ranges: Ranges = field(default=RANGES, kw_only=True)
    usual: Usual = field(default=USUAL, kw_only=True)

    @cached_property
    def states(self) -> tuple[tuple[str, Node], ...]:
        return tuple((name, parse_formula_of(text, self.name)) for name, text in self.state)

    @cached_property
    def updates(self) -> tuple[tuple[str, Node], ...]:
        return tuple((name, parse_formula_of(text, self.name)) for name, text in self.update)

    @cached_property
    def look_ahead(self) -> Node | None:
        return parse_formula_of(self.gradient_at, self.name) if self.gradient_at else None


@dataclass(frozen=True)
class Finish(LibraryEntry):
    """A way to end a training on all rows; `rule` says in lines what an iteration does, as text and as LaTeX.

    `needs` is the further derivative that it asks of a module, where it does.
    """

    rule: tuple[tuple[str, str], ...] = ()
    needs: str = ""


@dataclass(frozen=True)
class Schedule(LibraryEntry):
    """The learning rate as a formula over `learning_rate`, `epoch`, `step` (both from 0) and `epochs`.

    A call may give another `learning_rate`: so one schedule is applied to another.
    """

    formula: str = "learning_rate"

    @cached_property
    def body(self) -> Node:
        return parse_formula_of(self.formula, self.name)


@dataclass(frozen=True)
class Initializer(LibraryEntry):
    """Random or constant first values: `scale` is the half-width, standard deviation or constant.

    The formula may use `fan_in`, how many entries of the parameter each output sums, and `fan_out`, how many
    outputs each entry of the input feeds: `compiler.fans` says how they are read off a spec.
    """

    distribution: str = "constant"
    scale: str = "0"

    @cached_property
    def body(self) -> Node:
        return parse_formula_of(self.scale, self.name)
