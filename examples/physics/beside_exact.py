"""What was trained beside the exact solution: an error, and a picture. beside_exact.py RUN [picture.png]

RUN is the folder that `symgrad train` wrote.
"""

import sys
from pathlib import Path

import numpy as np
import solutions
from draw_points import HERE, MEASURED, TETRAHEDRON, clusters
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp
from scipy.optimize import curve_fit

import symgrad as sg


def error(found, exact):
    """The relative L2 error."""
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def plane(u, exact, x, y, names):
    """A function of two numbers: the network, and how far it is from the exact solution."""
    points = np.meshgrid(x, y, indexing="ij")
    found = u(*points)
    true = exact(*points)
    print(f"relative L2 error {error(found, true):.1e}, largest error {np.abs(found - true).max():.1e}")
    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, values, colours, title in (
        (left, found, "RdBu", "network"),
        (right, found - true, "PuOr", "network − exact"),
    ):
        top = np.abs(values).max()
        shown = axes.pcolormesh(*points[::-1], values, cmap=colours, vmin=-top, vmax=top, rasterized=True)
        axes.set(xlabel=names[1], ylabel=names[0], title=title)
        figure.colorbar(shown, ax=axes)
    return figure


def curves(x, lines, names):
    """Functions of one number."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    for label, values, style in lines:
        axes.plot(x, values, style, label=label)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.legend()
    return figure


def poisson(model):
    x = np.linspace(0, 1, 501)
    u, exact = model.predict(x[:, None])[:, 0], solutions.poisson(x)
    print(f"relative L2 error {error(u, exact):.1e}, largest error {np.abs(u - exact).max():.1e}")
    return curves(x, [("exact", exact, "k-"), ("network", u, "C1--")], ["x", "u"])


def of_plane(model, first, second):
    """The network as a function of two arrays of any shape."""

    def u(a, b):
        return model.predict({first: a.reshape(-1, 1), second: b.reshape(-1, 1)}).reshape(a.shape)

    return u


def heat(model):
    x, t = np.linspace(0, 1, 101), np.linspace(0, 1, 101)
    return plane(of_plane(model, "x", "t"), solutions.heat, x, t, "xt")


def burgers(model):
    x, t = np.linspace(-1, 1, 256), np.linspace(0, 0.99, 100)  # those of Raissi et al.
    return plane(of_plane(model, "x", "t"), solutions.burgers, x, t, "xt")


def helmholtz(model):
    x = np.linspace(-1, 1, 101)
    return plane(of_plane(model, "x", "y"), solutions.helmholtz, x, x, "xy")


def oscillator(model):
    """Also what least squares make of the closed form, which no method can know."""
    t, _, place = np.loadtxt(HERE / "oscillator.csv", delimiter=",", skiprows=1)[:MEASURED].T
    fitted, spread = curve_fit(solutions.oscillation, t, place, (1, 5))
    print(f"c {model.params.c:.4f}, k {model.params.k:.4f}; true {solutions.DAMPING}, {solutions.STIFFNESS}")
    print(
        "least squares by the closed form: c {:.4f} ± {:.4f}, k {:.4f} ± {:.4f}".format(
            *np.stack([fitted, np.sqrt(np.diag(spread))], 1).ravel()
        )
    )
    fine = np.linspace(0, 10, 501)
    x, exact = model.predict({"t": fine[:, None]})[:, 0], solutions.oscillation(fine)
    print(f"relative L2 error {error(x, exact):.1e}")
    figure = curves(fine, [("exact", exact, "k-"), ("network", x, "C1--")], ["t", "x"])
    figure.axes[0].plot(t, place, ".", color="tab:gray", label="measured")
    figure.axes[0].legend()
    return figure


def energy_forces(model):
    """On clusters that were not there in training; of a regular tetrahedron a pair is the sixth part."""
    r = clusters(np.random.default_rng(1), 500)
    for found, exact, name in zip(
        model.predict(r), solutions.energies_and_forces(r), ("energies", "forces"), strict=True
    ):
        print(f"{name}: relative L2 error {error(found, exact):.1e}")
    edges = np.linspace(0.75, 2, 101)
    pairs = model.predict(TETRAHEDRON * edges[:, None, None])[0] / 6
    lines = [("exact", solutions.morse(edges)[0], "k-"), ("network", pairs, "C1--")]
    return curves(edges, lines, ["distance", "energy of a pair"])


def pendulum(model):
    """The energy along a motion that the network foretells, which it should keep."""
    q, p = np.random.default_rng(1).uniform(-2, 2, (2, 1000, 1))
    found, true = np.stack(model.predict(q, p)), np.stack(solutions.pendulum(q, p)[1:])
    print(f"motion: relative L2 error {error(found, true):.1e}")

    def motion(_, state):
        return np.ravel(model.predict(state[:1, None], state[1:, None]))

    t = np.linspace(0, 100, 1001)
    q, p = solve_ivp(motion, (0, 100), (1.5, 0), t_eval=t, rtol=1e-8, atol=1e-8).y
    energy = solutions.pendulum(q, p)[0]
    print(f"energy after 16 turns: {energy[-1]:.4f}; at first {energy[0]:.4f}")
    lines = [("exact", np.full_like(t, energy[0]), "k-"), ("network", energy, "C1--")]
    return curves(t, lines, ["t", "energy"])


def critic(model):
    """On points that were not there in training."""
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(2, 10000, 2))
    apart, steepness = model.predict(real + solutions.APART, fake, rng.uniform(size=(10000, 1)))
    exact = solutions.critic()
    print(
        f"apart {apart.mean():.3f}, exactly {exact[0]:.3f}; steepness {steepness.mean():.3f}, {exact[1]:.3f}"
    )
    way = np.linspace(-4, 5, 101)
    along = way[:, None] * solutions.APART / np.linalg.norm(solutions.APART)
    heights = model.predict(along, 0 * along, np.ones((101, 1)))[0][:, 0]
    return curves(way, [("exact", exact[1] * way, "k-"), ("network", heights, "C1--")], ["way", "critic"])


if __name__ == "__main__":
    run = Path(sys.argv[1])
    (module,) = run.glob("*.py")
    figure = globals()[module.stem](sg.load_checkpoint(run / "checkpoint.npz", sg.load(module)))
    if len(sys.argv) > 2:
        figure.savefig(sys.argv[2], dpi=110)
