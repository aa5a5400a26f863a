"""Loss, outputs and gradients of an emitted module against what the spec's text means."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fuzz.arithmetic import Arithmetic
from fuzz.meaning import Meaning, meaning
from fuzz.modules import InPython, compiled, interpreted, with_garbage
from fuzz.oracle import Scope, tree_of, value
from symgrad.errors import SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, NATIVE
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from random import Random
    from types import ModuleType

Spec = dict[str, Any]

GARBAGE = (float("nan"), 1e300)
TRIES = 6
IN_PYTHON = 0.15
"""The share of specs that the target of plain Python computes too."""
JUDGED = 0.3
"""The share of specs whose meaning to the verifier is compared too."""
LARGE = 1e8
NEAR = {"float64": 1e-7, "float32": 1e-3}
"""Points so near a tie or the end of a domain prove nothing: rounding may choose the other side."""
NOISE = {"float64": np.complex128, "float32": np.complex64}
FLOOR = {"float64": 1e-11, "float32": 1e-4}


@dataclass(frozen=True)
class Outcome:
    """`kind` is "right", "unsound" (no sound point was found), or the kind of failure."""

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.kind not in ("right", "unsound")


def module_of(spec: Spec, by_rows: bool) -> ModuleType:
    """The emitted module of a spec, run by Python."""
    return interpreted(text_of(spec, by_rows))


def text_of(spec: Spec, by_rows: bool) -> str:
    """The emitted text of a spec."""
    with layout(by_rows):
        return module_text(read(plain(spec)))


@contextmanager
def layout(by_rows: bool) -> Iterator[None]:
    """Inside it small networks are computed as large ones are: by rows, of copied windows and turned factors,
    by a library, in several blocks of rows, in passes of which threads may take turns.
    """
    with pytest.MonkeyPatch.context() as patch:
        if by_rows:
            patch.setattr("symgrad.compiler.planning.samples_innermost.MOST_FEATURES", 0)
            patch.setattr("symgrad.passes.windowing.windows.LEAST_USES", 1)
            patch.setattr("symgrad.calculus.contraction.WORTH_A_CALL", 1)
            patch.setattr("symgrad.calculus.contraction.ROWS_WORTH_A_CALL", 1)
            patch.setattr("symgrad.passes.windowing.window_costs.CALL", 0)
            patch.setattr("symgrad.passes.windowing.window_costs.RAGGED_ROW", 0)
            patch.setattr("symgrad.passes.memory.turned_factors.LEAST_GAIN", 0)
            patch.setattr("symgrad.compiler.planning.row_blocks.BLOCK_ROWS", 2)
            patch.setattr("symgrad.compiler.kernels.shared_turns.PART", 3)
            patch.setattr("symgrad.compiler.kernels.shared_turns.LONG", 1)
        yield


OF_THE_JUDGE = ("chain", "steps", "written", "marked", "instead", "alone")
"""What of a spec only the drawing of data, or a judge, reads."""


def plain(spec: Spec) -> Spec:
    """The spec without that."""
    spec = {key: value for key, value in spec.items() if key not in OF_THE_JUDGE}
    targets = {
        name: about["axes"] if isinstance(about, dict) and "probability" in about else about
        for name, about in spec.get("targets", {}).items()
    }
    inputs = {
        name: about["axes"] if isinstance(about, dict) and "lengths" in about else about
        for name, about in spec.get("inputs", {}).items()
    }
    return {**spec, **({"targets": targets} if targets else {}), **({"inputs": inputs} if inputs else {})}


def judge_compiled(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The same for the module compiled by Numba."""
    module = compiled(text_of(spec, by_rows))
    point = sound_point(spec, dict(module.SHAPES), random)
    if point is None:
        return Outcome("unsound")
    outcome = compared(spec, module, point)
    for garbage in GARBAGE:
        if outcome.failed:
            return Outcome(f"compiled: {outcome.kind}", outcome.detail)
        outcome = compared(spec, with_garbage(module, garbage), point)
    return outcome


