"""rnn, gru and lstm against PyTorch's: every step, and every gradient."""

from __future__ import annotations

import numpy as np
import pytest
from fuzz.modules import interpreted

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

torch = pytest.importorskip("torch")

MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
ROWS, STEPS, FEATURES, UNITS = 2, 3, 4, 5


@pytest.mark.parametrize("kind", MODULES)
def test_layer_is_that_of_pytorch(kind: str) -> None:
    spec = {
        "name": "recurrent_layer",
        "dtype": "float64",
        "inputs": {"x": ["batch", "T", FEATURES], "w": ["batch", "T", UNITS]},
        "equations": {"h": f"{kind}(x, {UNITS})"},
        "loss": "sum(h * w)",
        "gradients": ["x"],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
    }
    module = interpreted(module_text(read(spec)))
    rng = np.random.default_rng(0)
    params = module.unflatten(rng.normal(0, 0.5, module.SIZE))
    x, w = rng.normal(size=(ROWS, STEPS, FEATURES)), rng.normal(size=(ROWS, STEPS, UNITS))

    theirs = MODULES[kind](FEATURES, UNITS, batch_first=True).double()
    with torch.no_grad():
        theirs.weight_ih_l0[:] = torch.tensor(params.h_W.T.copy())
        theirs.weight_hh_l0[:] = torch.tensor(params.h_U.T.copy())
        theirs.bias_ih_l0[:] = torch.tensor(params.h_b.copy())
        theirs.bias_hh_l0[:] = torch.tensor(params.h_c.copy()) if kind == "gru" else 0
    given = torch.tensor(x, requires_grad=True)
    h, _ = theirs(given)
    (h * torch.tensor(w)).sum().backward()

    found = module.forward(params, x, w) if "w" in module.INPUTS else module.forward(params, x)
    np.testing.assert_allclose(found, h.detach().numpy(), rtol=1e-12, atol=1e-14)
    _, grads = module.loss_and_grad(params, x, w)
    np.testing.assert_allclose(grads.h_W, theirs.weight_ih_l0.grad.numpy().T, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(grads.h_U, theirs.weight_hh_l0.grad.numpy().T, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(grads.h_b, theirs.bias_ih_l0.grad.numpy(), rtol=1e-11, atol=1e-13)
    slopes = module.input_gradients(params, x, w).x
    np.testing.assert_allclose(slopes, given.grad.numpy(), rtol=1e-11, atol=1e-13)
