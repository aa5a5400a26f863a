"""A module in a file judged against its spec, in processes of its own; what passed is kept with its text."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.compiler.loading.cache import file_to_judge
from symgrad.gate import derived_text
from symgrad.isolation import isolated
from symgrad.spec.expand import expand
from symgrad.verifier.verdict import verify

if TYPE_CHECKING:
    from symgrad.kept_reports import Judgement
    from symgrad.verifier.report import Report


def judged(how: Judgement, file: Path | None) -> Report:
    """The verdict on the module in a file, or on the one that symgrad generates.

    Raises:
        ModuleError: there is no such module, it cannot be loaded, or it lacks one of the stable names.
    """
    spec, model = how.spec, expand(how.spec)
    with isolated(file or partial(file_to_judge, spec, derived_text), how.time_limit) as (door, twin):
        text = Path(door.facts.at).read_bytes()
        emitted = derived_text(spec) if file else text.decode()
        report = verify(model, door, twin=twin, points=how.points, seed=how.seed, emitted=emitted)
    if report.passed and text == emitted.encode() == Path(door.facts.at).read_bytes():
        how.keep(text, report)
    return report
