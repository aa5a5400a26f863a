"""Lecture 004, homework 3: is it a 1 or a 2? A network with two hidden layers of 1000, beside PyTorch.

`python homework3.py` takes the bundled digits (8x8 pixels); `--mnist FOLDER` takes MNIST's training images
(28x28) from train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or with .gz at the end.
The learning curves go to runs/homework3/learning_curves.png.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import side_by_side as sbs

import symgrad as sg

HERE = Path(__file__).parent
SPEC = HERE / "23_homework3.yaml"
LEARNING_RATE, BATCH_SIZE = 0.01, 32


def bundled():
    """Pixels and the class, 0 for a one and 1 for a two."""
    table = np.loadtxt(HERE / "data" / "ones_and_twos.csv", delimiter=",", skiprows=1)
    return table[:, :-1].copy(), table[:, -1:].copy()


def mnist(folder):
    """The ones and twos of MNIST's training images."""
    images, labels = idx(folder, "train-images-idx3-ubyte"), idx(folder, "train-labels-idx1-ubyte")
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        sys.exit(f"{folder}: images of shape {images.shape}, but labels of shape {labels.shape}")
    chosen = (labels == 1) | (labels == 2)
    return images[chosen].reshape(chosen.sum(), -1).astype(float), (labels[chosen, None] == 2).astype(float)


def idx(folder, name):
    """An array from MNIST's file format: two zero bytes, 8 for bytes, the rank, the sizes, the numbers."""
    for path, opened in ((folder / name, open), (folder / f"{name}.gz", gzip.open)):
        if path.is_file():
            with opened(path, "rb") as stream:
                content = stream.read()
            break
    else:
        sys.exit(f"{folder / name}: there is no such file, nor {name}.gz")
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        sys.exit(f"{path}: this is no IDX file of bytes")
    sizes = np.frombuffer(content, ">i4", content[3], offset=4)
    numbers = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if numbers.size != sizes.prod(dtype=np.int64):
        sys.exit(f"{path}: {numbers.size} numbers where its header says {sizes.tolist()}")
    return numbers.reshape(sizes)


def standardized(data):
    """Mean 0 and deviation 1 for every pixel, as the training rows have it."""
    mean, deviation = data.x.mean(axis=0), data.x.std(axis=0)
    deviation[deviation == 0] = 1
    return sbs.Data(
        (data.x - mean) / deviation, data.t, (data.held_out_x - mean) / deviation, data.held_out_t
    )


def spec_for(pixels):
    """The spec, with as many inputs as there are pixels."""
    return sg.read(SPEC.read_text(encoding="utf-8").replace("[batch, 64]", f"[batch, {pixels}]"))


def run(data, orders, seed):
    """Our curves, and PyTorch's or None."""
    module = sg.build(spec_for(data.x.shape[1]))
    params = module.init_params(seed)
    theirs = None
    if find_spec("torch"):
        import torch
        from torch import nn

        network = sbs.pytorch_network(params, nn.ReLU)
        loss = nn.BCEWithLogitsLoss()
        theirs = sbs.train_pytorch(network, loss, torch.sigmoid, data, orders, BATCH_SIZE, LEARNING_RATE)
    return sbs.train_module(module, params, data, orders, BATCH_SIZE), theirs


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="where MNIST's files lie")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the split, the first weights and the batches"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/homework3"))
    options = parser.parse_args(arguments)
    data = standardized(sbs.split(*(mnist(options.mnist) if options.mnist else bundled()), options.seed))
    orders = sbs.epoch_orders(len(data.x), options.epochs, options.seed)
    result = (f"{data.x.shape[1]}-1000-1000-1", *run(data, orders, options.seed))
    sbs.report(*result)
    if find_spec("matplotlib"):
        print(f"wrote {sbs.plot([result], options.out / 'learning_curves.png')}")
    return result


if __name__ == "__main__":
    main()
