"""What a benchmark found: for people a table, for machines a dict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.benchmark.units import amount, duration
from symgrad.displayed import Displayed
from symgrad.plain_text import plain_text

if TYPE_CHECKING:
    from symgrad.benchmark.parts import Part
    from symgrad.benchmark.timing import Times
    from symgrad.benchmark.workload import Kind
    from symgrad.compiler.planning.cost import Cost

SAME_LOSS = 1e-4
"""By how much of themselves losses may differ and still be said to agree."""

_MOST_EQUATIONS = 4
_LEAST_SHARE = 0.005
"""What takes less than this part of the time is not shown by itself."""


@dataclass(frozen=True)
class BenchmarkRow:
    """One way to make steps, and its times. `difference` is that of its losses from symgrad's.

    `rounding` is the difference that rounding makes, where the losses needed that to be found out.
    """

    name: str
    times: Times | None
    difference: float | None = None
    rounding: float = 0.0
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether its losses are symgrad's, but for what rounding may do to both."""
        return self.difference is not None and self.difference <= max(SAME_LOSS, 2 * self.rounding)


@dataclass(frozen=True)
class MachineLimits:
    """What was measured here and now: operations per second in products, bytes per second in copies."""

    cpu: str
    cores: int
    blas: str
    product_rate: float
    bandwidth: float


