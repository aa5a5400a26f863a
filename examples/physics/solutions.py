"""What is known of the equations of this folder: their exact solutions, in arrays of any shape."""

import numpy as np

DAMPING, STIFFNESS = 0.4, 4.0
APART = np.array([1.2, 0.9])
DEPTH, WIDTH, LENGTH = 1.0, 2.0, 1.1


def poisson(x):
    return np.sin(np.pi * x) + np.sin(4 * np.pi * x) / 4


def heat(x, t, alpha=0.1):
    return sum(np.sin(k * np.pi * x) / a * np.exp(-alpha * (k * np.pi) ** 2 * t) for k, a in ((1, 1), (3, 2)))


def helmholtz(x, y):
    return np.sin(np.pi * x) * np.sin(4 * np.pi * y)


def burgers(x, t, nu=0.01 / np.pi):
    """Cole and Hopf's quotient of two integrals, by the rule of Gauss and Hermite (Basdevant et al. 1986)."""
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    x, t = (np.asarray(v, float)[..., None] for v in (x, t))
    start = x - np.sqrt(4 * nu * t) * nodes
    power = -np.cos(np.pi * start) / (2 * np.pi * nu)
    share = weights * np.exp(power - power.max(-1, keepdims=True))
    return -np.sum(share * np.sin(np.pi * start), -1) / np.sum(share, -1)


def oscillation(t, damping=DAMPING, stiffness=STIFFNESS):
    """From 1 at rest, where it swings: damping² < 4·stiffness."""
    decay, turn = damping / 2, np.sqrt(stiffness - damping**2 / 4)
    return np.exp(-decay * t) * (np.cos(turn * t) + decay / turn * np.sin(turn * t))


def morse(distance):
    """The energy of two atoms, and its slope."""
    decay = np.exp(-WIDTH * (distance - LENGTH))
    return DEPTH * ((1 - decay) ** 2 - 1), 2 * DEPTH * WIDTH * decay * (1 - decay)


def energies_and_forces(r):
    """Of clusters [cluster, atom, 3]: the sum over pairs, and the force on every atom."""
    first, second = np.triu_indices(r.shape[1], 1)
    apart = r[:, first] - r[:, second]
    distance = np.linalg.norm(apart, axis=-1)
    energy, slope = morse(distance)
    pull = (slope / distance)[..., None] * apart
    force = np.zeros_like(r)
    np.add.at(force, (slice(None), first), -pull)
    np.add.at(force, (slice(None), second), pull)
    return energy.sum(-1), force


def pendulum(q, p):
    """The energy p²/2 − cos q, and the motion (q̇, ṗ)."""
    return p**2 / 2 - np.cos(q), p, -np.sin(q)


def critic(penalty=10):
    """What apart and steepness come to, of two clouds that differ by a shift.

    The best critic is linear, s·x along the shift. Wasserstein's distance is its length w, and
    penalty·(s − 1)² − s·w is least at s = 1 + w/(2·penalty).
    """
    way = np.linalg.norm(APART)
    steepness = 1 + way / (2 * penalty)
    return steepness * way, steepness
