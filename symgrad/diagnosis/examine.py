"""The examination: one topic after another, as far as what is installed allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.diagnosis.diagnosis_report import Diagnosis, Finding
from symgrad.diagnosis.installed import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def examine(progress: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """All findings; what is broken keeps those that need it from being made."""
    progress("looking at what is installed")
    packages = list(installed())
    if any(finding.verdict == "broken" for finding in packages):
        return Diagnosis(_by_topic(packages))
    return Diagnosis(_by_topic([*packages, *_examined(progress)]))


def _examined(progress: Callable[[str], None]) -> Iterator[Finding]:
    from symgrad.diagnosis.hardware import blas, numba_threads, processor
    from symgrad.diagnosis.module_cache import cache
    from symgrad.diagnosis.trial_module import trial

    yield from processor()
    yield from blas()
    yield from numba_threads()
    yield from cache()
    yield from trial(progress)


def _by_topic(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings of one topic side by side; the extras and the trial stand last."""
    topics = [topic for topic in dict.fromkeys(f.topic for f in findings) if topic not in ("extras", "trial")]
    return tuple(f for topic in (*topics, "extras", "trial") for f in findings if f.topic == topic)
