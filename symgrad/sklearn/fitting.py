"""The epochs of a fit, and which of them is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from symgrad.sklearn.trained_network import Network, Rows

Shuffle = Literal["each_epoch", "once", "never"]


@dataclass(frozen=True)
class FitPlan:
    """How long and in which order to train: `epochs` of the `planned` ones that a schedule may look at.

    With `patience`, training ends when the loss of the rows held out has not fallen by more than `tolerance`
    for so many epochs.
    """

    epochs: int
    planned: int
    batch_size: int | Literal["full"]
    shuffle: Shuffle
    patience: int | None = None
    tolerance: float = 0.0


class Watcher(Protocol):
    """Is told of every epoch, and may say that it be the last."""

    def epoch_begins(self) -> None:
        """An epoch begins."""

    def epoch_ends(self, network: Network) -> bool:
        """The network is what an epoch made of it; whether to stop here."""


@dataclass
class FitOutcome:
    """What has been trained: the losses of all epochs, and the network to keep."""

    network: Network
    losses: list[float] = field(default_factory=list)
    held_out_losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The lowest loss of the rows held out."""
        return min(self.held_out_losses, default=math.inf)


def train(
    network: Network,
    plan: FitPlan,
    rows: Rows,
    held_out: Rows | None,
    random: np.random.RandomState,
    watcher: Watcher,
) -> FitOutcome:
    """Train the network itself; with rows held out, what is kept is a copy of the one of the best epoch.

    Raises ValueError for a loss or parameters that are no longer finite.
    """
    outcome, order = FitOutcome(network), None
    best, lowest, stale = network, math.inf, 0
    has_batches = plan.batch_size != "full" and plan.batch_size < len(rows.inputs)
    for epoch in range(plan.epochs):
        if has_batches and (plan.shuffle == "each_epoch" or (plan.shuffle == "once" and epoch == 0)):
            order = random.permutation(len(rows.inputs))
        watcher.epoch_begins()
        outcome.losses.append(
            _finite(network.train_epoch(rows, plan.batch_size, order, plan.planned), network)
        )
        if held_out is not None:
            found = _finite(network.loss(held_out), network)
            stale = 0 if found < lowest - plan.tolerance else stale + 1
            lowest = found if stale == 0 else lowest
            if found < outcome.best:
                best = network.copy()
            outcome.held_out_losses.append(found)
        if watcher.epoch_ends(network) or (plan.patience is not None and stale >= plan.patience):
            break
    if held_out is not None:
        outcome.network = best
    return outcome


def _finite(value: float, network: Network) -> float:
    if math.isfinite(value) and np.isfinite(network.theta).all():
        return value
    problem = f"the loss became {value}" if not math.isfinite(value) else "a parameter is no longer finite"
    raise ValueError(
        f"{network.spec.name}, epoch {network.epoch}: {problem}; "
        "lower the learning rate, or scale the inputs (StandardScaler)"
    )


def parts(held_out: float, rows: Rows, strata: Any, random: np.random.RandomState) -> tuple[Rows, Rows]:
    """The rows to train on, and a share of them that is held out, of each of the `strata` if there are any.

    Raises ValueError where one part would be empty, or a stratum has a single row.
    """
    numbers = np.arange(len(rows.inputs))
    training, others = train_test_split(numbers, test_size=held_out, random_state=random, stratify=strata)
    return rows.take(np.sort(training)), rows.take(np.sort(others))
