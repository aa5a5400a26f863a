"""Where a planet was seen on an orbit of eccentricity 0.6, each time a little beside: `orbit.csv`.

`M` is the mean anomaly, 60 times evenly around the sun; `right` and `up` are the place, from the sun, in
units of the longer half axis, with an error of 0.01. The eccentric anomaly is found by halving an interval.
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ECCENTRICITY, TIMES, ERROR = 0.6, 60, 0.01


def eccentric_anomaly(mean, eccentricity):
    """E in E = M + e·sin E, which lies within e of M."""
    low, high = mean - eccentricity, mean + eccentricity
    for _ in range(60):
        middle = (low + high) / 2
        is_below = middle - eccentricity * np.sin(middle) < mean
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return (low + high) / 2


if __name__ == "__main__":
    mean = 2 * np.pi * np.arange(TIMES) / TIMES
    anomaly = eccentric_anomaly(mean, ECCENTRICITY)
    place = np.stack([np.cos(anomaly) - ECCENTRICITY, np.sqrt(1 - ECCENTRICITY**2) * np.sin(anomaly)], axis=1)
    seen = place + np.random.default_rng(0).normal(scale=ERROR, size=place.shape)
    table = np.column_stack([mean, seen])
    np.savetxt(HERE / "orbit.csv", table, "%.8f", ",", header="M,right,up", comments="")
    print(f"wrote orbit.csv ({TIMES} times)")
