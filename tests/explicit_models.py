"""Specs with numbers for everything they are given, and their meaning by the independent interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.elaborate.elaborate import elaborate
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import axis_sizes, interpret
from symgrad.verifier.interpretation.meaning import Formulas
from symgrad.verifier.interpretation.tensors import TensorValue

if TYPE_CHECKING:
    from symgrad.spec.model import Model

STEP = 1e-5
FREE = 3


@dataclass(frozen=True)
class ExplicitModel:
    """A model at one point. Free axes have `FREE` entries, or as many as `sizes` says."""

    model: Model
    arrays: dict[str, Any]

    @cached_property
    def sizes(self) -> dict[str, int]:
        return axis_sizes(self.model, self.arrays)

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """Every named tensor's value."""
        return dict(interpret(self.model, self.arrays, DOUBLE).tensors)

    def loss(self, name: str, array: Any) -> float:
        """The loss with another value for an input or parameter."""
        return float(interpret(self.model, {**self.arrays, name: array}, DOUBLE).loss)

    def gradient(self, name: str) -> Any:
        """The gradient of the loss by central differences."""
        return differences(lambda array: np.asarray(self.loss(name, array)), self.arrays[name])

    def jacobian(self, block: str, name: str) -> Any:
        """How one equation, the loss or the prediction depends on a tensor it reads, all others held fast."""
        return differences(
            lambda array: self._block(block, {**self.tensors, name: array}), self.tensors[name]
        )

    def _block(self, block: str, tensors: dict[str, Any]) -> Any:
        model = self.model
        formulas = Formulas(model.functions, self.sizes, dict(model.spec.axes), DOUBLE)
        declared = {t.name: t for t in (*model.spec.inputs, *model.spec.targets)}
        for name, array in tensors.items():
            classes = declared[name].classes if name in declared else None
            formulas.tensors[name] = TensorValue(np.asarray(array), np.ndim(array), classes)
            if classes is not None:
                formulas.labels[name] = np.asarray(array).astype(np.int64)
        equation = next((e for e in model.equations if e.name == block), None)
        if equation is not None:
            return np.asarray(formulas.equation(equation).array)
        return np.asarray(formulas.value(model.prediction if block == "prediction" else model.loss).array)


def explicit(spec: Any, seed: int = 0) -> ExplicitModel:
    """A spec with random numbers, all positive and away from the kinks that matter."""
    model = expand(read(spec))
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    named = dict(model.spec.axes)
    for tensor in (*model.spec.inputs, *model.spec.targets):
        shape = tuple(a if isinstance(a, int) else named.get(a, FREE) for a in tensor.axes)
        numbers = rng.uniform(0.2, 1.2, shape)
        arrays[tensor.name] = numbers if tensor.classes is None else rng.integers(0, tensor.classes, shape)
    for tensor in elaborate(model).of_kind("parameter"):
        arrays[tensor.name] = rng.normal(0, 0.8, tuple(axis.size or 1 for axis in tensor.axes))
    return ExplicitModel(model, arrays)


def differences(function: Any, array: Any) -> Any:
    """Central differences: the axes of the function's value, then those of its argument."""
    array = np.asarray(array, dtype=float)
    shape = function(array).shape
    found = np.zeros((*shape, *array.shape))
    for place in np.ndindex(array.shape):
        step = np.zeros(array.shape)
        step[place] = STEP
        found[(..., *place)] = (function(array + step) - function(array - step)) / (2 * STEP)
    return found
