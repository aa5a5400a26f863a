"""Specs that users give, held to what an estimator can train, and arguments that go before them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.sklearn.changed_specs import changed
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from symgrad.spec.language.syntax import Call
    from symgrad.spec.model import OptimizerSpec, Spec
    from symgrad.spec.reader import SpecSource


def given_spec(source: SpecSource, dtype: str | None, optimizer: str | None) -> Spec:
    """The spec, maybe with another type of numbers and another optimiser.

    Raises:
        SpecError: it is none.
        ValueError: it is one that no table can train.
    """
    spec = read(source)
    if dtype is not None and dtype != spec.dtype:
        spec = changed(spec, dtype=dtype)
    if optimizer is not None:
        spec = changed(spec, train=replace(spec.train, optimizer=_optimizer(optimizer)))
    if spec.loss is None:
        raise ValueError(f"{spec.name}: there is no loss to train on; add loss: ...")
    if spec.train.standardize:
        remedy = "leave it out, and put StandardScaler() before the estimator in a pipeline"
        raise ValueError(f"{spec.name}: standardize: true is for training from files; {remedy}")
    if len(spec.inputs) != 1 or spec.inputs[0].axes[:1] != (expand(spec).batch_axis,):
        raise ValueError(f"{spec.name}: expected one input, whose first axis counts samples")
    return spec


def _optimizer(text: str) -> Call | OptimizerSpec:
    """The optimiser of a text, as the train block of a spec has it."""
    smallest = {"inputs": {"x": ["n"]}, "equations": {"y": "x"}, "name": "optimizer"}
    return read({**smallest, "train": {"optimizer": text, "batch_size": "full"}}).train.optimizer
