"""A certificate: every entry of a module's gradient at a point, the ball that holds the exact one, the error.

Whoever reads one needs nothing of symgrad but the spec and the module to find it true: the point is written
down to the last bit, and the enclosures can be computed again by any ball or interval arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flint
import numpy as np

from symgrad.errors import ModuleError
from symgrad.verifier.certificate.balls import BALLS, BITS, Ball, BallTape, UndecidedError
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes
from symgrad.verifier.sampling.samples import Sample, draw
from symgrad.verifier.trials.subject import Door, Subject
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

_DIGITS = 30
_READ_BACK = 0.002
"""Units in the last place: errors are rounded up to thousandths."""


def certify(model: Model, door: Door, seed: int = 0) -> dict[str, Any]:
    """The certificate of a module at a point drawn by `seed`, in its own number type.

    Raises:
        ModuleError: there is no gradient, or the point lies where the spec has a kink.
        FaultError: the module fails.
    """
    if model.loss is None or not model.parameters:
        raise ModuleError("there is no gradient to certify", at=door.facts.at)
    return certified_at(model, door, draw(model, "certificate", seed))


def certified_at(model: Model, door: Door, sample: Sample) -> dict[str, Any]:
    """The certificate of a module at a point.

    Raises:
        ModuleError: the point lies where the spec has a kink, or the module is in no file.
        FaultError: the module fails.
    """
    shapes = parameter_shapes(model, {**sample.inputs, **sample.targets})
    subject = Subject(model, door, shapes)
    loss, gradients = subject.loss_and_grad(subject.vector(sample.parameters), sample.data)
    try:
        exact_loss, exact = _enclosures(model, sample)
    except UndecidedError:
        problem = "the point lies at a kink of the spec, or too near one"
        raise ModuleError(problem, at=door.facts.at, remedy="draw another with another seed") from None
    unit = subject.dtype
    return {
        "certificate": 1,
        "symgrad": VERSION,
        "arb": flint.__version__,
        "bits": BITS,
        "spec": model.spec.name,
        "spec_sha256": model.spec.sha256,
        "module_sha256": module_hash(door),
        "dtype": str(unit),
        "point": {name: _numbers(array) for name, array in sample.arrays.items()},
        "loss": _entry(exact_loss, loss, unit),
        "gradients": {
            name: {
                "shape": list(gradients[name].shape),
                "worst_ulps": max(e["ulps"] for e in entries) if entries else 0.0,
                "entries": entries,
            }
            for name, entries in _all_entries(exact, gradients, unit)
        },
    }


def _all_entries(
    exact: Mapping[str, Array], gradients: Mapping[str, Array], unit: np.dtype[Any]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name, gradient in gradients.items():
        pairs = zip(exact[name].flat, gradient.flat, strict=True)
        yield name, [_entry(ball, float(value), unit) for ball, value in pairs]


def _enclosures(model: Model, sample: Sample) -> tuple[Ball, dict[str, Array]]:
    """The loss and the gradient of every parameter, each within a ball; none passes through states."""
    with flint.ctx.workprec(BITS):
        tape = BallTape(BALLS)
        labels = {n: a for n, a in sample.arrays.items() if a.dtype.kind == "i"}
        given: dict[str, Any] = {n: tape.variable(BALLS.array(a)) for n, a in sample.arrays.items()} | labels
        values = interpret(model, given, tape.arithmetic)
        names = [p.name for p in model.parameters]
        wanted = [tape.of(values.tensors[name]) for name in names]
        slopes = tape.gradients(tape.of(values.loss), wanted)
        found = dict(zip(names, slopes, strict=True))
        found |= {name: BALLS.array(np.zeros(found[name].shape)) for name in model.states}
        return tape.of(values.loss).array.item(), found


def _entry(ball: Ball, value: float, unit: np.dtype[Any]) -> dict[str, Any]:
    """The ball, the module's number to the last bit, and a bound on its error in units in the last place."""
    with flint.ctx.workprec(BITS):
        written = {"ball": ball.value.str(_DIGITS), "module": float(value).hex()}
        if not math.isfinite(value):
            return {**written, "ulps": math.inf}
        bound = float(abs(flint.arb(value) - ball.value).upper())
        error = math.nextafter(bound, math.inf) if bound else 0.0
        size = max(abs(float(ball.value.mid())), float(np.finfo(unit).tiny))
        ulp = float(np.spacing(np.asarray(size, dtype=unit)))
        units = 1000 * error / ulp
        return {**written, "ulps": math.ceil(units) / 1000 if math.isfinite(units) else math.inf}


