"""A training step in any array library: the spec's own formulas, and the equations of its optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.language.syntax import Call
from symgrad.spec.language.trees import walk
from symgrad.spec.reductions import REDUCTIONS
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.optimizer_meaning import Progress, blocks_in, gradient_point, start, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

Blocks = list[Any]
"""Arrays of parameters: one for each, or all in one vector where the optimiser looks at all together."""

States = list[dict[str, Any]]


@dataclass(frozen=True)
class Training:
    """The loss and the update of a model on the arrays of a library; `shapes` are those of the parameters."""

    model: Model
    arithmetic: Arithmetic
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def is_joint(self) -> bool:
        """Whether a step of one parameter depends on the others."""
        optimizer = self.model.optimizer
        formulas = [formula for _, formula in optimizer.update]
        formulas += [optimizer.look_ahead] if optimizer.look_ahead is not None else []
        calls = [n.function for formula in formulas for n in walk(formula) if isinstance(n, Call)]
        apart = bool(self.model.frozen or self.model.groups)
        return apart or self.model.spec.train.clip_norm is not None or bool(set(calls) & REDUCTIONS.keys())

    def first(self, values: Mapping[str, Array]) -> tuple[Blocks, States]:
        """The blocks with these first values, and the states before the first step."""
        arrays = [np.asarray(values[name]) for name in self.shapes]
        blocks = [np.concatenate([np.ravel(a) for a in arrays])] if self.is_joint else arrays
        progress = [start(self.model, block, self.arithmetic, self.shapes) for block in blocks]
        return [p.theta for p in progress], [dict(p.states) for p in progress]

    def loss(self, blocks: Blocks, data: Mapping[str, Any]) -> Any:
        """The loss of some rows."""
        return interpret(self.model, {**data, **self._parameters(blocks)}, self.arithmetic).loss

    def points(self, blocks: Blocks, states: States, steps: Any) -> Blocks:
        """Where the gradient is taken."""
        points = (self._progress(b, s, steps) for b, s in zip(blocks, states, strict=True))
        return [gradient_point(self.model, point, 0, self.arithmetic) for point in points]

    def updated(
        self, blocks: Blocks, gradients: Sequence[Any], states: States, steps: Any
    ) -> tuple[Blocks, States]:
        """The blocks and states after a step."""
        after = [
            step(self.model, self._progress(block, state, steps), gradient, 0, self.arithmetic)
            for block, gradient, state in zip(blocks, gradients, states, strict=True)
        ]
        return [p.theta for p in after], [dict(p.states) for p in after]

    def _progress(self, block: Any, state: dict[str, Any], steps: Any) -> Progress:
        return Progress(block, state, steps, blocks_in(self.shapes))

    def _parameters(self, blocks: Blocks) -> dict[str, Any]:
        if not self.is_joint:
            return dict(zip(self.shapes, blocks, strict=True))
        found, end = {}, 0
        for name, shape in self.shapes.items():
            begin, end = end, end + prod(shape)
            found[name] = blocks[0][begin:end].reshape(shape)
        return found
