"""The residuals of residuals.py in PyTorch: a backward pass through those that give the slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

Tensor: TypeAlias = torch.Tensor


def residual_of(equation: str) -> Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]:
    """The loss of a network by its parameters' names and the two coordinates of the points."""

    def slope(of: Tensor, by: Tensor) -> Tensor:
        return torch.autograd.grad(of.sum(), by, create_graph=True)[0]

    def loss(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
        x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
        u = _network(p, x, t)
        if equation == "burgers":
            u_x, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
            return ((u_t + u * u_x - 0.01 * slope(u_x, x)) ** 2).mean()
        u_x, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
        return ((slope(u_x, x) + slope(u_t, t) + torch.sin(3 * x) * torch.sin(3 * t)) ** 2).mean()

    return loss


def _network(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = torch.tanh(torch.addmm(p["b1"], torch.cat((x, t), 1), torch.cat((p["Wx"], p["Wt"]))))
    for number in range(2, len(p) // 2):
        a = torch.tanh(torch.addmm(p[f"b{number}"], a, p[f"W{number}"]))
    return torch.addmm(p["b"], a, p["W"])
