"""Specs made of short arguments: layers of given widths, made anew for every width of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.spec.model import Spec

HIDDEN = (100,)
ACTIVATION = "relu"
OPTIMIZER = "adam"
BATCH_SIZE = 32
EPOCHS = 100
"""What short arguments mean where they are not given."""


def classifier_spec(features: int, classes: int, hidden: Sequence[int], **how: Any) -> Spec:
    """Two classes have one score, and the probability of the second; more have a score each."""
    targets: dict[str, Any]
    if classes == 2:
        loss, width, targets = "binary_cross_entropy_with_logits", 1, {"t": ["batch", 1]}
    else:
        loss, width, targets = (
            "softmax_cross_entropy",
            classes,
            {"t": {"axes": ["batch"], "classes": classes}},
        )
    return _spec("classifier", features, targets, _chain([*hidden], width, how), loss, how)


def regressor_spec(features: int, outputs: int, hidden: Sequence[int], loss: str, **how: Any) -> Spec:
    """As many outputs as columns of targets."""
    return _spec("regressor", features, {"t": ["batch", outputs]}, _chain([*hidden], outputs, how), loss, how)


def autoencoder_spec(features: int, hidden: Sequence[int], **how: Any) -> Spec:
    """Layers down to the code and the same widths back; the code and the reconstruction are linear."""
    *narrowing, width = hidden
    equations, last = {}, "x"
    for place, units in enumerate(narrowing, start=1):
        equations[f"e{place}"] = f"dense({last}, {units}, activation={how['activation']})"
        last = f"e{place}"
    equations["code"] = f"dense({last}, {width})"
    last = "code"
    for place, units in enumerate(reversed(narrowing), start=1):
        equations[f"d{place}"] = f"dense({last}, {units}, activation={how['activation']})"
        last = f"d{place}"
    equations["y"] = f"dense({last}, {features})"
    return _spec("autoencoder", features, {}, {"equations": equations}, "mse(y, x)", how)


def _chain(hidden: list[int], width: int, how: dict[str, Any]) -> dict[str, Any]:
    layers = [f"dense({units}, activation={how['activation']})" for units in hidden]
    return {"layers": [*layers, f"dense({width})"]}


def _spec(
    name: str, features: int, targets: dict[str, Any], network: dict[str, Any], loss: str, how: dict[str, Any]
) -> Spec:
    return read(
        {
            "name": name,
            "dtype": how["dtype"],
            "inputs": {"x": ["batch", features]},
            **({"targets": targets} if targets else {}),
            **network,
            "loss": loss,
            "train": {"optimizer": how["optimizer"], "batch_size": how["batch_size"], "epochs": EPOCHS},
        }
    )
