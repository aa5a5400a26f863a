"""Codes of rows: what a tensor inside an autoencoder holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from symgrad.sklearn.callbacks import with_callbacks
from symgrad.sklearn.changed_specs import WEIGHTS, after, giving
from symgrad.sklearn.estimator import DTYPES, Estimator, value_errors
from symgrad.sklearn.modules import module_of
from symgrad.sklearn.short_specs import autoencoder_spec
from symgrad.sklearn.table_rows import as_tensor
from symgrad.sklearn.trained_network import Rows
from symgrad.sklearn.weights import counting, weights_of_rows
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.spec.model import Spec

CODE = "code"


class Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """An autoencoder: it learns to give rows back, and its codes are the tensor `encoded` on the way.

    Without a spec the last width of `hidden` is that of the code, the widths before it come again in reverse
    order after it, and code and reconstruction are linear: with one width they span what PCA does.
    encoded: the name of the tensor in a given spec, whose loss compares with the input alone.
    """

    def __init__(self, spec: Any = None, *, encoded: str | None = None, **arguments: Any) -> None:
        super().__init__(spec, **arguments)
        self.encoded = encoded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Transformer:  # noqa: ARG002  # pipelines
        """Train on rows X [n, features]; y is not looked at."""
        return self._fitted(X, sample_weight)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Transformer:  # noqa: ARG002  # as fit
        """One more epoch, on these rows, with the optimiser in the state in which the last one left it."""
        return self._fitted(X, sample_weight, one_epoch=True)

    def _fitted(self, X: Any, sample_weight: Any, *, one_epoch: bool = False) -> Transformer:
        start = self._start(one_epoch=one_epoch)
        X = validate_data(self, X, dtype=DTYPES, reset=start != "going on")
        X, weights = counting(weights_of_rows(sample_weight, len(X)), X)
        self._trained(X, None, weights, start, one_epoch=one_epoch)
        codes = self.network_.outputs(as_tensor(self.spec_, self.spec_.inputs[0], X[:1]))
        self._code_shape = codes.shape[1:]
        self._n_features_out = codes.size
        return self

    def _short_spec(self, features: int, **how: Any) -> Spec:
        return self._encoding(autoencoder_spec(features, **how), CODE)

    def _adapted(self, spec: Spec) -> Spec:
        if self.encoded is None:
            raise ValueError(f"{spec.name}: encoded is not given; name the tensor that holds the codes")
        return self._encoding(spec, self.encoded)

    def _encoding(self, spec: Spec, tensor: str) -> Spec:
        """The spec that gives codes; what it gave before is given by `inverse_transform`."""
        self._outputs = expand(spec).outputs
        return giving(spec, tensor)

    def _targets(self, spec: Spec, y: Any) -> None:  # noqa: ARG002  # rows are their own targets
        if any(target.name != WEIGHTS for target in spec.targets):
            raise ValueError(
                f"{spec.name}: it has a target; compare with the input: mse(y, {spec.inputs[0].name})"
            )

    def transform(self, X: Any) -> NDArray[Any]:
        """The codes of rows [n, codes]."""
        found = self._learnt().outputs(self._inputs(X))
        return np.asarray(found).reshape(len(found), -1)

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """The rows that the network makes of codes [n, codes].

        Raises ValueError where the equations of a given spec after `encoded` need more than that tensor.
        """
        network, codes = self._learnt(), check_array(X, dtype=DTYPES)
        if codes.shape[1] != self._n_features_out:
            raise ValueError(f"codes have {self._n_features_out} numbers, these have {codes.shape[1]}")
        with value_errors():
            module = module_of(after(network.spec, network.spec.outputs[0], self._code_shape, self._outputs))
        params = module.Params(*(network.params[name] for name in module.SHAPES))
        return np.asarray(module.forward(params, codes.reshape(-1, *self._code_shape))).reshape(
            len(codes), -1
        )

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002  # as fit
        """Minus the loss of rows: the larger, the better they are given back."""
        inputs = self._inputs(X)
        return -self.network_.loss(Rows(inputs))
