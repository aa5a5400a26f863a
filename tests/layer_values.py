"""What a layer's module computes beside what its definition gives, entry by entry, and their slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from seeds import SEED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(SEED)


def spec_of(call: str, shape: tuple[int, ...], **inputs: Any) -> dict[str, Any]:
    """The layer of x, with a loss that weighs every entry of the result differently."""
    axes = ["n", *shape[1:]]
    return {
        "name": "layer",
        "dtype": "float64",
        "inputs": {"x": axes, **inputs},
        "targets": {"s": axes},
        "equations": {"y": call},
        "loss": "sum(y*s)",
        "gradients": ["x"],
    }


def compared(
    spec: dict[str, Any],
    data: dict[str, np.ndarray],
    meaning: Callable[..., np.ndarray],
    folder: Path,
) -> None:
    """The module's forward pass and gradients beside those of the loops, moved by a tiny imaginary step."""
    module = interpreted(written(spec, folder))
    theta = RNG.normal(size=module.SIZE)
    weights = RNG.normal(size=data["x"].shape)
    params = module.unflatten(theta)
    own = {name.removeprefix("y_"): np.asarray(value) for name, value in params._asdict().items()}
    names = [name for name in spec["inputs"] if name != "x"]
    rest = {name: data[name] for name in names}
    np.testing.assert_allclose(
        module.forward(params, data["x"], *rest.values()),
        meaning(data["x"], own, **rest),
        rtol=1e-11,
        atol=1e-13,
    )
    _, grads = module.loss_and_grad(params, data["x"], *rest.values(), weights)
    slopes = {**{n.removeprefix("y_"): g for n, g in grads._asdict().items()}}
    slopes["x"] = module.input_gradients(params, data["x"], *rest.values(), weights).x
    for name, slope in slopes.items():
        along = RNG.normal(size=np.shape(slope))
        at = {n: v + (1e-100j * along if n == name else 0j) for n, v in {**own, "x": data["x"]}.items()}
        moved = meaning(at.pop("x"), at, **rest)
        expected = (moved * weights).sum().imag / 1e-100
        assert np.sum(along * slope) == pytest.approx(expected, rel=1e-9, abs=1e-9), name
