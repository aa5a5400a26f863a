"""The points at which equations hold, and what was measured: a file for each spec of this folder."""

from pathlib import Path

import numpy as np
from solutions import APART, energies_and_forces, oscillation, pendulum

HERE = Path(__file__).parent
MEASURED, NOISE = 50, 0.05
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(8)


def written(name, **columns):
    """A CSV file of columns."""
    rows = np.column_stack(list(columns.values()))
    np.savetxt(HERE / f"{name}.csv", rows, "%.8g", ",", header=",".join(columns), comments="")
    print(f"wrote {name}.csv ({len(rows):,} points)")


def oscillator(rng):
    """Where the equation holds, and noisy places of the first half: 0 where none was measured."""
    seen = np.sort(rng.uniform(0, 10, MEASURED))
    t = np.concatenate([seen, np.linspace(0, 10, 150)])
    measured = np.arange(len(t)) < MEASURED
    place = measured * (oscillation(t) + NOISE * rng.normal(size=len(t)))
    written("oscillator", t=t, measured=measured, place=place)


def clusters(rng, number):
    """Four atoms near the corners of a tetrahedron whose edges are 1.2, each moved by about 0.1."""
    return 1.2 * TETRAHEDRON + 0.1 * rng.normal(size=(number, 4, 3))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    written("poisson", x=np.linspace(0, 1, 200))
    written("heat", x=rng.uniform(0, 1, 1000), t=rng.uniform(0, 1, 1000))
    shock = np.concatenate([rng.uniform(-1, 1, 2500), 0.1 * rng.normal(size=1500)])
    written("burgers", x=shock, t=rng.uniform(0, 1, 4000))
    oscillator(rng)
    written("helmholtz", x=rng.uniform(-1, 1, 2000), y=rng.uniform(-1, 1, 2000))
    q, p = rng.uniform(-2, 2, (2, 200))
    speed, force = pendulum(q, p)[1:]
    noise = 0.01 * rng.normal(size=(2, 200))
    written("pendulum", q=q, p=p, speed=speed + noise[0], force=force + noise[1])
    real, fake = rng.normal(size=(2, 2000, 2))
    np.savez_compressed(HERE / "critic.npz", real=real + APART, fake=fake, share=rng.uniform(size=(2000, 1)))
    print("wrote critic.npz (2,000 pairs of points)")
    r = clusters(rng, 200)
    energy, force = energies_and_forces(r)
    np.savez_compressed(HERE / "energy_forces.npz", r=r, energy=energy, force=force)
    print(f"wrote energy_forces.npz ({len(r)} clusters)")
