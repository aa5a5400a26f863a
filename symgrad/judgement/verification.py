"""A module in a file judged against its spec, in processes of its own; what passed is kept with its text."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.compiler.loading.cache import file_to_judge
from symgrad.isolation import isolated
from symgrad.judgement.gate import GATE_SEED, admit, derived_text, found_before
from symgrad.spec.expand import expand
from symgrad.verifier.verdict import verify

if TYPE_CHECKING:
    from symgrad.judgement.kept_reports import Judgement
    from symgrad.verifier.report import Report


def judged(how: Judgement, file: Path | None, *, anew: bool = True) -> Report:
    """The verdict on the module in a file, or on the one that symgrad generates.

    Unless all is judged `anew`, what was found of this very text before it was handed over is not found
    again; the report says so. A text as emitted that passed whole needs no further judgement at the gate.

    Raises:
        ModuleError: there is no such module, it cannot be loaded, or it lacks one of the stable names.
    """
    spec, model = how.spec, expand(how.spec)
    with isolated(file or partial(file_to_judge, spec, derived_text), how.time_limit) as (door, twin):
        text = Path(door.facts.at).read_bytes()
        emitted = derived_text(spec) if file else text.decode()
        known = None if anew or how.seed != GATE_SEED else found_before(spec, text)
        identity, when = known or (None, "")
        report = verify(
            *(model, door),
            twin=twin,
            points=how.points,
            seed=how.seed,
            emitted=emitted,
            identity=identity,
        )
    if known:
        report = replace(report, notes=(*report.notes, f"identity was found on {when}"))
    if report.passed and text == emitted.encode() == Path(door.facts.at).read_bytes():
        how.keep(text, report)
        if report.is_identical:
            admit(spec, emitted)
    return report
