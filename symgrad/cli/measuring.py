"""What bench and doctor do: measure, and show what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad import api
from symgrad.cli.endings import FAILED, GOOD, warnings_shown
from symgrad.cli.output import produce_json, produce_report, stderr

if TYPE_CHECKING:
    from pathlib import Path


def show_benchmark(spec_file: Path, as_json: bool, **options: Any) -> int:
    """Time the spec and show the table; a terminal shows meanwhile what is done."""
    spec, console = api.read(spec_file), stderr()
    with console.status("reading") as status:
        benchmark = api.bench(spec, progress=status.update, **options)
    if as_json:
        produce_json(benchmark.as_dict() | {"warnings": warnings_shown()})
    else:
        produce_report(benchmark.table())
    return GOOD if benchmark.passed else FAILED


def show_diagnosis(as_json: bool) -> int:
    """Examine the machine and show the findings."""
    with stderr().status("looking around") as status:
        diagnosis = api.doctor(status.update)
    if as_json:
        produce_json(diagnosis.as_dict())
    else:
        produce_report(diagnosis.table())
    return GOOD if diagnosis.passed else FAILED
