"""Train a generated module and a PyTorch network from the same weights on the same batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Data:
    """Rows to train on and rows held out, in float64."""

    x: np.ndarray
    t: np.ndarray
    held_out_x: np.ndarray
    held_out_t: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Per epoch: the mean loss of its batches and the loss on the rows held out; the final accuracy there."""

    training: list[float]
    held_out: list[float]
    accuracy: float


def split(x, t, seed, share=0.2):
    """A fifth of the rows, drawn at random, is never trained on."""
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, kept = np.split(order, [round(share * len(x))])
    return Data(x[kept], t[kept], x[held_out], t[held_out])


def epoch_orders(rows, epochs, seed):
    """The order of the rows in every epoch."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(rows) for _ in range(epochs)]


def accuracy(probability, t):
    return float(((probability > 0.5) == (t > 0.5)).mean())


def train_module(module, params, data, orders, batch_size):
    """Train the generated module, in place."""
    state = module.init_state(params)
    training, held_out = [], []
    for order in orders:
        training.append(module.train_epoch(params, state, data.x, data.t, batch_size=batch_size, order=order))
        held_out.append(module.loss(params, data.held_out_x, data.held_out_t))
    return Curves(training, held_out, accuracy(module.predict(params, data.held_out_x), data.held_out_t))


def train_pytorch(network, loss_of, probability_of, data, orders, batch_size, learning_rate):
    """Train a PyTorch network the usual way."""
    import torch

    x, t, held_out_x, held_out_t = map(torch.from_numpy, (data.x, data.t, data.held_out_x, data.held_out_t))
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
    training, held_out = [], []
    for order in orders:
        total = 0.0
        for rows in torch.from_numpy(order).split(batch_size):
            optimizer.zero_grad()
            loss = loss_of(network(x[rows]), t[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        training.append(total / len(order))
        with torch.no_grad():
            held_out.append(loss_of(network(held_out_x), held_out_t).item())
    with torch.no_grad():
        probability = probability_of(network(held_out_x)).numpy()
    return Curves(training, held_out, accuracy(probability, data.held_out_t))


def pytorch_network(params, activation, last=None):
    """Linear layers with the weights of W1, b1, W2, ...; no bias where there is none."""
    import torch
    from torch import nn

    parts, layer = [], 1
    while hasattr(params, f"W{layer}"):
        weight, bias = getattr(params, f"W{layer}"), getattr(params, f"b{layer}", None)
        linear = nn.Linear(*weight.shape, bias=bias is not None, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            if bias is not None:
                linear.bias.copy_(torch.from_numpy(bias.copy()))
        parts += [linear, activation()]
        layer += 1
    return nn.Sequential(*parts[:-1], *([last()] if last else []))


def largest_difference(ours, theirs):
    """Between two runs, over all epochs and both curves."""
    pairs = zip(ours.training + ours.held_out, theirs.training + theirs.held_out, strict=True)
    return max(abs(a - b) for a, b in pairs)


def plot(titled, path):
    """The learning curves of each (title, ours, theirs or None), side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(titled), figsize=(5.5 * len(titled), 4), squeeze=False, sharey=True)
    for ax, (title, ours, theirs) in zip(axes[0], titled, strict=True):
        epochs = range(1, len(ours.training) + 1)
        ax.plot(epochs, ours.training, color="tab:blue", label="symgrad, training")
        ax.plot(epochs, ours.held_out, color="tab:orange", label="symgrad, held out")
        if theirs:
            style = {
                "linestyle": "none",
                "marker": "x",
                "markevery": max(1, len(epochs) // 20),
                "color": "black",
            }
            ax.plot(epochs, theirs.training, **style, label="PyTorch, training")
            ax.plot(epochs, theirs.held_out, **{**style, "marker": "+"}, label="PyTorch, held out")
        ax.set(title=title, xlabel="epoch", ylabel="loss")
        ax.grid(alpha=0.3)
        ax.legend()
    figure.tight_layout()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def report(title, ours, theirs):
    """What a reader wants to know about one pair of runs."""
    losses = f"loss {ours.training[-1]:.4f} in training, {ours.held_out[-1]:.4f} held out"
    print(f"{title}: {losses}, accuracy {ours.accuracy:.3f} held out")
    if theirs:
        difference = f"largest difference of the curves {largest_difference(ours, theirs):.1e}"
        print(f"  PyTorch: accuracy {theirs.accuracy:.3f}; {difference}")
    else:
        print("  PyTorch is not installed, so there is nothing to compare with")
