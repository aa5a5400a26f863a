"""The sequences of this folder that are drawn: `adding.npz` and `spiral.csv`.

The adding problem (Hochreiter & Schmidhuber 1997, with the numbers of Arjovsky et al. 2016): in each
sequence, `x` [sequence, step, 2] has a number between 0 and 1 and a mark, which is 1 at two steps, one in
either half, and 0 elsewhere. `t` [sequence, 1] is the sum of both marked numbers. Who says 1 is off by 1/6 in
the mean square.

The spiral (Chen et al. 2018) is where a point is, 40 times in each of 25 units of time, whose slope is a
known function of where it is.
"""

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

HERE = Path(__file__).parent
SEQUENCES, STEPS = 10_000, 100
SLOPES = np.array([[-0.1, 2], [-2, -0.1]])


def adding(rng, sequences):
    """Numbers with marks, and the sums of the marked ones."""
    numbers, marks = rng.uniform(size=(sequences, STEPS)), np.zeros((sequences, STEPS))
    for first in (0, STEPS // 2):
        marks[np.arange(sequences), rng.integers(first, first + STEPS // 2, sequences)] = 1
    return np.stack([numbers, marks], axis=2), np.sum(numbers * marks, axis=1, keepdims=True)


def spiral(start, times):
    """Where a point is at these times, [time, 2]."""
    span = (times[0], times[-1])
    return solve_ivp(lambda _, y: y**3 @ SLOPES.T, span, start, t_eval=times, rtol=1e-10, atol=1e-12).y.T


if __name__ == "__main__":
    x, t = adding(np.random.default_rng(0), SEQUENCES)
    np.savez_compressed(HERE / "adding.npz", x=x.astype(np.float32), t=t.astype(np.float32))
    print(f"wrote adding.npz ({SEQUENCES:,} sequences)")
    points = spiral((2, 0), np.arange(1001) / 40)
    np.savetxt(HERE / "spiral.csv", points, "%.8g", ",", header="x,y", comments="")
    print(f"wrote spiral.csv ({len(points):,} points)")
