"""Checkpoints of a module, as training writes and others read them, by the module's own `save` and `load`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.displayed import Displayed
from symgrad.errors import DataError, DataWarning, warn
from symgrad.training.dataset.known_rows import given_inputs
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.needed_inputs import Draws, predict, predict_often, predicted_from
from symgrad.training.scores.named_labels import named_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

IMPORTED = "imported_from"
"""Among the other arrays of a checkpoint that no training wrote: the file that its parameters are from."""
AGAIN = "train again, or use a module of the network that it was trained with"


@dataclass(frozen=True, repr=False)
class Checkpoint(Displayed):
    """Enough to predict and to train on: the Params `fitted` and the module's `state` after `epoch` epochs.

    `preparation` was measured on the rows that `seed` left for training. `fitted` takes inputs as they were
    trained on; `predict` takes them as they stand in the data. `state` is None where the file holds that of
    another optimiser. `more` are the arrays that it holds besides.
    """

    fitted: Any
    state: Any
    preparation: Preparation
    epoch: int
    seed: int
    module: ModuleType = field(repr=False, compare=False)
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        shapes = (f"  {name} {list(np.shape(value))}" for name, value in self.fitted._asdict().items())
        return "\n".join([f"{self.module.SPEC_NAME}: parameters of epoch {self.epoch}", *shapes])

    @property
    def params(self) -> Any:
        """The parameters, as the module's Params; warns that they take standardised inputs, where they do."""
        if self.preparation.is_standardized:
            problem = "these parameters take inputs as they were trained on, standardised"
            remedy = "`predict` of the run or checkpoint takes inputs as they stand in the data"
            warn(DataWarning(problem, at=self.module.SPEC_NAME, remedy=remedy))
        return self.fitted

    def predict(self, *inputs: Any) -> Any:
        """The module's prediction for inputs as they stand in the data.

        They are given in the spec's order, or by name in one data frame or mapping: those that the prediction
        depends on, the module's PREDICTED_FROM, or arrays of all.

        Raises:
            DataError: an input is missing, does not have the shape or columns of those in training, or holds
                a category that was not there in training, or no value.
        """
        return predict(self.module, self.fitted, *self._prepared(inputs))

    def predict_often(self, *inputs: Any, draws: int = 50, seed: int = 0) -> tuple[Any, Any]:
        """The mean of what is predicted by chance, as in training where something draws, and its spread: the
        deviation of one draw. The same seed draws the same.

        Raises:
            DataError: as `predict` does, and where nothing that is predicted is drawn.
        """
        prepared = self._prepared(inputs)
        return predict_often(self.module, self.fitted, *prepared, Draws(draws, seed))

    def _prepared(self, inputs: tuple[Any, ...]) -> tuple[Sequence[str], Sequence[Any]]:
        """The names of inputs as they stand in the data, and arrays of them as they were trained on."""
        every = self.module.INPUTS
        names = every if len(inputs) == len(every) > 1 else predicted_from(self.module)
        dtype = np.dtype(self.module.DTYPE)
        return names, given_inputs(self.preparation.of_inputs(names), names, inputs, dtype)

    def labels(self, *inputs: Any) -> NDArray[Any]:
        """The class of each row as the data call it, for inputs that `predict` takes.

        Raises:
            DataError: as `predict` does, and where the network predicts values.
        """
        return named_labels(self.module, self.preparation, self.predict(*inputs))


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint; an earlier file is replaced whole or not at all.

    Raises DataError when the file cannot be written.
    """
    try:
        checkpoint.module.save(
            path,
            checkpoint.fitted,
            checkpoint.state,
            epoch=checkpoint.epoch,
            preparation=checkpoint.preparation.to_json(),
            seed=checkpoint.seed,
            **checkpoint.more,
        )
    except OSError as error:
        remedy = "choose a folder that can be written, on a disk with room"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error


def load_checkpoint(path: str | os.PathLike[str], module: ModuleType) -> Checkpoint:
    """The checkpoint of a module of the same network, whatever their specs say of training.

    Raises DataError for a file that is missing, damaged or no checkpoint, and for one of another network,
    with the names and shapes that differ.
    """
    try:
        found = module.load(path)
        more = dict(found.more)
        seed = int(more.pop("seed", 0))
        preparation = Preparation.from_json({"inputs": {}, "targets": {}} | found.preparation)
    except FileNotFoundError as error:
        raise DataError("there is no such checkpoint", at=str(path), remedy="train first") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", at=str(path)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(str(error).removeprefix(f"{path}: "), at=str(path), remedy=AGAIN) from error
    return Checkpoint(found.params, found.state, preparation, found.epoch, seed, module, more)
