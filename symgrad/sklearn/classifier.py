"""Classes of any kind from rows of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from symgrad.sklearn.callbacks import with_callbacks
from symgrad.sklearn.estimator import DTYPES, Estimator
from symgrad.sklearn.short_specs import classifier_spec
from symgrad.sklearn.table_rows import as_tensor, row_shape, target_of
from symgrad.sklearn.weights import counting, weights_of_rows
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.spec.model import Spec


class Classifier(ClassifierMixin, Estimator):
    """A network that tells classes apart, `classes_` of any kind; of a spec, one whose loss scores classes.

    class_weight: weights by class, or "balanced" for n / (number of classes · rows of the class).
    """

    def __init__(self, spec: Any = None, *, class_weight: Any = None, **arguments: Any) -> None:
        super().__init__(spec, **arguments)
        self.class_weight = class_weight

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Train on rows X [n, features] of the classes y [n]; the loss of a batch is its weighted mean."""
        return self._fitted(X, y, sample_weight)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Classifier:
        """One more epoch, on these rows, with the optimiser in the state in which the last one left it.

        The first call must name all `classes`.
        """
        if self.class_weight == "balanced":
            raise ValueError("partial_fit does not support class_weight='balanced': give a dict of weights")
        if classes is None and not hasattr(self, "network_"):
            raise ValueError("classes must be passed on the first call to partial_fit")
        return self._fitted(X, y, sample_weight, classes, one_epoch=True)

    def _fitted(
        self, X: Any, y: Any, sample_weight: Any, classes: Any = None, *, one_epoch: bool = False
    ) -> Classifier:
        start = self._start(one_epoch=one_epoch)
        X, y = validate_data(self, X, y, dtype=DTYPES, reset=start != "going on")
        check_classification_targets(y)
        X, y, weights = counting(weights_of_rows(sample_weight, len(X)), X, y)
        found = np.unique(y if classes is None else classes)
        if start == "anew":
            self.classes_ = found
        elif not np.array_equal(found, self.classes_) and (start == "warm" or classes is not None):
            raise ValueError(f"the classes have changed from {self.classes_} to {found}; fit anew")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y has classes that are not among {self.classes_}: {unknown}")
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes or more, the rows have one class: {found}"
            )
        if self.class_weight is not None:
            of_class = weights_of_rows(compute_sample_weight(self.class_weight, y), len(y))
            X, y, weights = counting(of_class if weights is None else of_class * weights, X, y)
        self._trained(X, y, weights, start, one_epoch=one_epoch, strata=y)
        return self

    def _short_spec(self, features: int, **how: Any) -> Spec:
        return classifier_spec(features, len(self.classes_), **how)

    def _targets(self, spec: Spec, y: Any) -> NDArray[Any]:
        """Numbers of classes, or their rows of 0 and 1; of two classes 0 and 1, or -1 and 1."""
        model, numbers = expand(spec), np.searchsorted(self.classes_, y)
        target = target_of(model)
        if model.task == "values":
            remedy = "use a loss of classes, such as softmax_cross_entropy, or a Regressor"
            raise ValueError(f"{spec.name}: its loss is none of classes; {remedy}")
        shape = row_shape(spec, target)
        known = target.classes or (shape[-1] if model.task == "classes" and shape else 2)
        if known != len(self.classes_):
            raise ValueError(
                f"{spec.name}: it is for {known} classes, the rows have {len(self.classes_)} classes"
            )
        if target.classes is None and model.task == "classes":
            numbers = np.eye(known)[numbers]
        elif model.task == "sign":
            numbers = 2 * numbers - 1
        return as_tensor(spec, target, numbers)

    def predict(self, X: Any) -> Any:
        """The class of each row: the most probable one, or that of the highest score."""
        scores, task = self._scores(X)
        chosen = (
            scores.argmax(axis=1) if task == "classes" else scores[:, 0] > (0.5 if task == "binary" else 0)
        )
        return self.classes_[np.asarray(chosen, np.intp)]

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class [n, classes], in the order of `classes_`.

        Raises ValueError where the loss of a given spec scores something else.
        """
        scores, task = self._scores(X)
        found = np.hstack([1 - scores, scores]) if task == "binary" else scores
        if task == "sign" or (found < 0).any() or not np.allclose(found.sum(axis=1), 1, atol=1e-3):
            raise ValueError(f"{self.spec_.name}: what its loss scores are no probabilities; use predict")
        return found

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """The logarithms of the probabilities, -inf of those that are 0."""
        with np.errstate(divide="ignore"):
            logarithms: NDArray[Any] = np.log(self.predict_proba(X))
        return logarithms

    def _scores(self, X: Any) -> tuple[NDArray[Any], str]:
        """The spec's predictions [n, scores], and how they are to be read."""
        inputs = self._inputs(X)
        scores = self.network_.predictions(inputs)
        return scores.reshape(len(inputs), -1), self.network_.module.TASK
