"""The train block: from the schema to a `TrainSpec`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec.located import call_at, formula_at
from symgrad.spec.model import DataSpec, OptimizerSpec, StopSpec, TrainSpec
from symgrad.spec.optimizer_block import own_optimizer
from symgrad.spec.resolve import TIME
from symgrad.spec.schema import DataBlock, OptimizerBlock
from symgrad.spec.syntax import Call, Name

if TYPE_CHECKING:
    from symgrad.spec.document import Document, Key
    from symgrad.spec.schema import SpecBlock, TrainBlock
    from symgrad.spec.syntax import Node

_ALIASES = {
    "lr": "learning_rate",
    "beta1": "b1",
    "beta2": "b2",
    "beta_1": "b1",
    "beta_2": "b2",
    "epsilon": "eps",
}


def train_spec(block: SpecBlock, document: Document) -> TrainSpec:
    """How the spec is to be trained.

    Raises:
        SpecError: for formulas outside the language and columns of unknown tensors.
    """
    train = block.train
    tensors = (*block.inputs, *block.targets)
    split = train.validation
    if isinstance(split, DataBlock):
        validation: float | DataSpec | None = _data(split, tensors, document, ("train", "validation"))
    else:
        validation = split
    return TrainSpec(
        data=_data(train.data, tensors, document, ("train", "data")) if train.data else None,
        validation=validation,
        standardize=train.standardize,
        optimizer=_optimizer(train, document),
        schedule=_schedule(train.schedule, document),
        batch_size=train.batch_size,
        shuffle=train.shuffle,
        epochs=train.epochs,
        stop=StopSpec(train.stop.patience, train.stop.tolerance, train.stop.time_limit),
        clip_norm=train.clip_norm,
        seed=train.seed,
    )


def _data(block: DataBlock, tensors: tuple[str, ...], document: Document, key: Key) -> DataSpec:
    for name in block.columns:
        if name not in tensors:
            at = document.place((*key, "columns", name)).key
            remedy = did_you_mean(name, tensors) or f"expected {' or '.join(tensors)}"
            raise SpecError(f"columns for '{name}', which is no input or target", at=at, remedy=remedy)
    columns = tuple((name, tuple(columns)) for name, columns in block.columns.items())
    return DataSpec(block.path, columns, document.place(key).value)


def _optimizer(train: TrainBlock, document: Document) -> Call | OptimizerSpec:
    key: Key = ("train", "optimizer")
    if isinstance(train.optimizer, OptimizerBlock):
        return own_optimizer(train.optimizer, document, key)
    if key not in document.places:
        return Call("sgd", (), (), document.place(key).value)
    call = call_at(document, key, train.optimizer, "an optimizer", "adam(learning_rate=0.001)")
    return replace(call, keywords=tuple((_ALIASES.get(k, k), value) for k, value in call.keywords))


def _schedule(text: str | None, document: Document) -> Call | Node | None:
    if text is None:
        return None
    node = formula_at(document, ("train", "schedule"), text)
    if isinstance(node, Name) and node.id not in TIME:
        return Call(node.id, (), (), node.at)
    return node
