"""Numbers from rows of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import validate_data

from symgrad.errors import warn
from symgrad.sklearn.callbacks import with_callbacks
from symgrad.sklearn.estimator import DTYPES, Estimator
from symgrad.sklearn.short_specs import regressor_spec
from symgrad.sklearn.table_rows import as_tensor, target_of
from symgrad.sklearn.weights import counting, weights_of_rows
from symgrad.spec.expand import expand
from symgrad.training.scores.unreached import unreached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.spec.model import Spec


UNREACHED = (
    "TransformedTargetRegressor(regressor, transformer=StandardScaler()) trains on y standardised",
    "put StandardScaler() before it in a pipeline",
)


class Regressor(RegressorMixin, Estimator):
    """A network that predicts numbers, one or several for each row.

    loss: as in `symgrad list losses`, such as "huber(delta=2)" or "quantile(q=0.9)"; "mse".
    """

    _shape: tuple[int, ...]
    _network_arguments = ("hidden", "activation", "loss")

    def __init__(self, spec: Any = None, *, loss: str | None = None, **arguments: Any) -> None:
        super().__init__(spec, **arguments)
        self.loss = loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Train on rows X [n, features] and the numbers y [n] or [n, outputs]; the loss of a batch is its
        weighted mean."""
        return self._fitted(X, y, sample_weight)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """One more epoch, on these rows, with the optimiser in the state in which the last one left it."""
        return self._fitted(X, y, sample_weight, one_epoch=True)

    def _fitted(self, X: Any, y: Any, sample_weight: Any, *, one_epoch: bool = False) -> Regressor:
        start = self._start(one_epoch=one_epoch)
        X, y = validate_data(
            self, X, y, dtype=DTYPES, multi_output=True, y_numeric=True, reset=start != "going on"
        )
        X, y, weights = counting(weights_of_rows(sample_weight, len(X)), X, y)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y holds {y.dtype}; expected numbers")
        shape: tuple[int, ...] = y.shape[1:]
        if start == "going on" and shape != self._shape:
            raise ValueError(f"y has rows of shape {shape}, before they had {self._shape}; fit anew")
        self._shape, self.n_outputs_ = shape, shape[0] if shape else 1
        self._trained(X, y, weights, start, one_epoch=one_epoch)
        if not one_epoch:
            self._warn_of_unreached(X, y)
        return self

    def _warn_of_unreached(self, X: Any, y: Any) -> None:
        """Say why the network answers worse than the mean, where that is to be seen."""
        spec = self.spec_
        found = self.network_.predictions(as_tensor(spec, spec.inputs[0], X)).reshape(y.shape)
        r2 = r2_score(y, found) if len(y) > 1 else None
        name = type(self).__name__
        warning = unreached(r2, ("y", y), {"X": X}, at=f"{name}.fit", remedies=UNREACHED)
        if warning is not None:
            warn(warning)

    def _short_spec(self, features: int, **how: Any) -> Spec:
        return regressor_spec(
            features, self.n_outputs_, loss="mse" if self.loss is None else self.loss, **how
        )

    def _targets(self, spec: Spec, y: Any) -> NDArray[Any]:
        target = target_of(expand(spec))
        if target.classes is not None:
            raise ValueError(f"{spec.name}: its target has classes; use a Classifier")
        return as_tensor(spec, target, y)

    def predict(self, X: Any) -> NDArray[Any]:
        """The numbers of each row, in the shape that y had."""
        inputs = self._inputs(X)
        found: NDArray[Any] = self.network_.predictions(inputs).reshape(len(inputs), *self._shape)
        return found
