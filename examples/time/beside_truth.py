"""What was trained beside what is true: numbers, and a panel for each run. beside_truth.py RUN... picture.png

A RUN is the folder that `symgrad train` wrote.
"""

import sys
from pathlib import Path

import numpy as np
from draw_series import adding as drawn_sums
from draw_series import spiral as exact_spiral
from matplotlib.figure import Figure

import symgrad as sg

SUNSPOTS = Path(__file__).parent.parent / "data" / "sunspots.csv"
SPREAD = 1535  # by which Weigend et al. (1990) divide squared errors
YEARS = ((1921, 1955), (1956, 1979), (1980, 2008))


def adding(model, axes):
    """The sums of new sequences."""
    x, t = drawn_sums(np.random.default_rng(1), 2000)
    found = model.predict(x)
    print(f"adding: squared error {np.mean((found - t) ** 2):.1e}; of 1, {np.mean((1 - t) ** 2):.3f}")
    axes.plot([0, 2], [0, 2], "k-", linewidth=1)
    axes.plot(t[:300], found[:300], "C1.", markersize=3)
    axes.set(title="adding problem, 100 steps", xlabel="sum of the marked numbers", ylabel="network")


def spiral(model, axes):
    """The whole way from where it was learnt, and from elsewhere, by the module's own steps."""
    times = np.arange(1001) / 40
    for start in ((2, 0), (0, 1.5)):
        exact, rows, carry = exact_spiral(start, times), [np.array([start], float)], None
        for _ in times[1:]:
            y, carry = model.module.step(model.params, carry, rows[0])
            rows.append(y)
        found = np.concatenate(rows)
        off = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        print(f"spiral from {start}: relative L2 error of 1000 steps {off:.1e}")
    axes.plot(*exact.T, "k-", linewidth=1, label="exact")
    axes.plot(*found.T, "C1--", linewidth=1, label="network")
    axes.set(title="spiral, from a new start", xlabel="x", ylabel="y")
    axes.legend(loc="center", fontsize="small")


def sunspots(model, axes):
    """Each year from the twelve before, beside the year before and a linear formula by least squares."""
    year, spots = np.loadtxt(SUNSPOTS, delimiter=",", skiprows=1).T
    past = np.lib.stride_tricks.sliding_window_view(spots, 12)[:-1]
    lines = np.hstack([past, np.ones((len(past), 1))])
    year, spots = year[12:], spots[12:]
    early = year < YEARS[0][0]
    fitted = np.linalg.lstsq(lines[early], spots[early])[0]
    found = model.predict(past[:, :, None])[:, 0]
    for name, values in {"network": found, "linear": lines @ fitted, "last year": past[:, -1]}.items():
        errors = [np.mean((values - spots)[(year >= a) & (year <= b)] ** 2) / SPREAD for a, b in YEARS]
        shown = ", ".join(f"{a}-{b} {error:.3f}" for (a, b), error in zip(YEARS, errors, strict=True))
        print(f"sunspots, squared error over {SPREAD}, {name}: {shown}")
    axes.plot(year[~early], spots[~early], "k-", linewidth=1, label="counted")
    axes.plot(year[~early], found[~early], "C1--", linewidth=1, label="network, a year ahead")
    axes.set(title="sunspots, held out", xlabel="year", ylabel="number", ylim=(0, 250))
    axes.legend(fontsize="small")


if __name__ == "__main__":
    *runs, picture = map(Path, sys.argv[1:])
    figure = Figure(figsize=(4 * len(runs), 3.2), layout="constrained")
    for run, axes in zip(runs, np.ravel(figure.subplots(1, len(runs))), strict=True):
        (module,) = run.glob("*.py")
        globals()[module.stem](sg.load_checkpoint(run / "checkpoint.npz", sg.load(module)), axes)
    figure.savefig(picture, dpi=80)
