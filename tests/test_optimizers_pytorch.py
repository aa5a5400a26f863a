"""Optimisers against PyTorch: the steps it made, kept in a file, and those of the one installed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from golden import FOLDER
from optimizer_paths import START, STEPS, agree, module_of, path, slope

if TYPE_CHECKING:
    import numpy as np

GOLDEN_STEPS = (1, 2, 3, 10, 50)

TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd(0.1, weight_decay=0.05)": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "momentum(0.05, 0.8, dampening=0.3, weight_decay=0.05)": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05},
    ),
    "classical_momentum(0.05, 0.8)": ("SGD", {"lr": 0.05, "momentum": 0.8}),
    "simplified_nesterov(0.05, 0.8, weight_decay=0.05)": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    ),
    "adagrad": ("Adagrad", {}),
    "adagrad(0.1, initial_accumulator=0.1, weight_decay=0.05)": (
        "Adagrad",
        {"lr": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.05},
    ),
    "rmsprop": ("RMSprop", {}),
    "rmsprop(0.05, alpha=0.9, eps=0.01, weight_decay=0.05)": (
        "RMSprop",
        {"lr": 0.05, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.05},
    ),
    "adadelta": ("Adadelta", {}),
    "adadelta(rho=0.95, eps=0.01, weight_decay=0.05)": (
        "Adadelta",
        {"rho": 0.95, "eps": 0.01, "weight_decay": 0.05},
    ),
    "adam": ("Adam", {}),
    "adam(0.1, b1=0.8, b2=0.9, eps=0.01, weight_decay=0.05)": (
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.05},
    ),
    "adamw": ("AdamW", {}),
    "adamw(0.1, weight_decay=0.2)": ("AdamW", {"lr": 0.1, "weight_decay": 0.2}),
    "amsgrad(0.1, b2=0.9, weight_decay=0.05)": (
        "Adam",
        {"lr": 0.1, "betas": (0.9, 0.9), "weight_decay": 0.05, "amsgrad": True},
    ),
    "nadam": ("NAdam", {}),
    "nadam(0.02, momentum_decay=0.1, weight_decay=0.05)": (
        "NAdam",
        {"lr": 0.02, "momentum_decay": 0.1, "weight_decay": 0.05},
    ),
    "adamax": ("Adamax", {}),
    "adamax(0.05, eps=0.01, weight_decay=0.05)": ("Adamax", {"lr": 0.05, "eps": 0.01, "weight_decay": 0.05}),
    "rprop": ("Rprop", {}),
    "rprop(0.1, eta_plus=1.5, max_step_size=0.3)": (
        "Rprop",
        {"lr": 0.1, "etas": (0.5, 1.5), "step_sizes": (1e-6, 0.3)},
    ),
}


def torch_path(call: str) -> list[np.ndarray]:
    """The parameters after each step of PyTorch's optimiser on the same gradients."""
    torch = pytest.importorskip("torch")
    name, numbers = TORCH[call]
    usual, found = torch.get_default_dtype(), []
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in the default type
    try:
        theta = torch.tensor(START, requires_grad=True)
        optimizer = getattr(torch.optim, name)([theta], **numbers)
        for _ in range(STEPS):
            theta.grad = torch.tensor(slope(theta.detach().numpy()))
            optimizer.step()
            found.append(theta.detach().numpy().copy())
    finally:
        torch.set_default_dtype(usual)
    return found


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, list[float]]]:
    """PyTorch's parameters after some of the steps; SYMGRAD_UPDATE_GOLDEN=1 asks PyTorch, where it is."""
    file = FOLDER / "pytorch_optimizers.json"
    if os.environ.get("SYMGRAD_UPDATE_GOLDEN") == "1":
        paths = {call: torch_path(call) for call in TORCH}
        kept = {c: {str(n): found[n - 1].tolist() for n in GOLDEN_STEPS} for c, found in paths.items()}
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")
    found: dict[str, dict[str, list[float]]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("call", TORCH)
def test_steps_are_those_pytorch_made(call, golden, tmp_path):
    found = list(path(module_of(call, tmp_path)))
    agree([found[int(step) - 1] for step in golden[call]], golden[call].values())


@pytest.mark.parametrize("call", TORCH)
def test_fifty_steps_are_those_of_the_pytorch_that_is_installed(call, tmp_path):
    agree(path(module_of(call, tmp_path)), torch_path(call))
