"""A module in a file judged against its spec, in processes of its own; what passed is kept with its text."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llvmlite import binding

from symgrad.compiler.loading.cache import file_to_judge, spec_content
from symgrad.gate import derived_text
from symgrad.isolation import is_compiled, isolated
from symgrad.kept_verdicts import Question, keep, kept
from symgrad.spec.expand import expand
from symgrad.verifier import Report, verify

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class Judgement:
    """How a module is judged: gradients at so many points, drawn from a seed, no call longer than so many
    seconds. With `anew` False a verdict that was kept of this very text, spec, judge and machine will do."""

    points: int
    seed: int
    time_limit: float
    anew: bool = True

    def question(self, spec: Spec, text: bytes) -> Question:
        """What is asked of a text, with all that the verdict depends on."""
        how = (self.points, self.seed, self.time_limit)
        return Question(text, ("verify", how, spec.sha256, spec_content(spec), _machine()))


def judged(spec: Spec, file: Path | None, how: Judgement) -> Report:
    """The verdict on the module in a file, or on the one that symgrad generates.

    Raises:
        ModuleError: there is no such module, it cannot be loaded, or it lacks one of the stable names.
    """
    if file is not None and not how.anew and file.is_file():
        before = kept(how.question(spec, file.read_bytes()))
        if before is not None:
            return replace(Report.read(before.found), kept=str(before))
    return _judged_now(spec, file, how)


def _judged_now(spec: Spec, file: Path | None, how: Judgement) -> Report:
    model = expand(spec)
    with isolated(file or partial(file_to_judge, spec, derived_text), how.time_limit) as (door, twin):
        text = Path(door.facts.at).read_bytes()
        emitted = derived_text(spec) if file else text.decode()
        report = verify(model, door, twin=twin, points=how.points, seed=how.seed, emitted=emitted)
    if report.passed and text == emitted.encode() == Path(door.facts.at).read_bytes():
        keep(how.question(spec, text), report.written())
    return report


def _machine() -> tuple[object, ...]:
    """What compiled code depends on beside its text: the processor, the system, and what Numba is told."""
    told = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    features = binding.get_host_cpu_features().flatten()
    return (binding.get_host_cpu_name(), features, platform.platform(), is_compiled(), told)
