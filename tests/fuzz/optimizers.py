"""Random optimizers: rules of one's own over theta, g, t, states and hyper-parameters, and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw
from symgrad.spec import library

if TYPE_CHECKING:
    from random import Random

UNARY = (
    "tanh({})",
    "sign({})",
    "abs({})",
    "({})**2",
    "sqrt(abs({}) + 1e-3)",
    "-({})",
    "exp(-abs({}))",
    "log1p(({})**2)",
    "({})**3",
    "1 / (1 + ({})**2)**1.5",
)
BINARY = (
    "{} + {}",
    "{} - {}",
    "({}) * ({})",
    "max({}, {})",
    "min({}, {})",
    "({}) / (1 + abs({}))",
    "({}) / (0.1 + ({})**2)**2",
)
SCHEDULES = (
    "inverse(decay=0.1)",
    "inverse(decay=0.2, k=step)",
    "exponential(decay=0.1)",
    "exponential(decay=0.3, k=step)",
    "step_decay(1, gamma=0.5)",
    "step_decay(2, k=step)",
    "polynomial(power=2)",
    "polynomial(total=7, k=step)",
    "cosine",
    "cosine(eta_min=0.001)",
    "cosine(total=9, k=step)",
    "linear_warmup(total=3)",
    "linear_warmup(total=3, k=step, learning_rate=cosine())",
    "one_cycle",
    "one_cycle(total=8, k=step)",
    "one_cycle_linear(pct_start=0.5)",
    "min(1, (step + 1) / 3) * cosine()",
    "learning_rate / (1 + epoch)**2",
    "learning_rate / sqrt(1 + step)**3",
    "learning_rate * 0.9**step",
    "where(step < 2, learning_rate, learning_rate / 2 / (1 + step))",
    "max(0.001, learning_rate * (1 - step / 9)**2)",
    "learning_rate / (step + 1) / (epoch + 1)**2",
    "learning_rate * (1 + cos(step)) / 2**(1 + epoch / epochs)",
)


FULL = ("rprop", "delta_bar_delta")
UNRATED = ("adadelta", *FULL)


class Rules(Draw):
    """Draws update equations over the names known so far."""

    def __init__(self, random: Random, known: list[str]) -> None:
        super().__init__(random)
        self.known = known

    def tree(self, depth: int) -> str:
        if depth <= 0 or self.chance(0.15):
            return self.one(self.known) if self.chance(0.8) else self.number()
        kind = self.whole(0, 5)
        if kind <= 1:
            return self.one(UNARY).format(self.tree(depth - 1))
        if kind == 2:
            relation = self.one(("<", ">", "<=", ">="))
            parts = [self.tree(depth - 1) for _ in range(4)]
            return "where({} {relation} {}, {}, {})".format(*parts, relation=relation)
        return "(" + self.one(BINARY).format(self.tree(depth - 1), self.tree(depth - 1)) + ")"


def own_rule(draw: Draw, rated: bool) -> dict[str, Any]:
    """An optimiser of one's own, every state and quantity of which is used."""
    hyper = {n: draw.whole(1, 9) / 10 for n in ("keep", "mix", "floor_")[: draw.whole(0, 3)]}
    if rated:
        hyper["learning_rate"] = 0.05
    states = ["v", "r", "s"][: draw.whole(0, 3)]
    rules = Rules(draw.random, ["theta", "g", "g", "t", *hyper, *states])
    update: dict[str, str] = {}
    if draw.chance(0.3):
        update["g"] = f"g + 0.1 * {rules.tree(1)}"
    if draw.chance(0.5):
        update["part"] = rules.tree(2)
        rules.known.append("part")
    order = [*states]
    draw.random.shuffle(order)
    for state in order:
        keep = draw.one(("0.9", *(["keep"] if "keep" in hyper else [])))
        update[state] = draw.one(
            (
                f"{keep} * {state} + (1 - {keep}) * {rules.tree(1)}",
                f"{rules.tree(2)} - {keep} * {state}",
                f"max({state} * {keep}, {rules.tree(1)})",
            )
        )
    read_g = ["g"] if "g" in update else []
    used = " + ".join(
        [*read_g, *states, *(["part"] if "part" in update else []), *(["learning_rate"] if rated else [])]
    )
    step = f"0.1 * ({rules.tree(2)}) + 0.01 * ({used or 'g'})" + (" * learning_rate * g" if rated else "")
    update["theta"] = f"theta - ({step})"
    if draw.chance(0.3):  # states that are set after theta read what theta was
        last = update.pop("theta")
        update = {"theta": last, **update} if not {"part", "g"} & {*update} else {**update, "theta": last}
    rule: dict[str, Any] = {"update": update}
    if hyper:
        rule["hyper"] = hyper
    if states:
        rule["state"] = {s: draw.one((0, 1, 0.5, *(["keep * 2"] if "keep" in hyper else []))) for s in states}
    if draw.chance(0.2):
        rule["gradient_at"] = f"theta + 0.3 * {draw.one(states or ['theta'])}"
    return rule


