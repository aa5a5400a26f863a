"""What verify, rates, bench, compare and doctor do: measure, and show what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from symgrad import api
from symgrad.cli.endings import FAILED, GOOD, warnings_shown
from symgrad.cli.output import produce_json, produce_report, say, stderr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import RenderableType


class Measured(Protocol):
    """What was found: a table, a record, and whether all is well."""

    @property
    def passed(self) -> bool: ...
    def table(self) -> RenderableType: ...
    def as_dict(self) -> dict[str, Any]: ...


def verify_module(
    spec_file: Path, module_file: Path | None, derive: Sequence[str], as_json: bool, **options: Any
) -> int:
    """Check the module against the spec and show the report."""
    report = api.verify(api.read(spec_file, derive=derive), module_file, **options)
    return _show(report, as_json, warnings=warnings_shown())


def bench_spec(spec_file: Path, as_json: bool, **options: Any) -> int:
    """Time the spec and show the table; a terminal shows meanwhile what is done."""
    spec = api.read(spec_file)
    with stderr().status("reading") as status:
        benchmark = api.bench(spec, progress=status.update, **options)
    return _show(benchmark, as_json, warnings=warnings_shown())


def compare_ways(spec_file: Path, as_json: bool, **options: Any) -> int:
    """Compare the ways to a gradient and show the table; a terminal shows meanwhile which way is gone."""
    spec = api.read(spec_file)
    with stderr().status("compiling the module") as status:
        comparison = api.compare(spec, progress=status.update, **options)
    return _show(comparison, as_json, warnings=warnings_shown())


def plan_spec(spec_file: Path, picture: Path | None, as_json: bool, **options: Any) -> int:
    """Predict how training scales and show the table; a terminal shows meanwhile what is timed."""
    spec = api.read(spec_file)
    with stderr().status("reading") as status:
        found = api.plan(spec, progress=status.update, **options)
    if picture is not None:
        found.write_picture(picture)
        say(f"wrote {picture}")
    return _show(found, as_json, warnings=warnings_shown())


def find_rates(spec_file: Path, picture: Path | None, as_json: bool, **options: Any) -> int:
    """Test learning rates and show what was found; a terminal shows meanwhile what is done."""
    with stderr().status("deriving and compiling"):
        found = api.rates(spec_file, **options)
    if picture is not None:
        found.write_picture(picture)
        say(f"wrote {picture}")
    return _show(found, as_json, warnings=warnings_shown())


def examine(as_json: bool) -> int:
    """Examine the machine and show the findings."""
    with stderr().status("looking around") as status:
        diagnosis = api.doctor(status.update)
    return _show(diagnosis, as_json)


def _show(found: Measured, as_json: bool, **more: Any) -> int:
    if as_json:
        produce_json(found.as_dict() | more)
    else:
        produce_report(found.table())
    return GOOD if found.passed else FAILED
