"""Training steps of an emitted module against the update rule's own text."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.arithmetic import Arithmetic
from fuzz.gradients import GARBAGE, LARGE, NEAR, Outcome, differs, plain, text_of
from fuzz.meaning import meaning
from fuzz.modules import interpreted, with_garbage
from fuzz.oracle import Scope, evaluate, tree_of
from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.identity.training.training_step import step_identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Spec = dict[str, Any]
Arrays = dict[str, np.ndarray]
ROWS, STEPS, EPOCHS = 5, 5, 2
_JUDGED = 0.25
"""The share of specs whose text is held against the optimiser by the judge too."""

Batches = list[tuple[np.ndarray, int]]
"""The rows of each step, and its epoch."""


def judge_steps(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The parameters and states after each of a few steps on all rows, or after each epoch of batches."""
    rng = np.random.default_rng(random.randrange(2**32))
    data = {"x": rng.normal(size=(ROWS, 3)), "y": rng.normal(size=(ROWS, 2))}
    start, size = rng.normal(size=8), spec["train"]["batch_size"]
    orders = [rng.permutation(ROWS) for _ in range(EPOCHS)]
    batches: Batches = [(np.arange(ROWS), number // 2) for number in range(STEPS)]
    if size != "full":
        batches = [
            (order[k : k + size], epoch) for epoch, order in enumerate(orders) for k in range(0, ROWS, size)
        ]
    exact = list(_path(spec, data, batches, start, np.clongdouble))
    rounded = list(_path(spec, data, batches, start, np.complex128))
    if not all(step.margin > NEAR["float64"] and _moderate(step.values) for step in exact):
        return Outcome("unsound")
    if all(np.array_equal(step.values[:8], start) for step in exact):
        return Outcome("unsound")  # a rule that moves no parameter is refused
    try:
        text = text_of(spec, by_rows)
    except SpecError as error:  # a number that the type cannot hold, or tell from the end of its interval
        return Outcome("unsound" if "cannot tell" in error.problem else "refused", error.problem)
    module, outcome = interpreted(text), _identical(spec, text, random)
    if outcome.failed:
        return outcome
    for garbage in GARBAGE:
        with_garbage(module, garbage)
        steps = _stepped if size == "full" else _epochs
        each = 1 if size == "full" else len(batches) // EPOCHS
        wanted = range(each - 1, len(batches), each)
        for number, ours in zip(wanted, steps(module, data, start, orders, size), strict=True):
            detail = differs(ours, exact[number].values, [rounded[number].values], 1e-10)
            if detail:
                return Outcome("wrong step", f"after step {number + 1}: {detail}")
    return Outcome("right")


def _identical(spec: Spec, text: str, random: Random) -> Outcome:
    """Whether the judge finds a share of the steps to be the optimiser's."""
    if random.random() > _JUDGED:
        return Outcome("right")
    found = step_identity(expand(read(plain(spec))), parse(text), random.randrange(2**32))
    return Outcome("not identical", found.detail) if found and found.is_wrong else Outcome("right")


def _moderate(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and np.abs(values).max() < LARGE)


def _all(module: Any, params: Any, state: Any) -> np.ndarray:
    used = [module.flatten(module.averaged(params, state))] if hasattr(module, "averaged") else []
    return np.concatenate([module.flatten(params), *(np.ravel(s) for s in state[1:]), *used])


def _stepped(module: Any, data: Arrays, start: np.ndarray, *_: Any) -> Iterator[np.ndarray]:
    params = module.unflatten(start.copy())
    state = module.init_state(params)
    for number in range(STEPS):
        module.train_step(params, state, data["x"], data["y"], epoch=number // 2)
        yield _all(module, params, state)


def _epochs(module: Any, data: Arrays, start: np.ndarray, orders: Any, size: int) -> Iterator[np.ndarray]:
    params = module.unflatten(start.copy())
    state = module.init_state(params)
    for epoch, order in enumerate(orders):
        module.train_epoch(params, state, data["x"], data["y"], size, order, epoch)
        yield _all(module, params, state)


def rule_of(spec: Spec) -> tuple[dict[str, str], dict[str, str], dict[str, str], str]:
    """Hyper-parameters, first states and update of the optimiser, and where its gradient is taken."""
    rule = spec["train"]["optimizer"]
    if isinstance(rule, dict):
        texts = [{k: str(v) for k, v in rule.get(key, {}).items()} for key in ("hyper", "state", "update")]
        return texts[0], texts[1], texts[2], rule.get("gradient_at", "theta")
    name, _, given = rule.partition("(")
    entry = library.optimizers[name]
    declared, call = tree_of(entry.text), tree_of(f"f({given}" if given else "f()")
    assert isinstance(declared, ast.Call)
    assert isinstance(call, ast.Call)
    hyper = {str(k.arg): ast.unparse(k.value) for k in (*declared.keywords, *call.keywords)}
    return hyper, dict(entry.state), dict(entry.update), entry.gradient_at or "theta"


@dataclass(frozen=True)
class Step:
    """Parameters, then states, after a step, and how near a choice came to a tie until then."""

    values: np.ndarray
    margin: float


def _path(spec: Spec, data: Arrays, batches: Batches, start: np.ndarray, kind: type) -> Iterator[Step]:
    """What each step makes of the parameters and states."""
    hyper, first, update, gradient_at = rule_of(spec)
    arithmetic, train = Arithmetic(kind), spec["train"]
    zeros = arithmetic.number(np.zeros(8))[None]
    known: dict[str, Any] = _of_entries(train, _numbers(hyper), arithmetic)
    scope = Scope(known, {}, _schedules(), arithmetic, {})
    known |= {n: evaluate(text, scope) + zeros for n, text in first.items()}
    known["theta"] = arithmetic.number(start)[None]
    rate, is_trained = known.get("learning_rate"), np.repeat(_trained(train), (6, 2))
    average, mean, weight = arithmetic.number(train.get("average", 0)), zeros[0], arithmetic.number(0)
    for number, (rows, epoch) in enumerate(batches):
        times = {"t": number + 1, "step": number, "epoch": epoch, "epochs": train["epochs"]}
        known |= {n: arithmetic.number([v]) for n, v in times.items()}
        if rate is not None:
            known["learning_rate"] = rate
            known["learning_rate"] = evaluate(_called(train.get("schedule", "learning_rate")), scope)
        batch = {name: array[rows] for name, array in data.items()}
        at = np.where(is_trained, np.broadcast_to(evaluate(gradient_at, scope)[0], (8,)), known["theta"][0])
        slope = np.where(is_trained, _slope(spec, batch, at.real, kind), 0)
        known["g"] = arithmetic.number(_clipped(slope, train))[None]
        after = known["theta"]
        for name, formula in update.items():
            found = evaluate(formula, scope) + zeros
            if name == "theta":  # what is below reads the parameter before the step
                after = np.where(is_trained, found, known["theta"])
            else:
                known[name] = found
        if average:
            mean = average * mean + (1 - average) * after[0]
            weight = average * weight + (1 - average)
        known["theta"] = after
        parts = [known["theta"][0], *(known[n][0][is_trained] for n in first)]
        if average:
            parts += [(mean / weight)[is_trained], np.where(is_trained, mean / weight, after[0])]
        yield Step(np.concatenate(parts).real.astype(float), arithmetic.margin)


def _of_entries(train: dict[str, Any], numbers: dict[str, Any], arithmetic: Arithmetic) -> dict[str, Any]:
    """The hyper-parameters of each of the 8 entries, where some parameters have numbers of their own."""
    apart = train.get("per_parameter", {})
    if not apart:
        return {name: arithmetic.number([value]) for name, value in numbers.items()}
    found = {name: [value] * 8 for name, value in numbers.items()}
    for pattern, own in apart.items():
        for place, parameter in enumerate(["W1"] * 6 + ["b1"] * 2):
            is_meant = pattern in (parameter, f"{parameter[0]}*", f"*{parameter[1]}")
            for name, value in own.items() if is_meant else ():
                found[name][place] = value
    return {name: arithmetic.number(np.array(values))[None] for name, values in found.items()}


def _trained(train: dict[str, Any]) -> list[bool]:
    """Whether W1 and b1 are; `freeze` says a name or a letter with a star."""
    frozen = train.get("freeze", ())
    given = [frozen] if isinstance(frozen, str) else frozen
    return [name not in given and f"{name[0]}*" not in given for name in ("W1", "b1")]


def _numbers(hyper: dict[str, str]) -> dict[str, Any]:
    """Hyper-parameters, which may be written as quotients of numbers."""
    scope = Scope({}, {}, {}, Arithmetic(np.clongdouble), {})
    return {name: evaluate(text, scope)[0].real for name, text in hyper.items()}


def _called(schedule: str) -> str:
    return f"{schedule}()" if schedule in library.schedules else schedule


def _schedules() -> dict[str, tuple[str, str]]:
    """The library's schedules as functions, which may be given another learning rate."""
    return {
        name: (
            entry.text[:-1] + (", " if "()" not in entry.text else "") + "learning_rate=learning_rate)",
            entry.formula,
        )
        for name, entry in library.schedules.items()
    }


def _slope(spec: Spec, data: dict[str, np.ndarray], theta: np.ndarray, kind: type) -> np.ndarray:
    arrays = {**data, "W1": theta[:6].reshape(3, 2), "b1": theta[6:]}
    gradient = meaning(spec, arrays, {"W1": np.arange(6), "b1": np.arange(2)}, kind).gradient
    return np.concatenate([gradient["W1"], gradient["b1"]])


def _clipped(g: np.ndarray, train: dict[str, Any]) -> np.ndarray:
    """By the norm first, then entry by entry."""
    norm = np.sqrt((g**2).sum())
    if "clip_norm" in train and norm > train["clip_norm"]:
        g = g * (train["clip_norm"] / norm)
    limit = train.get("clip_value", np.inf)
    return np.clip(g, -limit, limit)
