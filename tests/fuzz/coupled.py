"""Random networks whose rows know of each other: by means, extrema and products over rows, batch norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import steps_at_once

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
MEAN = "mean({h}, axis=0)"
SUMS = (
    MEAN,
    "0.2 * sum({h}, axis=0)",
    "max({h}, axis=0)",
    "min({h}, axis=0)",
    "0.3 * logsumexp({h}, axis=0)",
    "log(1 + sum({h}**2, axis=0))",
    "sqrt(mean({h}**2, axis=0) + 0.1)",
    "mean({h}**2, axis=0) / (1 + mean({h}, axis=0)**2)",
    "sqrt(sum(({h} - mean({h}, axis=0))**2, axis=0) / max(batch - 1, 1) + 0.1)",
    "sum({h}, axis=0) / (batch + 2)",
    "mean(abs({h}), axis=0) + 0.1 * log(batch)",
    "sum({h}, axis=0) / sqrt(batch)",
    "mean(where(x > 0, 1, 0)) * mean({h}, axis=0)",
)
"""Numbers of each column that all rows have a part in."""
JOINED = (
    "{h} - {s}",
    "{h} * {s}",
    "{h} / (1 + abs({s}))",
    "tanh({h} + {s})",
    "where({h} > {s}, {h}, 0.3 * {s})",
)
WHOLE = (
    "batch_norm({h})",
    "batch_norm({h}, momentum=false)",
    "exp({h}) / sum(exp({h}), axis=0) * 3",
    "relu(batch_norm({h}, eps=0.1))",
)
LOSSES = (
    "mean((z - r)**2)",
    "sqrt(mean((z - r)**2) + 0.01)",
    "log(1 + sum((z - r)**2))",
    "sum((z - r)**2)",
    "sum((z - r)**2) / (batch + 1)",
    "mean(w**2 * (z - r)**2) / mean(w**2)",
    "mean((z - r)**2) + 0.1 * mean((z - mean(z, axis=0))**2)",
    "mean((z - r)**2) / (0.5 + mean(z**2))",
    "softmax_cross_entropy(z, t)",
    "max((z - r)**2)",
)
MORE = ("", "", " + 0.1 * sum({p}**2)", " + 0.2 * mean({p}**2) * mean({h}**2)")


def coupled_spec(random: Random) -> Spec:
    """A network of some blocks, most of which join all rows; maybe states that are means of them."""
    inner, classes, features = (random.randint(1, 4) for _ in range(3))
    classes += 1
    equations: dict[str, Any] = {}
    h, parameters = "x", {}
    for number in range(random.randint(1, 3)):
        name = f"h{number}"
        if random.random() < 0.6:
            equations[f"d{number}"] = f"dense({h}, {inner})"
            h = f"d{number}"
        equations |= _block(random, name, h, classes)
        h = name
    equations["z"] = f"dense({h}, {classes})"
    loss, more = random.choice(LOSSES), random.choice(MORE)
    loss += more.format(p="z_W", h="z")
    state = {}
    if random.random() < 0.3:
        followed = random.choice(("mean(z)", "max(z)", "mean(z)**2 * batch / max(batch - 1, 1)"))
        state["m"] = {"axes": [], "init": 0.1, "next": f"0.9 * m + 0.1 * {followed}"}
        loss += " + 0.1 * m * mean(z)"
    return {
        "name": "coupled",
        "train": steps_at_once(random, inner) if any("t-1" in str(e) for e in equations.values()) else {},
        "inputs": {"x": ["batch", features]},
        "targets": {
            "r": ["batch", classes],
            "w": ["batch", 1],
            "t": {"axes": ["batch"], "classes": classes},
        },
        "equations": equations,
        **({"parameters": parameters} if parameters else {}),
        **({"state": state} if state else {}),
        "outputs": [] if any("t[n]" in str(e) for e in equations.values()) else ["z"],
        "loss": loss,
    }


def _block(random: Random, name: str, h: str, classes: int) -> Spec:
    """What all rows have a part in."""
    kind = random.random()
    if kind < 0.25:
        return {name: random.choice(WHOLE).format(h=h)}
    if kind < 0.35:  # the products of columns, as covariances are
        return {
            f"{name}c[i,j]": f"sum({h}[n,i] * {h}[n,j], n) / batch",
            f"{name}[n,i]": f"sum({h}[n,j] * {name}c[i,j], j)",
        }
    if kind < 0.45:  # means of the rows of each label
        return {
            "o": "onehot(t)",
            f"{name}m[k:{classes},i]": f"sum({h}[n,i] * o[n,k], n) / (1 + sum(o[n,k], n))",
            f"{name}[n,i]": f"{h}[n,i] - {name}m[t[n],i]",
        }
    if kind < 0.5:  # every row beside every other: ranks are told that they cannot
        return {f"{name}[n,i]": f"mean(tanh({h}[n,i] - {h}[p,i]), p)"}
    if kind < 0.6:  # steps along the columns, beside those of other rows
        g = f"{name}g"
        return {
            f"{g}[n,-1]": "0.2",
            f"{g}[n,t]": f"tanh({h}[n,t] + 0.5 * {g}[n,t-1])",
            name: random.choice((f"{g} - mean({g}, axis=0)", f"batch_norm({g})")),
        }
    summed = random.choice(SUMS).format(h=h)
    if random.random() < 0.3:
        return {f"{name}s": summed, name: random.choice(JOINED).format(h=h, s=f"{name}s")}
    return {name: random.choice(JOINED).format(h=h, s=f"({summed})")}
