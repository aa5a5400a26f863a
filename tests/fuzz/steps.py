"""Training steps of an emitted module against the update rule's own text."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.arithmetic import Arithmetic
from fuzz.gradients import GARBAGE, LARGE, Outcome, differs, module_of
from fuzz.meaning import meaning
from fuzz.modules import with_garbage
from fuzz.oracle import Scope, evaluate, tree_of
from symgrad.spec import library

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
STEPS = 5


def judge_steps(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The parameters and states after each of a few steps."""
    module = module_of(spec, by_rows)
    rng = np.random.default_rng(random.randrange(2**32))
    data = {"x": rng.normal(size=(4, 3)), "y": rng.normal(size=(4, 2))}
    start = rng.normal(size=8)
    exact = list(_path(spec, data, start, np.clongdouble))
    rounded = list(_path(spec, data, start, np.complex128))
    margin = min(m for *_, m in exact)
    if margin < 1e-7 or not all(np.isfinite(v).all() and np.abs(v).max() < LARGE for v, _ in exact):
        return Outcome("unsound")
    for garbage in GARBAGE:
        outcome = _compared(with_garbage(module, garbage), data, start, exact, rounded)
        if outcome.failed:
            return outcome
    return outcome


def _compared(
    module: Any, data: dict[str, np.ndarray], start: np.ndarray, exact: Any, rounded: Any
) -> Outcome:
    params = module.unflatten(start.copy())
    state = module.init_state(params)
    for number, ((right, _), (noise, _)) in enumerate(zip(exact, rounded, strict=True)):
        module.train_step(params, state, data["x"], data["y"], epoch=number // 2)
        ours = np.concatenate([module.flatten(params), *(np.ravel(s) for s in state[1:])])
        detail = differs(ours, right, noise, 1e-10)
        if detail:
            return Outcome("wrong step", f"step {number + 1}: {detail}")
    return Outcome("right")


def rule_of(spec: Spec) -> tuple[dict[str, str], dict[str, str], dict[str, str], str]:
    """Hyper-parameters, first states and update of the optimizer, and where its gradient is taken."""
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


def _path(spec: Spec, data: dict[str, np.ndarray], start: np.ndarray, kind: type) -> Any:
    """Parameters and states after each step, and how near a choice came to a tie."""
    hyper, first, update, gradient_at = rule_of(spec)
    arithmetic = Arithmetic(kind)
    with np.errstate(all="ignore"):
        known: dict[str, Any] = {n: arithmetic.number([text]) for n, text in _numbers(hyper).items()}
        scope = Scope(known, {}, _schedules(), arithmetic, {})
        known |= {
            n: evaluate(text, scope) + arithmetic.number(np.zeros(8))[None] for n, text in first.items()
        }
        known["theta"] = arithmetic.number(start)[None]
        rate = known.get("learning_rate")
        for number in range(STEPS):
            times = {"t": number + 1, "step": number, "epoch": number // 2, "epochs": spec["train"]["epochs"]}
            known |= {n: arithmetic.number([v]) for n, v in times.items()}
            if rate is not None:
                known["learning_rate"] = rate
                known["learning_rate"] = evaluate(
                    _called(spec["train"].get("schedule", "learning_rate")), scope
                )
            at = np.broadcast_to(evaluate(gradient_at, scope)[0], (8,))
            known["g"] = arithmetic.number(_clipped(_slope(spec, data, at.real, kind), spec["train"]))[None]
            new = None
            for name, formula in update.items():
                found = evaluate(formula, scope) + arithmetic.number(np.zeros(8))[None]
                if name == "theta":
                    new = found
                else:
                    known[name] = found
            known["theta"] = new
            values = [known[n][0].real.astype(float) for n in ("theta", *first)]
            yield np.concatenate(values), arithmetic.margin


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
