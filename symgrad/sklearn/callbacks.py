"""Callbacks of scikit-learn 1.9 and newer; before that there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.sklearn.trained_network import Network

    CallbackSupport: type = object

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]: ...

else:
    try:
        from sklearn.callback import CallbackSupportMixin as CallbackSupport
        from sklearn.callback import with_callbacks
    except ImportError:

        class CallbackSupport:
            """Nothing to support."""

        def with_callbacks(method):
            """The method itself."""
            return method


class EpochCallbacks:
    """Tells an estimator's callbacks of a fit and of its epochs; tells nobody where there are none."""

    def __init__(self, estimator: Any, epochs: int, X: Any, y: Any, sample_weight: Any) -> None:
        self.estimator = estimator
        self.of_fit: Any = None
        self.of_epoch: Any = None
        self.data: dict[str, Any] = {"X": X, "y": y}
        if sample_weight is not None:
            self.data["metadata"] = {"sample_weight": sample_weight}
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            self.of_fit = estimator._init_callback_context(max_subtasks=epochs)
            self.of_fit.call_on_fit_task_begin(estimator=estimator, **self.data)

    def epoch_begins(self) -> None:
        """An epoch begins."""
        if self.of_fit is not None:
            self.of_epoch = self.of_fit.subcontext(task_name="epoch")
            self.of_epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def epoch_ends(self, network: Network) -> bool:
        """An epoch has ended, and left this network; whether a callback wants it to be the last."""
        return self._ended(self.of_epoch, network)

    def fit_ends(self, network: Network) -> None:
        """The fit has ended, and keeps this network."""
        self._ended(self.of_fit, network)

    def _ended(self, context: Any, network: Network) -> bool:
        if context is None:
            return False
        return bool(
            context.call_on_fit_task_end(
                estimator=self.estimator,
                **self.data,
                reconstruction_attributes=lambda: {"network_": network.copy()},
            )
        )