def library_rule(draw: Draw) -> str:
    """A row of the library, some of its hyper-parameters changed."""
    entry = draw.one([*library.optimizers.values()])
    changed = []
    for name, _ in entry.signature.defaults:
        if draw.chance(0.06):
            changed.append(f"{name}={draw.one(NEAR_1 if name in BELOW_1 else ENDS)}")
        elif draw.chance(0.3) and name in HYPER:
            changed.append(f"{name}={draw.one(HYPER[name])}")
    return f"{entry.name}({', '.join(changed)})" if changed else entry.name


HYPER = {
    "learning_rate": ("0.1", "0.03", "0.5"),
    "weight_decay": ("0.1", "0.02", "0"),
    "momentum": ("0.5", "0", "0.95"),
    "dampening": ("0.1", "0.5"),
    "b1": ("0.5", "0", "0.8"),
    "b2": ("0.9", "0.5"),
    "eps": ("0.1", "1e-4"),
    "alpha": ("0.5", "0.9"),
    "rho": ("0.5",),
    "initial_accumulator": ("0.1", "1"),
    "momentum_decay": ("1", "0.1"),
}
ENDS = ("1e-310", "1e-300", "1e-150", "1e-30", "1e30", "1e150", "1e300")
NEAR_1 = ("0.9999999999999999", "0.999999999999", "0.9999999", "1e-310", "1e-200", "1e-30")
BELOW_1 = ("momentum", "dampening", "b1", "b2", "alpha", "rho", "phi", "average", "eta_minus")
"""Numbers near the ends of a type, and those of intervals that end at 1."""


def apart(draw: Draw, rule: Any, frozen: Any) -> dict[str, dict[str, float]]:
    """Other numbers for some parameters: of two patterns the later one counts."""
    if isinstance(rule, dict):
        known = [
            n for n in rule.get("hyper", {}) if not any(n in str(s) for s in rule.get("state", {}).values())
        ]
        numbers = dict.fromkeys(known, (0.05, 0.2, 0.35))
    else:
        entry = library.optimizers[rule.partition("(")[0]]
        known = [n for n, _ in entry.signature.defaults if n in HYPER and n != "initial_accumulator"]
        numbers = {name: tuple(map(float, HYPER[name])) for name in known}
    patterns = draw.one((["b*"], ["*1", "b1"], ["b*", "*1"], ["W1", "*1"], ["b1", "W*"]))
    patterns = [p for p in patterns if not frozen or p == "*1" or p[0] != str(frozen).strip("['")[0]]
    found = {}
    for pattern in patterns if known else ():
        names = [name for name in known if draw.chance(0.5)] or known[:1]
        found[pattern] = {name: draw.one(numbers[name]) for name in names}
    return found


def optimizer_spec(random: Random) -> dict[str, Any]:
    """A line fitted with a random optimiser."""
    draw = Draw(random)
    rated = draw.chance(0.5)
    rule: Any = own_rule(draw, rated) if draw.chance(0.65) else library_rule(draw)
    train: dict[str, Any] = {"optimizer": rule, "batch_size": "full", "epochs": 6}
    if (rated if isinstance(rule, dict) else not rule.startswith(UNRATED)) and draw.chance(0.7):
        train["schedule"] = draw.one(SCHEDULES)
    if draw.chance(0.4) and not (isinstance(rule, str) and rule.startswith(FULL)):
        train["batch_size"] = draw.whole(1, 4)
    if draw.chance(0.2):
        train["micro_batch_size"] = 1 if train["batch_size"] == 1 else draw.whole(1, 2)
    if draw.chance(0.25):
        train["clip_norm"] = draw.one((0.1, 1, 5, 0.3, 1e-300, 1e300))
    if draw.chance(0.2):
        train["clip_value"] = draw.one((0.05, 0.5, 3, 1e-30, 1e300))
    if draw.chance(0.3):
        train["freeze"] = draw.one((["W1"], ["b1"], "W*", "b*"))
    if draw.chance(0.3):
        train["average"] = draw.one((0.5, 0.9, 0.99))
    if draw.chance(0.35):
        train["per_parameter"] = apart(draw, rule, train.get("freeze"))
        if not train["per_parameter"]:
            del train["per_parameter"]
    return {
        "name": "optimizer",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"y": ["batch", 2]},
        "layers": ["dense(2)"],
        "loss": "mse",
        "train": train,
    }
