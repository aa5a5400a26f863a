"""The lists of arguments that the functions of an emitted module hand to one another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.statements import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.compiler.targets.numba.records import ArgumentText

MOST_ARGUMENTS = 16
"""Of data, sizes and states together. Numba cannot put one function into another for calls that Python
spells differently, those of more than 30 arguments."""


@dataclass(frozen=True)
class Signatures:
    """Pieces of calls and signatures, each as it is written.

    `extents` are the sizes that the data decide, first those of free axes, the `free_extents`; `batch_axis`
    is the one of rows or empty. A step needs `vectors` of the
    parameters' size besides them; the gradient is taken at the `point`,
    by the function `step_gradient`. A step visits some parameters in rows alone that `looked_up` data name;
    where it `takes_sets`, points of several sets may go in pieces.
    Where the model `draws` numbers, what computes with them has a `key`.
    """

    inputs: tuple[ArgumentText, ...]
    targets: tuple[ArgumentText, ...]
    extents: tuple[str, ...]
    free_extents: tuple[str, ...]
    batch_axis: str
    states: tuple[str, ...]
    step_memory: tuple[str, ...]
    point: str
    counts_epochs: bool
    takes_pieces: bool
    takes_sets: bool
    step_gradient: str
    looked_up: tuple[str, ...]
    draws: bool

    @cached_property
    def arguments(self) -> tuple[ArgumentText, ...]:
        return (*self.inputs, *self.targets)

    @cached_property
    def joins_drivers(self) -> bool:
        """Whether drivers may become a part of those that call them."""
        return len(self.arguments) + len(self.extents) + len(self.states) <= MOST_ARGUMENTS

    @property
    def data(self) -> str:
        return listed(a.variable for a in self.arguments)

    @property
    def labels(self) -> str:
        """The data that name the rows which a step visits, where it does not visit all."""
        return listed(self.looked_up)

    @property
    def key(self) -> str:
        """What numbers are drawn by, where they are."""
        return KEY.name if self.draws else ""

    @property
    def forward(self) -> str:
        """What the network is computed from."""
        return listed([*(a.variable for a in self.inputs), self.key, "work", *self.extents])

    @property
    def loss(self) -> str:
        """What the loss is computed from."""
        return listed([self.data, self.key, "work", *self.extents])

    @property
    def other_extents(self) -> tuple[str, ...]:
        return tuple(e for e in self.extents if e != self.batch_axis)

    @property
    def step(self) -> str:
        """What a step is computed from, which knows its key itself."""
        return self._of_step("")

    @property
    def step_gradients(self) -> str:
        """What the gradient of a step is computed from."""
        return self._of_step(self.key)

    def _of_step(self, key: str) -> str:
        """Where a step takes a batch in pieces, it gathers their rows itself."""
        if not self.takes_pieces:
            return listed([self.data, key, "work", *self.extents])
        return listed([self.data, "order", "rows", key, "work", *self.other_extents])

    @property
    def vectors(self) -> str:
        return listed(["theta", *self.step_memory])

    @property
    def state(self) -> str:
        return listed(["step", *self.states])

    @property
    def entries_of_state(self) -> str:
        return listed(f"state[{place}]" for place in range(1 + len(self.states)))

    @property
    def setting(self) -> str:
        """What a step is told besides: what a learning-rate schedule looks at, and the hyper-parameters."""
        return "epoch, epochs, hyper" if self.counts_epochs else "epoch, hyper"

    @property
    def setting_options(self) -> str:
        return "epoch=0, epochs=EPOCHS, hyper=None" if self.counts_epochs else "epoch=0, hyper=None"

    @cached_property
    def batched(self) -> tuple[ArgumentText, ...]:
        """The arguments that have rows."""
        return tuple(a for a in self.arguments if a.is_batched)

    @property
    def gathering(self) -> tuple[str, ...]:
        """The arguments of calls that lay the rows of one batch side by side."""
        return tuple(
            f"{a.variable}, order, start, {self.batch_axis}, {a.row_size or 1}, rows[{place}]"
            for place, a in enumerate(self.batched)
        )

    @property
    def gathered(self) -> str:
        """What a step on these rows is computed from."""
        return listed([*map(self._of_one_batch, self.arguments), "work", *self.extents])

    @property
    def gathered_piece(self) -> str:
        """What the loss of these rows is computed from."""
        return listed([*map(self._of_one_batch, self.arguments), self.key, "work", *self.extents])

    def _of_one_batch(self, argument: ArgumentText) -> str:
        if not argument.is_batched:
            return argument.variable
        return f"view(rows[{self.batched.index(argument)}], 0, {argument.batch_shape})"


def listed(texts: Iterable[str]) -> str:
    """Arguments with commas between them; empty ones are left out."""
    return ", ".join(text for text in texts if text)


def as_tuple(texts: Iterable[str]) -> str:
    """A tuple as Python writes it."""
    found = tuple(texts)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"
