"""Lecture 004, homework 2: two Gaussian classes, without and with bias, beside PyTorch.

100 samples of each class, four fifths of all to train on. Run `python homework2.py`; the learning
curves go to runs/homework2/learning_curves.png.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import side_by_side as sbs

import symgrad as sg

HERE = Path(__file__).parent
LEARNING_RATE, BATCH_SIZE = 0.5, 10


def samples():
    """The bundled samples: two coordinates and the class, 0 or 1."""
    table = np.loadtxt(HERE / "data" / "gaussians.csv", delimiter=",", skiprows=1)
    return table[:, :2].copy(), table[:, 2:].copy()


def run(name, data, orders, seed):
    """Our curves and PyTorch's, None where it is not installed, of the spec 22_<name>.yaml."""
    module = sg.build(sg.read(HERE / f"22_{name}.yaml"))
    params = module.init_params(seed)
    theirs = None
    if find_spec("torch"):
        from torch import nn

        network = sbs.pytorch_network(params, nn.Tanh, nn.Sigmoid)
        theirs = sbs.train_pytorch(
            network, nn.MSELoss(), lambda p: p, data, orders, BATCH_SIZE, LEARNING_RATE
        )
    return sbs.train_module(module, params, data, orders, BATCH_SIZE), theirs


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the split, the first weights and the batches"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/homework2"))
    options = parser.parse_args(arguments)
    data = sbs.split(*samples(), options.seed)
    orders = sbs.epoch_orders(len(data.x), options.epochs, options.seed)
    results = [
        (name.replace("_", " "), *run(name, data, orders, options.seed))
        for name in ("without_bias", "with_bias")
    ]
    for result in results:
        sbs.report(*result)
    if find_spec("matplotlib"):
        print(f"wrote {sbs.plot(results, options.out / 'learning_curves.png')}")
    return results


if __name__ == "__main__":
    main()
