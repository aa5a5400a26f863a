"""The networks of networks.py in PyTorch, with its own functions and its own order of axes: channels first.

`KERNELS` and `IMAGES` say how arrays become PyTorch's, by their rank: kernels [height, width, in, out] as
[out, in, height, width], images as [batch, channels, height, width].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch.nn import functional as F  # noqa: N812  # the name all its users give it

Tensor: TypeAlias = torch.Tensor
Loss: TypeAlias = Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]

_OF_IMAGES = ("lenet 8", "lenet 28", "convolutions", "resnet 16", "resnet 32")
_OF_STEPS = ("lstm 64x20", "lstm 64x100", "lstm 256x20", "gru 64x20", "gru 256x20")
KERNELS = {
    "conv1d": {3: (2, 1, 0)},
    **{network: {4: (3, 2, 0, 1)} for network in _OF_IMAGES},
    **{network: {2: (1, 0)} for network in _OF_STEPS},
}
CHANNELS_FIRST = ("conv1d", *_OF_IMAGES)
IMAGES = {3: (0, 2, 1), 4: (0, 3, 1, 2)}


def loss_of(network: str) -> Loss:
    """The loss of a network by its parameters' names, its inputs and targets."""
    kind, *sizes = network.split()
    if kind == "gpt":
        return lambda p, x, t: _gpt(int(sizes[0]), p, x, t)
    return _LOSSES[kind]


def _conv1d(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = F.relu(F.conv1d(x, p["W1"], p["b1"]))
    a = F.relu(F.conv1d(a, p["W2"], p["b2"], stride=2, dilation=2))
    return F.cross_entropy(a.mean(-1) @ p["W3"], t)


def _lenet(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = F.max_pool2d(F.relu(F.conv2d(x, p["W1"], p["b1"])), 2)
    a = F.relu(F.conv2d(a, p["W2"], p["b2"]))
    if a.shape[-1] > p["W3"].shape[-1]:
        a = F.max_pool2d(a, 2)
    a = F.linear(a.flatten(1), p["W3"].flatten(1), p["b3"])
    for number in map(str, range(4, len(p) // 2 + 1)):
        a = torch.addmm(p[f"b{number}"], F.relu(a), p[f"W{number}"])
    return F.cross_entropy(a, t)


def _convolutions(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = F.relu(F.conv2d(x, p["W1"], p["b1"]))
    a = F.relu(F.conv2d(a, p["W2"], p["b2"]))
    return F.cross_entropy(a.mean((2, 3)) @ p["W3"], t)


def _resnet(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = F.relu(F.conv2d(x, p["W1"], p["b1"], padding=1))
    a = F.relu(x + F.conv2d(a, p["W2"], p["b2"], padding=1))
    return F.cross_entropy(a.mean((2, 3)) @ p["W3"], t)


def _attended(p: dict[str, Tensor], number: str, x: Tensor) -> Tensor:
    channels, heads, width = p[f"Wq{number}"].shape
    q, k, v = (
        (x @ p[f"W{part}{number}"].view(channels, -1)).unflatten(-1, (heads, width)).transpose(1, 2)
        for part in "qkv"
    )
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    return o @ p[f"Wo{number}"].view(-1, channels)


def _attention(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(_attended(p, "", x), t)


def _gpt(blocks: int, p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    a = F.embedding(x, p["emb"]) + p["pos"]
    size = a.shape[-1:]
    for k in map(str, range(1, blocks + 1)):
        a = a + _attended(p, k, F.layer_norm(a, size, p[f"ga{k}"], p[f"ba{k}"]))
        m = F.layer_norm(a, size, p[f"gm{k}"], p[f"bm{k}"])
        g = F.gelu(m @ p[f"U{k}"] + p[f"u{k}"], approximate="tanh")
        a = a + (g @ p[f"D{k}"] + p[f"d{k}"])
    y = F.layer_norm(a, size, p["gf"], p["bf"]) @ p["emb"].T
    return F.cross_entropy(y.flatten(0, 1), t.flatten())


def _bengio(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    h = torch.tanh(torch.addmm(p["b"], F.embedding(x, p["emb"]).flatten(1), p["W"].flatten(0, 1)))
    return F.cross_entropy(torch.addmm(p["c"], h, p["V"]), t)


def _lstm(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    """What torch.nn.LSTM calls, with one bias for both products."""
    zero = x.new_zeros(1, len(x), p["U"].shape[1])
    weights = (p["W"], p["U"], p["b"], torch.zeros_like(p["b"]))
    h, _, _ = torch._VF.lstm(x, (zero, zero), weights, True, 1, 0.0, True, False, True)
    return F.cross_entropy(F.linear(h[:, -1], p["V"]), t)


def _gru(p: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
    """What torch.nn.GRU calls."""
    zero = x.new_zeros(1, len(x), p["U"].shape[1])
    h, _ = torch._VF.gru(x, zero, (p["W"], p["U"], p["b"], p["c"]), True, 1, 0.0, True, False, True)
    return F.cross_entropy(F.linear(h[:, -1], p["V"]), t)


_LOSSES: dict[str, Loss] = {
    "lstm": _lstm,
    "gru": _gru,
    "conv1d": _conv1d,
    "lenet": _lenet,
    "convolutions": _convolutions,
    "resnet": _resnet,
    "attention": _attention,
    "bengio": _bengio,
}
