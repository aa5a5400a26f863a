"""A network in training: parameters and the optimiser's state, which can be pickled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symgrad.sklearn.changed_specs import WEIGHTS
from symgrad.sklearn.modules import module_of
from symgrad.spec.expand import expand
from symgrad.training.epochs.snapshots import averaged
from symgrad.training.needed_inputs import predict_often
from symgrad.training.scores.in_pieces import loss_of, prediction_of

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import Spec
    from symgrad.training.needed_inputs import Draws


@dataclass(frozen=True)
class Rows:
    """Data of a network: `inputs`, `targets` where it has any, and a weight of every row or None for 1."""

    inputs: NDArray[Any]
    targets: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None

    def take(self, rows: NDArray[Any]) -> Rows:
        """The rows of these numbers."""
        return Rows(
            self.inputs[rows],
            None if self.targets is None else self.targets[rows],
            None if self.weights is None else self.weights[rows],
        )

    def arrays(self, module: ModuleType) -> list[Any]:
        """What the module's functions take, in its order: the one input, the target and the weights."""
        weights = np.ones(len(self.inputs)) if self.weights is None else self.weights
        targets = (weights if name == WEIGHTS else self.targets for name in module.TARGETS)
        return [self.inputs, *targets]


@dataclass
class Network:
    """What was learnt in `epoch` epochs, with `hyper` for numbers of the spec. Training changes it."""

    spec: Spec
    theta: NDArray[Any]
    state: tuple[NDArray[Any], ...]
    hyper: dict[str, float]
    epoch: int = 0

    @classmethod
    def first(cls, spec: Spec, hyper: dict[str, float], seed: int) -> Network:
        """With the first values that the spec draws from a seed."""
        module = module_of(spec)
        params = module.init_params(seed)
        state = module.init_state(params, hyper)
        state.step[1:] = seed  # what numbers are drawn by, where they are
        return cls(spec, module.flatten(params), tuple(state), hyper)

    @cached_property
    def module(self) -> ModuleType:
        """The module of the spec, built where it is not in this process yet."""
        return module_of(self.spec)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "module"}

    @property
    def params(self) -> dict[str, NDArray[Any]]:
        """The parameters by name."""
        found: dict[str, NDArray[Any]] = self.module.unflatten(self.theta)._asdict()
        return found

    def copy(self) -> Network:
        """One that may be trained without changing this one, even if this one lies in read-only memory."""
        return Network(
            self.spec, np.array(self.theta), tuple(map(np.array, self.state)), self.hyper, self.epoch
        )

    def going_on(self, spec: Spec, hyper: dict[str, float], *, restarted: bool) -> Network:
        """A copy, to be trained as another spec of the same parameters says; the optimiser goes on too, or is
        `restarted`.

        Raises ValueError where the parameters, or the states to go on with, are others.
        """
        before, module = self.module, module_of(spec)
        if before.SHAPES != module.SHAPES or before.DTYPE != module.DTYPE:
            raise ValueError(
                f"the network has changed: it had parameters {_shown(before)}, it has {_shown(module)}; "
                "fit anew with warm_start=False"
            )
        network = self.copy()
        if restarted:
            state = tuple(module.init_state(module.unflatten(network.theta), hyper))
            return Network(spec, network.theta, state, hyper)
        if before.State._fields != module.State._fields:
            raise ValueError("the optimiser has changed, and its state does not fit; fit anew")
        if expand(self.spec).frozen != expand(spec).frozen:
            remedy = "fit with warm_start=True, which keeps the parameters and begins its state anew"
            raise ValueError(f"what is frozen has changed, and the optimiser's state does not fit; {remedy}")
        return Network(spec, network.theta, network.state, hyper, network.epoch)

    def train_epoch(
        self, rows: Rows, batch_size: int | Literal["full"], order: NDArray[Any] | None, epochs: int
    ) -> float:
        """One epoch of the `epochs` planned; the mean loss per row."""
        module = self.module
        params, state = module.unflatten(self.theta), module.State(*self.state)
        time = {"epoch": self.epoch, **({"epochs": epochs} if module.EPOCHS else {})}
        value = module.train_epoch(
            params, state, *rows.arrays(module), batch_size=batch_size, order=order, hyper=self.hyper, **time
        )
        self.epoch += 1
        return float(value)

    @property
    def _used(self) -> Any:
        """The parameters, or their moving average, where the spec asks for one."""
        module = self.module
        params = module.unflatten(np.array(self.theta))
        return averaged(module, params, module.State(*map(np.array, self.state)))

    def loss(self, rows: Rows) -> float:
        """The loss of all rows."""
        return loss_of(self.module, self._used, rows.arrays(self.module))

    def predictions(self, inputs: NDArray[Any]) -> Any:
        """What the spec predicts for rows."""
        return prediction_of(self.module, self._used, (inputs,))

    def predictions_often(self, inputs: NDArray[Any], draws: Draws) -> tuple[Any, Any]:
        """The mean and the spread of what the spec predicts for rows by chance. Raises DataError."""
        return predict_often(self.module, self._used, self.module.INPUTS, (inputs,), draws)

    def outputs(self, inputs: NDArray[Any]) -> Any:
        """The spec's outputs for rows."""
        return self.module.forward(self._used, inputs)


def _shown(module: ModuleType) -> str:
    sizes = (f"{name} {list(shape)}" for name, shape in module.SHAPES.items())
    return f"{', '.join(sizes)} in {np.dtype(module.DTYPE)}"
