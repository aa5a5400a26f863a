"""Ratings of known rank, to be found again: `ratings.csv`, a line for each rating that somebody gave.

Each of 200 users and 120 items has 3 hidden numbers. A rating is 3, plus what this user and this item add by
themselves, plus the product of their hidden numbers, plus noise of deviation 0.3,
below which no error can come.
"""

from pathlib import Path

import numpy as np

USERS, ITEMS, RANK, NOISE, SHARE = 200, 120, 3, 0.3, 0.3

rng = np.random.default_rng(0)
users, items = rng.normal(size=(USERS, RANK)), rng.normal(size=(ITEMS, RANK)) / np.sqrt(RANK)
liking = 3 + 0.3 * rng.normal(size=(USERS, 1)) + 0.3 * rng.normal(size=ITEMS)
ratings = liking + users @ items.T + NOISE * rng.normal(size=(USERS, ITEMS))
given = np.argwhere(rng.random((USERS, ITEMS)) < SHARE)
lines = [f"{user},{item},{ratings[user, item]:.2f}\n" for user, item in rng.permutation(given)]
path = Path(__file__).with_name("ratings.csv")
path.write_text("user,item,rating\n" + "".join(lines), encoding="utf-8")
print(f"wrote {path.name} ({len(lines):,} ratings)")
