"""What is proved of one module: identity, a run with checked bounds, a certificate; each with its time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from building import interpreted

from symgrad.errors import SymgradError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.verifier.certificate.certificate import certify
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.exact_constants import long_constants
from symgrad.verifier.identity.machine import Machine, TextFaultError, UnknownError, faults_named
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.identity.outcome import outcome_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.trials.subject import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.spec.model import Model, Spec
    from symgrad.verifier.interpretation.array_library import Array

_GARBAGE = (1e12, -0.37)
_WIDE = 1e7
"""Units in the last place that are no bound on anything."""


@dataclass(frozen=True)
class Proof:
    """A verdict, after so many seconds; of a certificate the worst bound in units in the last place."""

    verdict: str
    seconds: float
    units: float | None = None

    @property
    def word(self) -> str:
        """The verdict without its reason."""
        return self.verdict.partition(":")[0]

    @property
    def is_wrong(self) -> bool:
        return self.word == "WRONG"


def proofs(spec: Spec) -> tuple[Proof, Proof, Proof]:
    """Identity of the text with the spec, its run over doubles with checked bounds, a certificate."""
    model, text = expand(spec), module_text(spec)
    return (
        _timed(lambda: (_identity(model, text), None)),
        _timed(lambda: (_bounds(model, text), None)),
        _timed(lambda: _certificate(model, text)),
    )


def _timed(prove: Callable[[], tuple[str, float | None]]) -> Proof:
    start = time.perf_counter()
    verdict, units = prove()
    return Proof(verdict, time.perf_counter() - start, units)


def _identity(model: Model, text: str) -> str:
    found = identity_of(model, text)
    if found.is_wrong:
        return f"WRONG: {found.fault}"
    return found.state if found.state == "identical" else f"{found.state}: {found.detail}"


def _bounds(model: Model, text: str) -> str:
    """Every access lies inside its array and reads what was written there; garbage before changes nothing."""
    try:
        with faults_named():
            first, second = (_run(model, text, garbage) for garbage in _GARBAGE)
    except TextFaultError as fault:
        return f"WRONG: {fault}"
    except UnknownError as unknown:
        return f"not run: {unknown}"
    same = len(first) == len(second) and all(map(np.array_equal, first, second))
    return "kept" if same else "WRONG: what memory held before changes a result"


def _run(model: Model, text: str, garbage: float) -> list[Array]:
    sample = draw(model, "bounds", 0)
    long = partial(long_constants, model)
    machine = Machine(parse(text), DOUBLE, lambda size: np.full(size, garbage, object), long)
    numbers = {n: a if a.dtype.kind == "i" else a.astype(object) for n, a in sample.arrays.items()}
    parts = [np.ravel(numbers[name]) for name in machine.text.facts["SHAPES"]]
    theta = np.concatenate(parts) if parts else np.empty(0, object)
    inputs, targets = ([numbers[t.name] for t in ts] for ts in (model.spec.inputs, model.spec.targets))
    with np.errstate(all="ignore"):
        tensors = interpret(model, sample.arrays, DOUBLE).tensors
        nexts = {n.state: np.asarray(tensors[n.equation], object) for n in model.next_values}
        differ = model.evaluation is not None
        found = outcome_of(machine, theta, inputs, targets, model.frozen, nexts, differ=differ)
    gradient = [] if found.gradient is None else [found.gradient, np.asarray(found.loss)]
    return [*gradient, *found.input_gradients, *found.outputs, *found.prediction]


def _certificate(model: Model, text: str) -> tuple[str, float | None]:
    """How many units the module, run by Python in its own number type, is from the exact gradient at most."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "module.py"
        file.write_text(text, encoding="utf-8")
        try:
            certificate = certify(model, InProcess(interpreted(file)))
        except SymgradError as error:
            return f"none: {error.problem}", None
    worst = max(block["worst_ulps"] for block in certificate["gradients"].values())
    return "certified" if worst < _WIDE else "none: the balls are too wide to say anything", worst
