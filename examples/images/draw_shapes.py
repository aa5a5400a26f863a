"""Pictures of shapes with noise, and which pixel belongs to what: `shapes.npz`.

2,000 pictures of 16×16. On each lie a disc, a square and a cross, which may cover each other, all brighter
than the background, which brightens from one side to the other. `x` [picture, height, width, 1] are the
pixels, `t` [picture, height, width] says 0 for background, 1 for disc, 2 for square, 3 for cross.
"""

from pathlib import Path

import numpy as np

SIZE, PICTURES, NOISE = 16, 2000, 0.1

rng = np.random.default_rng(0)
row, column = np.mgrid[:SIZE, :SIZE]


def disc(down, across, radius):
    return down**2 + across**2 <= radius**2


def square(down, across, radius):
    return np.maximum(abs(down), abs(across)) <= radius


def cross(down, across, radius):
    return (np.minimum(abs(down), abs(across)) < 1) & square(down, across, radius)


def drawn():
    """One picture and the kind of each of its pixels."""
    slope = rng.uniform(-0.3, 0.3, 2) / SIZE
    picture = rng.uniform(-0.2, 0.2) + slope[0] * row + slope[1] * column
    kinds = np.zeros((SIZE, SIZE), np.uint8)
    for kind in rng.permutation(3):
        centre, radius = rng.uniform(2, SIZE - 3, 2), rng.uniform(2.5, 4.5)
        covered = (disc, square, cross)[kind](row - centre[0], column - centre[1], radius)
        picture[covered] = rng.uniform(0.7, 1.5)
        kinds[covered] = kind + 1
    return picture + NOISE * rng.normal(size=picture.shape), kinds


pictures, kinds = map(np.stack, zip(*(drawn() for _ in range(PICTURES)), strict=True))
path = Path(__file__).with_name("shapes.npz")
np.savez_compressed(path, x=pictures[..., None].astype(np.float32), t=kinds)
print(f"wrote {path.name} ({PICTURES:,} pictures)")
