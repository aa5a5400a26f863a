"""Digits, what the variational autoencoder gives back, and what it draws: digits_drawn.py RUN picture.png"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import symgrad as sg

DIGITS = Path(__file__).parent.parent / "data" / "digits.csv"
ROWS, COLUMNS = 5, 10


def sheet(pictures):
    """The pictures of 64 numbers beside and below each other, with a margin around each."""
    framed = np.pad(np.reshape(pictures, (ROWS, COLUMNS, 8, 8)), ((0, 0), (0, 0), (1, 1), (1, 1)))
    return framed.swapaxes(1, 2).reshape(10 * ROWS, 10 * COLUMNS)


run = Path(sys.argv[1])
model = sg.load_checkpoint(run / "checkpoint.npz", sg.load(run / "digits_vae.py"))
ink = np.loadtxt(DIGITS, delimiter=",", skiprows=1, max_rows=ROWS * COLUMNS)[:, :64]
given_back, drawn = model.predict(ink)
figure = Figure(figsize=(10, 2.1), layout="constrained")
parts = {"digits": ink / 16, "given back": given_back, "drawn": drawn}
for axes, (title, pictures) in zip(figure.subplots(1, len(parts)), parts.items(), strict=True):
    axes.imshow(sheet(pictures), cmap="gray_r", vmin=0, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])
figure.savefig(sys.argv[2], dpi=110)
