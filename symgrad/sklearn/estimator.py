"""What all estimators share: from the arguments and the data to a spec, its training, and what is learnt."""

from __future__ import annotations

from contextlib import contextmanager
from inspect import cleandoc, signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from symgrad.arguments import whole
from symgrad.errors import SymgradError, did_you_mean
from symgrad.sklearn.callbacks import CallbackSupport, EpochCallbacks
from symgrad.sklearn.changed_specs import weighted, with_hyper_parameters
from symgrad.sklearn.fitting import FitOutcome, FitPlan, parts, train
from symgrad.sklearn.given_specs import given_spec, with_training
from symgrad.sklearn.short_specs import ACTIVATION, BATCH_SIZE, HIDDEN, OPTIMIZER
from symgrad.sklearn.table_rows import as_tensor
from symgrad.sklearn.trained_network import Network, Rows
from symgrad.training.needed_inputs import Draws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.sklearn.fitting import Shuffle
    from symgrad.spec.model import Spec
    from symgrad.spec.reader import SpecSource

Start = Literal["anew", "warm", "going on"]
"""From first values; from the parameters there are, the optimiser in its first state; from where all is."""

ARGUMENTS = """
spec: path, YAML text, dict or `symgrad.read`'s result. The network: its one input takes the rows of X, in
    whatever shape. Its train block counts, but for data, validation, stop and seed. Without a spec, short
    arguments make the network.
hidden: widths of the hidden layers; (100,).
activation: of them, as in `symgrad list activations`; "relu".
optimizer: as in `symgrad list optimizers`, such as "momentum(momentum=0.95)"; that of the spec, or "adam".
learning_rate, weight_decay: hyper-parameters in place of the optimiser's own.
batch_size: rows of a step, or "full"; that of the spec, or 32.
epochs: those of the spec, or 100.
shuffle: True or "each_epoch", "once", False or "never"; that of the spec, or True.
freeze: names of parameters that stay as they are, such as ["W1"] or ["b*"]: `params_` has the names.
per_parameter: numbers of the optimiser for some of them, {"b*": {"weight_decay": 0}}.
average: decay of a moving average of the parameters, with which is predicted, such as 0.999.
dtype: "float32" or "float64"; that of the spec, or float32 where X is, else float64.
early_stopping: hold out `validation_fraction` of the rows, stop after `n_iter_no_change` epochs in which
    their loss has not fallen by more than `tol`, and keep the network of the best epoch.
warm_start: `fit` starts from the parameters that are there; the optimiser and its schedule start anew.
random_state: of first values, orders of rows and rows held out: None, a seed or a RandomState.
"""

LEARNT = """
After training there are `params_` (arrays by name), `spec_` (what was trained), `loss_curve_` (the mean loss
per row of every epoch), `loss_`, `n_iter_`, `n_features_in_`, `feature_names_in_`, and with early stopping
`validation_loss_curve_` and `best_validation_loss_`. What cannot be used raises ValueError. The module of a
network is compiled once, in some seconds, and kept in the user's cache for all processes.
"""

_CALLED_HERE = {
    "hidden_layer_sizes": "hidden",
    "learning_rate_init": "learning_rate",
    "max_iter": "epochs",
    "solver": "optimizer",
    "alpha": "weight_decay",
    "momentum": 'in optimizer: "momentum(momentum=0.9)"',
}
"""Arguments of scikit-learn's own networks."""

DTYPES = (np.float64, np.float32)