@dataclass(frozen=True, repr=False)
class Benchmark(Displayed):
    """The times of a spec's step. It prints as a plain table; `table()` is for a terminal.

    `rows` begin with symgrad. `cost` is what the plan computes and moves in a step, `least` what any
    program must. `parts` are the statements of the step; what they leave of its time is `rest`.
    """

    name: str
    kind: Kind
    dtype: str
    parameters: int
    rows_per_step: int
    sizes: tuple[tuple[str, int], ...]
    steps: int
    origin: str
    machine: MachineLimits
    rows: tuple[BenchmarkRow, ...]
    cost: Cost
    least: Cost
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all who ran did the same work."""
        return all(row.agrees for row in self.rows[1:] if row.times is not None)

    @property
    def times(self) -> Times:
        """symgrad's own times of a step."""
        own = self.rows[0].times
        assert own is not None, "symgrad's own row is always timed"  # noqa: S101
        return own

    @property
    def floor(self) -> float:
        """The seconds that `least` takes at the rates measured."""
        return self.least.flops / self.machine.product_rate + self.least.bytes / self.machine.bandwidth

    @property
    def rest(self) -> float:
        """The seconds of a step that are no part's: loops, calls, the checks of the data."""
        return self.times.median - sum(part.seconds for part in self.parts)

    def table(self) -> Group:
        """For a rich console: who is how fast, the distance to the floor, then the parts of the step."""
        sizes = ", ".join(f"{name} {size}" for name, size in self.sizes)
        said = [f"{self.parameters:,} parameters", self.dtype, *([sizes] if sizes else []), self.origin]
        cores = "1 core" if self.machine.cores == 1 else f"{self.machine.cores} cores"
        return Group(
            Text(f"{self.name}: a {self.kind} with {', '.join(said)}", style="bold"),
            Text(f"{cores} of {self.machine.cpu}; products by {self.machine.blas}"),
            _rows(self),
            *map(Text, _work(self)),
            *([_parts(self)] if self.parts else []),
            *map(Text, self.notes),
        )

    def as_dict(self) -> dict[str, Any]:
        """The benchmark as JSON can hold it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "dtype": self.dtype,
            "parameters": self.parameters,
            "rows_per_step": self.rows_per_step,
            "sizes": dict(self.sizes),
            "steps": self.steps,
            "data": self.origin,
            "machine": asdict(self.machine),
            "seconds_per_step": self.times.median,
            "rows_per_second": self.rows_per_step / self.times.median,
            "flops_per_step": self.cost.flops,
            "bytes_per_step": self.cost.bytes,
            "floor": {**asdict(self.least), "seconds": self.floor, "share": self.floor / self.times.median},
            "ways": [_way(row) for row in self.rows],
            "parts": [self._part(part) for part in self.parts],
            "rest_seconds": self.rest,
            "notes": list(self.notes),
        }

    def _part(self, part: Part) -> dict[str, Any]:
        return {**asdict(part), "what": list(part.what), "share": part.seconds / self.times.median}

    def __str__(self) -> str:
        return plain_text(self.table(), 110)


def _way(row: BenchmarkRow) -> dict[str, Any]:
    difference = row.difference if row.difference is not None and math.isfinite(row.difference) else None
    rounding = row.rounding if math.isfinite(row.rounding) else None
    found = {"difference": difference, "rounding": rounding}
    return {**asdict(row), **found, "agrees": None if row.difference is None else row.agrees}


def _rows(benchmark: Benchmark) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("way", no_wrap=True)
    for title in ("time per step", "middle half", "rows per second", "× symgrad"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("losses")
    for row in benchmark.rows:
        if row.times is None:
            table.add_row(row.name, "", "", "", "", Text(row.note, style="dim"))
            continue
        t = row.times
        table.add_row(
            row.name,
            duration(t.median),
            f"{duration(t.lower)} to {duration(t.upper)}",
            amount(benchmark.rows_per_step / t.median),
            f"{t.median / benchmark.times.median:.3g}×",
            _agreement(row),
        )
    return table


def _agreement(row: BenchmarkRow) -> Text:
    if row.difference is None:
        return Text(row.note, style="dim")
    if row.agrees:
        within = f" within rounding, {row.difference:.0e}" if row.difference > SAME_LOSS else ""
        return Text(f"agree{within}", style="green")
    return Text(f"DIFFER by {row.difference:.1e}: not the same work", style="bold red")


def _work(benchmark: Benchmark) -> tuple[str, ...]:
    cost, least, seconds, machine = benchmark.cost, benchmark.least, benchmark.times.median, benchmark.machine
    rates = f"{amount(cost.flops / seconds)}FLOP/s, {amount(cost.bytes / seconds)}B/s"
    share = f"{benchmark.floor / seconds:.0%} of the time"
    return (
        f"work per step: {amount(cost.flops)}FLOP, {amount(cost.bytes)}B; {rates}",
        f"floor: {duration(benchmark.floor)}, {share}: products of "
        f"{amount(least.flops)}FLOP at {amount(machine.product_rate)}FLOP/s, "
        f"{amount(least.bytes)}B at {amount(machine.bandwidth)}B/s",
    )


def _parts(benchmark: Benchmark) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title in ("share", "time", "FLOP", "bytes", "rate"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("where the time goes")
    whole = benchmark.times.median
    shown = [part for part in benchmark.parts if part.seconds >= _LEAST_SHARE * whole]
    for part in shown:
        work = ("", "", "")
        if part.cost is not None:
            work = amount(part.cost.flops), amount(part.cost.bytes), _rate(part)
        table.add_row(f"{part.seconds / whole:.1%}", duration(part.seconds), *work, "\n".join(_lines(part)))
    small = benchmark.parts[len(shown) :]
    if small:
        seconds = sum(part.seconds for part in small)
        table.add_row(f"{seconds / whole:.1%}", duration(seconds), "", "", "", f"{len(small)} smaller ones")
    rest = benchmark.rest
    said = "the rest: calls, loops, checks of the data"
    if rest < 0:
        said = "by so much the parts are slower in the copy that times them"
    table.add_row(f"{rest / whole:.1%}", duration(rest), "", "", "", said)
    return table


def _lines(part: Part) -> list[str]:
    lines = list(part.what[:_MOST_EQUATIONS])
    if len(part.what) > _MOST_EQUATIONS:
        lines[-1] = f"... and {len(part.what) - _MOST_EQUATIONS + 1} more"
    return [*lines, f"({part.times} layers)"] if part.times > 1 else lines


def _rate(part: Part) -> str:
    """Operations per second of a product, bytes per second of everything else."""
    if part.cost is None or not part.cost.bytes or not part.seconds:
        return ""
    if part.is_product:
        return f"{amount(part.cost.flops / part.seconds)}FLOP/s"
    return f"{amount(part.cost.bytes / part.seconds)}B/s"
