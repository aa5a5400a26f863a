"""What compare does: the ways to a gradient side by side, and the progress to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad import api
from symgrad.cli.endings import FAILED, GOOD, warnings_shown
from symgrad.cli.output import produce_json, produce_report, stderr

if TYPE_CHECKING:
    from pathlib import Path


def compare_ways(spec_file: Path, as_json: bool, **options: Any) -> int:
    """Compare the ways and show the table; a terminal shows meanwhile which way is gone."""
    spec, console = api.read(spec_file), stderr()
    with console.status("compiling the module") as status:
        comparison = api.compare(spec, progress=status.update, **options)
    if as_json:
        produce_json(comparison.as_dict() | {"warnings": warnings_shown()})
    else:
        produce_report(comparison.table())
    return GOOD if comparison.passed else FAILED