class Estimator(CallbackSupport, BaseEstimator):
    """A network that scikit-learn can train."""

    _network_arguments: ClassVar[tuple[str, ...]] = ("hidden", "activation")
    """What says which network to make where there is no spec."""

    def __init__(
        self,
        spec: SpecSource | None = None,
        *,
        hidden: Any = None,
        activation: str | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | Literal["full"] | None = None,
        epochs: int | None = None,
        shuffle: bool | Shuffle | None = None,
        freeze: Sequence[str] | None = None,
        per_parameter: Mapping[str, Mapping[str, float]] | None = None,
        average: float | None = None,
        dtype: Literal["float32", "float64"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.spec = spec
        self.hidden = hidden
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.freeze = freeze
        self.per_parameter = per_parameter
        self.average = average
        self.dtype = dtype
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        """Raises TypeError for an argument that there is none of, with what it is called here."""
        known = [name for name in signature(cls.__init__).parameters if name != "self"]
        for name in arguments.keys() - known:
            here = _CALLED_HERE.get(name)
            remedy = f"here it is {here}" if here else did_you_mean(name, known) or "see its help"
            raise TypeError(f"{cls.__name__} has no argument '{name}'; {remedy}")
        made: Self = super().__new__(cls)
        return made

    def __init_subclass__(cls, **options: Any) -> None:
        """Arguments that a kind of estimator adds come after those of all, in its signature and its help."""
        super().__init_subclass__(**options)
        cls.__doc__ = f"{cleandoc(cls.__doc__ or '')}\n{ARGUMENTS}{LEARNT}"
        shared, own = signature(Estimator.__init__), signature(cls.__init__)
        added = [
            p for p in own.parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in shared.parameters
        ]
        vars(cls.__init__)["__signature__"] = shared.replace(parameters=[*shared.parameters.values(), *added])

    # --- What the kinds of estimators differ in ---

    def _short_spec(self, features: int, **how: Any) -> Spec:
        """The spec of short arguments for so many features and the targets seen."""
        raise NotImplementedError

    def _adapted(self, spec: Spec) -> Spec:
        """A given spec, made to fit this kind. Raises SpecError or ValueError where it cannot be."""
        return spec

    def _targets(self, spec: Spec, y: Any) -> NDArray[Any] | None:
        """What the spec's target is given for y. Raises ValueError where it is of another kind."""
        raise NotImplementedError

    # --- FitOutcome ---

    def _start(self, *, one_epoch: bool) -> Start:
        """Where `fit` begins, or `partial_fit`, which makes one epoch.

        Raises ValueError where one epoch is to stop early.
        """
        if one_epoch and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: it makes one epoch")
        if hasattr(self, "network_") and (one_epoch or self.warm_start):
            return "going on" if one_epoch else "warm"
        self.__dict__.pop("network_", None)  # a fit that fails leaves nothing that goes with other classes
        return "anew"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _trained(
        self, X: Any, y: Any, sample_weight: Any, start: Start, *, one_epoch: bool = False, strata: Any = None
    ) -> None:
        """Train on checked data. What is learnt is kept when all has gone well."""
        with value_errors():
            spec, hyper = self._spec_of(X)
            if sample_weight is not None:
                spec = weighted(spec)
            rows = Rows(as_tensor(spec, spec.inputs[0], X), self._targets(spec, y), sample_weight)
            plan, held_out = self._plan(spec, one_epoch), None
            if start == "anew":
                self._random = check_random_state(self.random_state)
                network = Network.first(spec, hyper, self._random.randint(np.iinfo(np.int32).max))
            else:
                network = self.network_.going_on(spec, hyper, restarted=start == "warm")
            if plan.patience is not None:
                rows, held_out = parts(self.validation_fraction, rows, strata, self._random)
            callbacks = EpochCallbacks(self, plan.epochs, X, y, sample_weight)
            outcome = train(network, plan, rows, held_out, self._random, callbacks)
            callbacks.fit_ends(outcome.network)
            self._keep(outcome, start)

    def _keep(self, outcome: FitOutcome, start: Start) -> None:
        before = self.loss_curve_ if start == "going on" else []
        self.network_: Network = outcome.network
        self.loss_curve_: list[float] = [*before, *outcome.losses]
        self.loss_, self.n_iter_ = self.loss_curve_[-1], len(self.loss_curve_)
        if outcome.held_out_losses:
            self.validation_loss_curve_, self.best_validation_loss_ = outcome.held_out_losses, outcome.best

    @property
    def params_(self) -> dict[str, NDArray[Any]]:
        """What was learnt, by the parameters' names in the spec."""
        return self._learnt().params

    @property
    def spec_(self) -> Spec:
        """The spec that was trained."""
        return self._learnt().spec

    def _learnt(self) -> Network:
        check_is_fitted(self)
        return self.network_

    # --- From the arguments and X to a spec and a plan ---

    def _spec_of(self, X: NDArray[Any]) -> tuple[Spec, dict[str, float]]:
        if self.dtype not in (None, "float32", "float64"):
            raise ValueError(f"dtype is {self.dtype!r}; expected 'float32', 'float64' or None")
        if self.spec is None:
            spec = self._short_spec(X.shape[1], **self._short_arguments(X))
        else:
            twice = [name for name in self._network_arguments if getattr(self, name) is not None]
            if twice:
                raise ValueError(f"the network is that of the spec: leave out {' and '.join(twice)}, or spec")
            spec = self._adapted(given_spec(self.spec, self.dtype, self.optimizer))
        settings = {"freeze": self.freeze, "per_parameter": self.per_parameter, "average": self.average}
        spec = with_training(spec, {name: value for name, value in settings.items() if value is not None})
        numbers = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        return with_hyper_parameters(spec, {n: v for n, v in numbers.items() if v is not None})

    def _short_arguments(self, X: NDArray[Any]) -> dict[str, Any]:
        hidden = HIDDEN if self.hidden is None else self.hidden
        return {
            "hidden": [whole("hidden", n, 1) for n in (hidden if np.iterable(hidden) else [hidden])],
            "activation": ACTIVATION if self.activation is None else self.activation,
            "optimizer": OPTIMIZER if self.optimizer is None else self.optimizer,
            "batch_size": "full" if self.batch_size == "full" else BATCH_SIZE,
            "dtype": self.dtype or ("float32" if X.dtype == np.float32 else "float64"),
        }

    def _plan(self, spec: Spec, one_epoch: bool) -> FitPlan:
        block, stops = spec.train, self.early_stopping and not one_epoch
        if not self.tol >= 0:
            raise ValueError(f"tol is {self.tol!r}; expected a number from 0")
        size = block.batch_size if self.batch_size is None else self.batch_size
        epochs = whole("epochs", block.epochs if self.epochs is None else self.epochs, 1)
        return FitPlan(
            epochs=1 if one_epoch else epochs,
            planned=epochs,
            batch_size="full" if size == "full" else whole("batch_size", size, 1),
            shuffle=block.shuffle if self.shuffle is None else _shuffling(self.shuffle),
            patience=whole("n_iter_no_change", self.n_iter_no_change, 1) if stops else None,
            tolerance=float(self.tol),
        )

    # --- What was learnt, at other rows ---

    def predict_often(self, X: Any, draws: int = 50, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
        """The mean of what the spec predicts for rows by chance, and its spread, each [n, ...]: of classes,
        of their probabilities. What draws in training, as dropout does, draws here. The same seed, the same.

        Raises:
            DataError: nothing that is predicted is drawn.
        """
        return self._learnt().predictions_often(self._inputs(X), Draws(draws, seed))

    def _inputs(self, X: Any) -> NDArray[Any]:
        """Rows to predict for, as the network takes them."""
        spec = self._learnt().spec
        table = validate_data(self, X, dtype=DTYPES, reset=False)
        return as_tensor(spec, spec.inputs[0], table)


def _shuffling(shuffle: Any) -> Shuffle:
    how = ("never", "each_epoch")[bool(shuffle)] if isinstance(shuffle, bool | np.bool_) else shuffle
    if isinstance(how, str) and how in ("each_epoch", "once", "never"):
        return cast("Shuffle", how)
    raise ValueError(f"shuffle is {shuffle!r}; expected True, False, 'each_epoch', 'once' or 'never'")


@contextmanager
def value_errors() -> Iterator[None]:
    """What symgrad has to say about a spec or data, as the ValueError that scikit-learn expects."""
    try:
        yield
    except SymgradError as error:
        raise ValueError(str(error)) from error
