"""Specs that users give, held to what an estimator can train, and arguments that go before them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from symgrad.sklearn.changed_specs import changed
from symgrad.spec.expand import expand
from symgrad.spec.language.syntax import Call
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Spec
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
        spec = with_training(spec, {"optimizer": optimizer})
    if spec.loss is None:
        raise ValueError(f"{spec.name}: there is no loss to train on; add loss: ...")
    if spec.train.standardize:
        remedy = "leave it out, and put StandardScaler() before the estimator in a pipeline"
        raise ValueError(f"{spec.name}: standardize: true is for training from files; {remedy}")
    if len(spec.inputs) != 1 or spec.inputs[0].axes[:1] != (expand(spec).batch_axis,):
        raise ValueError(f"{spec.name}: expected one input, whose first axis counts samples")
    return spec


def with_training(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    """The spec with other entries of its train block, given as a spec has them; earlier changes stay.

    Raises:
        SpecError: for what no train block can say.
    """
    if not settings:
        return spec
    said = _saying(spec, settings)
    train = replace(spec.train, **{name: getattr(said.train, name) for name in settings})
    return replace(changed(spec, train=train), places=(*said.places, *spec.places))


def _saying(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    """A spec that says no more, in the words of the given one's optimiser where the settings name none."""
    optimizer = spec.train.optimizer
    known = {"optimizer": optimizer.function} if isinstance(optimizer, Call) else {}
    smallest = {"inputs": {"x": ["n"]}, "equations": {"y": "x"}, "name": spec.name}
    return read({**smallest, "train": {**known, "batch_size": "full", **settings}})
