"""Reports of what passed, kept with the text of the module that they are of."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llvmlite import binding

from symgrad.compiler.loading.cache import spec_content
from symgrad.compiler.loading.load import is_compiled
from symgrad.judgement.kept_verdicts import Question, keep, kept
from symgrad.verifier.report import Report

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class Judgement:
    """How the module of a spec is judged: gradients at so many points, drawn from a seed, no call longer
    than so many seconds."""

    spec: Spec
    points: int
    seed: int
    time_limit: float

    def question(self, text: bytes) -> Question:
        """What is asked of a text, with all that the verdict depends on."""
        how = (self.points, self.seed, self.time_limit)
        return Question(text, ("verify", how, self.spec.sha256, spec_content(self.spec), _machine()))

    def kept(self, text: bytes) -> Report | None:
        """The report of this very text by this judge on this machine, if it passed before."""
        before = kept(self.question(text))
        return None if before is None else replace(Report.read(before.found), kept=str(before))

    def keep(self, text: bytes, report: Report) -> None:
        """Keep the report of a text that passed."""
        keep(self.question(text), report.written())


def _machine() -> tuple[object, ...]:
    """What compiled code depends on beside its text: the processor, the system, and what Numba is told."""
    told = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    features = binding.get_host_cpu_features().flatten()
    return (binding.get_host_cpu_name(), features, platform.platform(), is_compiled(), told)