def judge_gradient(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Loss, outputs and every gradient at one sound point, in memory with two kinds of garbage."""
    try:
        module = module_of(spec, by_rows)
    except SpecError as error:
        return _refused(spec, random, error)
    point = sound_point(spec, dict(module.SHAPES), random)
    if point is None:
        return Outcome("unsound")
    for garbage in GARBAGE:
        outcome = compared(spec, with_garbage(module, garbage), point)
        if outcome.failed:
            return outcome
    outcome = outcome if random.random() > IN_PYTHON else _in_python(spec, module, point, by_rows)
    return outcome if outcome.failed or random.random() > JUDGED else as_the_verifier_reads(spec, point)


def as_the_verifier_reads(spec: Spec, point: Point) -> Outcome:
    """What the verifier takes the spec to mean, in the range of numbers that the oracle has."""
    exact, model = point.exact, stages_of(read(plain(spec))).model
    found = interpret(model, point.arrays, NATIVE)
    if not all(np.isfinite(z).all() for z in (found.loss, *found.outputs)):
        found = interpret(model, point.arrays, FIFTY_DIGITS)  # where exp goes further
    for ours, right in zip((found.loss, *found.outputs), (exact.loss, *exact.outputs), strict=True):
        noise = np.ravel(right) * (1 + FLOOR["float32"])
        if wrong := differs(np.ravel(np.asarray(ours, float)), np.ravel(right), [noise], FLOOR["float64"]):
            return Outcome("the verifier reads otherwise", wrong)
    return Outcome("right")


def _in_python(spec: Spec, module: ModuleType, point: Point, by_rows: bool) -> Outcome:
    """The same for what the other target makes of the network."""
    with layout(by_rows):
        text = stages_of(read(plain(spec))).in_python
    outcome = compared(spec, InPython(text, module), point)
    return Outcome(f"in Python: {outcome.kind}", outcome.detail) if outcome.failed else outcome


OF_SOME_POINTS = ("has no finite value at the start of training", "is complex for most exponents")
"""Refusals for what holds at first values or at most exponents only, which no random point shows."""


def _refused(spec: Spec, random: Random, error: SpecError) -> Outcome:
    """A refusal is right where no point is sound for all that is defined, or a constant is no number or an
    exponent that the language does not take.
    """
    formulas = (*spec.get("equations", {}).values(), spec["loss"])
    if (
        any(reason in error.problem for reason in OF_SOME_POINTS)
        or ("exponent" in error.problem and any(has_large_exponent(str(f)) for f in formulas))
        or any(has_wrong_constant(str(f)) for f in formulas)
    ):
        return Outcome("unsound")
    shapes = {name: p["axes"] if isinstance(p, dict) else p for name, p in spec.get("parameters", {}).items()}
    every = {**spec, "outputs": [key.partition("[")[0] for key in spec.get("equations", ())]}
    try:
        point = None if "layers" in spec else sound_point(every, shapes, random)
        sound = "layers" in spec or (point is not None and point.exact.clean)
    except KeyError:  # parameters of layers have no shape before the module is there
        sound = True
    return Outcome(f"refused: {error.problem[:60]}", str(error)) if sound else Outcome("unsound")


def has_wrong_constant(formula: str) -> bool:
    """Whether a part of a formula over no names, such as 1/0, has no finite value."""
    return any(
        not np.isfinite(_constant(node)).all()
        for node in ast.walk(tree_of(formula))
        if isinstance(node, ast.BinOp | ast.Call)
    )


LARGEST_EXPONENT = 1000


def has_large_exponent(formula: str) -> bool:
    """Whether a power in a formula has a constant exponent beyond what the language takes."""
    return any(
        (np.abs(_constant(exponent)) > LARGEST_EXPONENT).any()
        for node in ast.walk(tree_of(formula))
        for exponent in _exponents(node)
    )


def _exponents(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp(op=ast.Pow(), right=exponent) | ast.Call(func=ast.Name(id="pow"), args=[_, exponent]):
            return [exponent]
    return []


def _constant(node: ast.expr) -> np.ndarray:
    """The value of a part of a formula over no names; nothing (no entries) where it has names."""
    called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in called}
    if names - {"e", "pi"}:
        return np.empty(0)
    found = value(node, Scope({}, {}, {}, Arithmetic(), {}))
    return found if isinstance(found, np.ndarray) else np.empty(0)


@dataclass(frozen=True)
class Point:
    """Arrays for a spec, what it means there, and what ways of rounding to its own type make of that.

    `entries` are those whose slopes are known.
    """

    arrays: Mapping[str, np.ndarray]
    entries: Mapping[str, np.ndarray]
    exact: Meaning
    rounded: tuple[Meaning, ...]


MOST = 24
"""So many entries of a tensor are differentiated; the others must be finite."""


def sound_point(
    spec: Spec,
    shapes: Mapping[str, tuple[int, ...]],
    random: Random,
    fixed: Mapping[str, int] | None = None,
) -> Point | None:
    """Data and parameters where everything is finite, not huge, not near a kink; sizes may be fixed."""
    rng = np.random.default_rng(random.randrange(2**32))
    dtype = spec.get("dtype", "float32")
    for attempt in range(TRIES):
        arrays = drawn_data(spec, shapes, rng, attempt % 2 == 1, fixed)
        sizes = {name: arrays[name].size for name in (*shapes, *spec.get("gradients", []))}
        wrt = {name: np.sort(rng.permutation(size)[:MOST]) for name, size in sizes.items()}
        found = meaning(spec, arrays, wrt)
        if found.finite and _moderate(found) and found.margin > NEAR[dtype]:
            rounded = meaning(spec, arrays, wrt, NOISE[dtype])
            if rounded.finite:
                return Point(arrays, wrt, found, (rounded,))
    return None


def _moderate(found: Meaning) -> bool:
    return all(
        np.abs(a).max(initial=0) < LARGE for a in (found.loss, *found.gradient.values(), *found.outputs)
    )


def drawn_data(
    spec: Spec,
    shapes: Mapping[str, Any],
    rng: np.random.Generator,
    positive: bool,
    fixed: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Random arrays for everything a spec declares; labels are drawn below their number of classes."""
    dtype = spec.get("dtype", "float32")
    free: dict[str, int] = {str(k): v for k, v in {**spec.get("axes", {}), **(fixed or {})}.items()}
    numbers = iter(rng.permutation([2, 3, 5]))
    arrays = {}
    for name, about in {**spec.get("inputs", {}), **spec.get("targets", {}), **shapes}.items():
        axes = about["axes"] if isinstance(about, dict) else about
        for axis in axes:
            if isinstance(axis, str) and axis not in free:
                free[axis] = 1 if rng.random() < 0.1 else int(next(numbers, 4))
        shape = tuple(free[a] if isinstance(a, str) else a for a in axes)
        if isinstance(about, dict) and "classes" in about:
            arrays[name] = rng.integers(0, about["classes"], shape)
            if "ignore" in about:
                arrays[name] = np.where(rng.random(shape) < 0.3, about["ignore"], arrays[name])
        elif isinstance(about, dict) and "lengths" in about:
            longest = free.get(about["lengths"], about["lengths"])
            arrays[name] = rng.integers(0, longest + 2, shape).astype(float)
        elif isinstance(about, dict) and about.get("probability"):
            arrays[name] = rng.uniform(0.05, 0.95, shape)
        elif positive:
            arrays[name] = rng.uniform(0.2, 1.8, shape).astype(dtype).astype(float)
        else:
            arrays[name] = rng.normal(0, 0.9, shape).astype(dtype).astype(float)
    return arrays


ROUNDINGS = 4
"""So many other ways of rounding are tried where a module is off by more than the first, by luck perhaps."""


def compared(spec: Spec, module: ModuleType | InPython, point: Point) -> Outcome:
    """The module's numbers against the exact ones, within what rounding does to the spec's own text."""
    outcome = _compared(spec, module, point)
    if not outcome.failed:
        return outcome
    kind = NOISE[spec.get("dtype", "float32")]
    ways = (np.random.default_rng(seed) for seed in range(ROUNDINGS))
    others = (meaning(spec, point.arrays, point.entries, kind, way) for way in ways)
    return _compared(spec, module, replace(point, rounded=(*point.rounded, *(o for o in others if o.finite))))


def _compared(spec: Spec, module: ModuleType | InPython, point: Point) -> Outcome:
    dtype, arrays = np.dtype(spec.get("dtype", "float32")), point.arrays
    params = module.unflatten(_joined([arrays[name] for name in module.SHAPES], dtype))
    inputs = [arrays[name] for name in module.INPUTS]
    targets = [arrays[name] for name in module.TARGETS]
    value, grads = module.loss_and_grad(params, *inputs, *targets)
    slopes = {name: getattr(grads, name) for name in module.SHAPES}
    if spec.get("gradients"):
        slopes |= module.input_gradients(params, *inputs, *targets)._asdict()
    outputs = module.forward(params, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    floor, exact, rounded = FLOOR[dtype.name], point.exact, point.rounded
    found = {
        "loss": differs(np.ravel(value), np.ravel(exact.loss), [np.ravel(r.loss) for r in rounded], floor)
    }
    for number, (ours, right) in enumerate(zip(outputs, exact.outputs, strict=True)):
        noise = [np.ravel(r.outputs[number]) for r in rounded]
        found[f"output {number}"] = differs(np.ravel(ours), np.ravel(right), noise, floor)
    for name, entries in point.entries.items():
        ours = np.ravel(slopes[name])
        missing = f"entry {np.argmin(np.isfinite(ours))} is not finite" if not np.isfinite(ours).all() else ""
        noise = [r.gradient[name] for r in rounded]
        found[f"gradient of {name}"] = differs(ours[entries], exact.gradient[name], noise, floor) or missing
    for name, detail in found.items():
        if detail:
            return Outcome("wrong " + name.split()[0], f"{name}: {detail}")
    return Outcome("right")


def _joined(arrays: Any, dtype: np.dtype[Any]) -> np.ndarray:
    parts = [np.ravel(a) for a in arrays]
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


def differs(ours: np.ndarray, right: np.ndarray, rounded: Iterable[np.ndarray], floor: float) -> str:
    """What is wrong with an array, or nothing; `rounded` is what ways of rounding make of it."""
    if ours.shape != right.shape:
        return f"{ours.size} entries, not {right.size}"
    scale = np.maximum(np.abs(right), np.abs(right).max(initial=0) * 1e-3)
    noise = max((np.abs(r - right).max(initial=0) for r in rounded), default=0.0)
    allowed = floor * np.maximum(scale, 1e-2) + 1e3 * noise
    bad = ~(np.abs(ours - right) <= allowed)
    if not bad.any():
        return ""
    at = int(np.argmax(bad))
    return f"entry {at} is {ours[at]:.9g}, not {right[at]:.9g}"
