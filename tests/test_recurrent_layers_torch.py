"""rnn, gru and lstm against PyTorch's: every step, and every gradient, both ways, with rows of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fuzz.modules import interpreted

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Mapping

torch = pytest.importorskip("torch")

MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
ROWS, STEPS, FEATURES, UNITS = 3, 4, 4, 5
LENGTHS = np.array([2.0, 4.0, 1.0])


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize(
    "arguments", ["", "lengths=n", "bidirectional=true", "lengths=n, bidirectional=true"]
)
def test_layer_is_that_of_pytorch(kind: str, arguments: str) -> None:
    ways = 2 if "bidirectional" in arguments else 1
    spec = {
        "name": "recurrent_layer",
        "dtype": "float64",
        "inputs": {"x": ["batch", "T", FEATURES], "w": ["batch", "T", ways * UNITS], "n": ["batch"]},
        "equations": {
            "h": f"{kind}(x, {UNITS}{', ' * bool(arguments)}{arguments})",
            "y": f"last(h{', lengths=n' if 'lengths' in arguments else ''})",
        },
        "outputs": ["h", "y"],
        "loss": "sum(h * w) + sum(y**2) + 0 * sum(n)",
        "gradients": ["x"],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
    }
    module = interpreted(module_text(read(spec)))
    rng = np.random.default_rng(0)
    params = module.unflatten(rng.normal(0, 0.5, module.SIZE))
    x, w = rng.normal(size=(ROWS, STEPS, FEATURES)), rng.normal(size=(ROWS, STEPS, ways * UNITS))

    theirs = MODULES[kind](FEATURES, UNITS, batch_first=True, bidirectional=ways == 2).double()
    names = {"weight_ih_l0": "W", "weight_hh_l0": "U", "bias_ih_l0": "b", "bias_hh_l0": "c"}
    with torch.no_grad():
        for their_name, value in theirs.named_parameters():
            ours = _ours(params, their_name, names)
            value[:] = 0 if ours is None else torch.tensor(np.ascontiguousarray(ours.T))
    given = torch.tensor(x, requires_grad=True)
    lengths = torch.tensor(LENGTHS).long() if "lengths" in arguments else torch.full((ROWS,), STEPS)
    packed = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, batch_first=True, enforce_sorted=False)
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True, total_length=STEPS)
    y = h[torch.arange(ROWS), lengths - 1]
    ((h * torch.tensor(w)).sum() + (y**2).sum()).backward()

    given_lengths = {"n": LENGTHS} if "lengths" in arguments else {}
    for own, right in zip(module.predict(params, x, **given_lengths), (h, y), strict=True):
        np.testing.assert_allclose(own, right.detach().numpy(), rtol=1e-12, atol=1e-14)
    _, grads = module.loss_and_grad(params, x, w, LENGTHS)
    for their_name, value in theirs.named_parameters():
        ours = _ours(grads, their_name, names)
        if ours is not None:
            np.testing.assert_allclose(ours.T, value.grad.numpy(), rtol=1e-11, atol=1e-13)
    slopes = module.input_gradients(params, x, w, LENGTHS).x
    np.testing.assert_allclose(slopes, given.grad.numpy(), rtol=1e-11, atol=1e-13)


def _ours(tensors: Any, theirs: str, names: Mapping[str, str]) -> np.ndarray | None:
    """Our tensor for one of PyTorch's; None where a layer has one bias alone."""
    way = "_r" if theirs.endswith("_reverse") else ""
    return getattr(tensors, f"h_{names[theirs.removesuffix('_reverse')]}{way}", None)
