"""What the behaviours of a module are tried with: what its spec says of it, and a sample, as plain values.

They travel to the process that the module lives in, where its functions are called as a user calls them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from symgrad.spec.model import FurtherKind
    from symgrad.verifier.interpretation.array_library import Array


class DataTensor(NamedTuple):
    """An input or target: its axes as the spec has them, its labels, and numbers for it.

    Of what a network by itself takes, an axis without a name is one of which a spec does not say the size.
    """

    name: str
    axes: tuple[int | str, ...]
    classes: int | None
    ignore: int | None
    numbers: Array


class DrawnParameter(NamedTuple):
    """A parameter: how its first values are drawn; their scale is None where it is not plain to see."""

    name: str
    shape: tuple[int, ...]
    distribution: str
    scale: float | None

    @property
    def is_drawn(self) -> bool:
        """Whether its first values depend on a seed."""
        return self.distribution not in ("constant", "identity")


class DrawnHyper(NamedTuple):
    """A hyper-parameter: its value in the spec, another one, and some that are to be refused."""

    name: str
    value: float
    other: float
    refused: tuple[float, ...]


class Fit(NamedTuple):
    """What the spec's train block says where a caller of `fit` says nothing."""

    epochs: int
    batch_size: int | str
    seed: int
    shuffle: str


class BehaviourCase(NamedTuple):
    """All that is said of a module.

    `network` is the network's hash, `batch` the axis that counts rows, or empty; `piece` the rows of a
    micro-batch; `work` the operations of one loss; `is_calm` is whether training on the sample stays finite
    and carries rounding nowhere. `no_hyper` are names that are no hyper-parameters. `further` are functions
    of derivatives beyond the gradient, with their kinds, `networks` those that stand by themselves, with what
    they take; a case of one of these is of this function `alone`. What is `predicted` depends on no `spare`
    input. Where a network `writes_on`, it says of sequences of labels which comes next; where it `goes_on`,
    it may do so step by step of time. `numbers` are whole numbers at which an edited module may act
    otherwise, `edited_numbers` all that stand in its edits. `one_by_one` are places of parameters that are
    moved in memory, or broken, alone. Where something is drawn, `seed` is what training draws by.
    """

    name: str
    network: str
    dtype: str
    inputs: tuple[DataTensor, ...]
    targets: tuple[DataTensor, ...]
    blocks: tuple[DrawnParameter, ...]
    states: tuple[str, ...]
    batch: str
    task: str
    vector: Array
    has_loss: bool
    looks_ahead: bool
    gradients: tuple[str, ...]
    full_batch: bool
    plans_epochs: bool
    piece: int | None
    work: float
    fit: Fit
    hyper: tuple[DrawnHyper, ...]
    no_hyper: tuple[str, ...]
    is_calm: bool
    frozen: tuple[str, ...] = ()
    further: tuple[tuple[str, FurtherKind], ...] = ()
    spare: tuple[str, ...] = ()
    writes_on: bool = False
    goes_on: bool = False
    predicted: tuple[str, ...] = ()
    one_by_one: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    edited_numbers: tuple[float, ...] = ()
    seed: tuple[int, ...] = ()
    networks: tuple[tuple[str, tuple[DataTensor, ...]], ...] = ()
    alone: str = ""

    def of_network(self, function: str, taken: tuple[DataTensor, ...]) -> BehaviourCase:
        """The case of a network by itself."""
        axes = (tensor.axes[0] for tensor in taken if tensor.axes)
        batch = next((axis for axis in axes if isinstance(axis, str)), "")
        return self._replace(
            inputs=taken, targets=(), batch=batch, has_loss=False, networks=(), spare=(), alone=function
        )

    @property
    def tensors(self) -> tuple[DataTensor, ...]:
        return (*self.inputs, *self.targets)

    @property
    def ignores(self) -> bool:
        """Whether a label stands for none."""
        return any(tensor.ignore is not None for tensor in self.tensors)

    @property
    def trains(self) -> bool:
        return self.has_loss and bool(self.blocks)

    @property
    def trained_size(self) -> int:
        """How many entries of the parameters are trained."""
        return sum(math.prod(block.shape) for block in self.blocks if block.name not in self.frozen)

    def of_rows(self, rows: int) -> BehaviourCase:
        """The case with the first rows of its data alone."""
        inputs, targets = (
            tuple(t._replace(numbers=t.numbers[:rows]) if t.axes[:1] == (self.batch,) else t for t in tensors)
            for tensors in (self.inputs, self.targets)
        )
        return self._replace(inputs=inputs, targets=targets)


_RECORDS = {kind.__name__: kind for kind in (BehaviourCase, DataTensor, DrawnHyper, DrawnParameter, Fit)}


def record(name: str, _: tuple[str, ...], values: list[Any]) -> Any:
    """The record of that name: how a case is put together again where it has travelled to.

    Raises:
        KeyError: it is no part of a case.
    """
    return _RECORDS[name](*values)