def _numbers(array: Array) -> dict[str, Any]:
    flat = array.reshape(-1).tolist()
    numbers = flat if array.dtype.kind == "i" else [float(number).hex() for number in flat]
    return {"shape": list(array.shape), "numbers": numbers}


def _array(written: Mapping[str, Any]) -> Array:
    numbers = [float.fromhex(n) if isinstance(n, str) else n for n in written["numbers"]]
    kind = np.float64 if any(isinstance(n, str) for n in written["numbers"]) else np.int64
    return np.array(numbers, dtype=kind).reshape(written["shape"])


def module_hash(door: Door) -> str:
    """The SHA-256 of the module's file.

    Raises:
        ModuleError: it is in no file.
    """
    file = Path(door.facts.at)
    if not file.is_file():
        raise ModuleError("a certificate is of a module in a file", at=door.facts.at)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def recheck(model: Model, door: Door, certificate: str) -> list[str]:
    """What is not true in a certificate, line by line; nothing where all of it is.

    Everything is computed again: the point, the balls, the module's own numbers and the errors.

    Raises:
        ModuleError: it is no certificate.
    """
    try:
        claimed = json.loads(certificate)
        point = {name: _array(written) for name, written in claimed["point"].items()}
        parameters, inputs, targets = (
            {tensor.name: point[tensor.name] for tensor in tensors}
            for tensors in (model.parameters, model.spec.inputs, model.spec.targets)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModuleError("this is no certificate of this spec") from None
    sample = Sample("certificate", parameters, inputs, targets)
    found = json.loads(json.dumps(certified_at(model, door, sample)))
    untrue = list(_differences(claimed, found, ""))
    if any(line.startswith(("gradients", "point", "dtype")) for line in untrue):
        return untrue
    return [*untrue, *_errors(claimed, found)]


_INCIDENTAL = frozenset(["symgrad", "arb", "module", "ulps", "worst_ulps"])
"""Versions; and the module's own numbers, whose last bit may depend on where its memory lies."""


def _differences(claimed: Any, found: Any, path: str) -> Iterator[str]:
    """Where two certificates differ, entry by entry."""
    if isinstance(claimed, dict) and isinstance(found, dict):
        for key in sorted((claimed.keys() | found.keys()) - _INCIDENTAL):
            yield from _differences(claimed.get(key), found.get(key), f"{path}{key} ")
    elif isinstance(claimed, list) and isinstance(found, list) and len(claimed) == len(found):
        for place, (a, b) in enumerate(zip(claimed, found, strict=True)):
            yield from _differences(a, b, f"{path}{place} ")
    elif claimed != found:
        yield f"{path.strip()}: the certificate says {claimed}, it is {found}"


def _errors(claimed: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Whether the errors follow from the numbers beside them, and the module is as near as it was."""
    unit = np.dtype(claimed["dtype"])
    for name, block in claimed["gradients"].items():
        for place, entry in enumerate(block["entries"]):
            value, ball = float.fromhex(entry["module"]), _read(entry["ball"])
            if abs(_entry(ball, value, unit)["ulps"] - entry["ulps"]) > _READ_BACK:
                yield f"gradients {name} entries {place}: {entry['ulps']} is not the error of these numbers"
        worst, now = max(e["ulps"] for e in block["entries"]), found["gradients"][name]["worst_ulps"]
        if worst != block["worst_ulps"] or now > 2 * worst + 2:
            yield f"gradients {name}: the certificate says {block['worst_ulps']} units, {now} are found"


def _read(written: str) -> Ball:
    with flint.ctx.workprec(BITS):
        return Ball(flint.arb(written))
