"""The sequences of this folder that are drawn: `adding.npz`.

The adding problem (Hochreiter & Schmidhuber 1997, with the numbers of Arjovsky et al. 2016): in each
sequence, `x` [sequence, step, 2] has a number between 0 and 1 and a mark, which is 1 at two steps, one in
either half, and 0 elsewhere. `t` [sequence, 1] is the sum of both marked numbers. Who says 1 is off by 1/6 in
the mean square.
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEQUENCES, STEPS = 10_000, 100


def adding(rng, sequences):
    """Numbers with marks, and the sums of the marked ones."""
    numbers, marks = rng.uniform(size=(sequences, STEPS)), np.zeros((sequences, STEPS))
    for first in (0, STEPS // 2):
        marks[np.arange(sequences), rng.integers(first, first + STEPS // 2, sequences)] = 1
    return np.stack([numbers, marks], axis=2), np.sum(numbers * marks, axis=1, keepdims=True)


if __name__ == "__main__":
    x, t = adding(np.random.default_rng(0), SEQUENCES)
    np.savez_compressed(HERE / "adding.npz", x=x.astype(np.float32), t=t.astype(np.float32))
    print(f"wrote adding.npz ({SEQUENCES:,} sequences)")
