"""Results as tables, for the terminal and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from benchmarks.alone import by_row
from benchmarks.goals import OURS, goals
from benchmarks.race import AGREEMENT
from benchmarks.results import peers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.alone import Growth
    from benchmarks.race import Lap, Race
    from benchmarks.results import Results, Steps

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A title, columns, rows of texts, and sentences below; `numbers` stand on the right of their columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    numbers: bool = True

    def rich(self) -> RichTable:
        """For the terminal."""
        caption = "\n".join(self.notes) or None
        drawn = RichTable(title=self.title, caption=caption, box=SIMPLE_HEAD, title_justify="left")
        drawn.caption_justify = "left"
        for place, column in enumerate(self.columns):
            drawn.add_column(column, justify="right" if place and self.numbers else "left", no_wrap=not place)
        for row in self.rows:
            drawn.add_row(*row)
        return drawn

    def markdown(self) -> str:
        """For a README."""
        lines = [
            self.columns,
            ("---", *("---:" if self.numbers else "---" for _ in self.columns[1:])),
            *self.rows,
        ]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join([f"### {self.title}", body, *self.notes]) + "\n"


def tables(results: Results) -> Iterator[Table]:
    """All that was measured, and the goals."""
    yield _machine(results)
    for steps in results.steps:
        yield _times(steps, results.missing)
        yield _rates(steps)
    if results.starts:
        yield _starts(results)
    if results.footprints:
        yield _footprints(results)
    for row, points in by_row(results.growths).items():
        yield _growth(row, points)
    if checked := goals(results):
        marks = {True: "met", False: "NOT met", None: "?"}
        rows = tuple((goal.demand, goal.measured, marks[goal.met]) for goal in checked)
        yield Table("Goals, on one core", ("goal", "measured", ""), rows, numbers=False)


def _machine(results: Results) -> Table:
    rows = list(results.machine.items())
    for peer, versions in results.versions.items():
        rows.append((peer, ", ".join(f"{name} {version}" for name, version in versions.items())))
    for peer, files in results.libraries.items():
        if files:
            rows.append((f"BLAS files in the process of {peer}", ", ".join(files)))
    rows += [(peer, f"left out: {reason}") for peer, reason in results.missing.items()]
    return Table("Machine", ("", "what"), tuple(rows), numbers=False)


def _times(steps: Steps, missing: dict[str, str]) -> Table:
    peers = peers_of(steps)
    columns = ("problem", *peers, "floor", "symgrad / floor", "best peer / symgrad")
    rows = tuple((race.problem, *_cells(steps, race, peers)) for race in steps.races)
    notes = [
        "Microseconds per step: the median over epochs, ± half the distance between the quartiles.",
        f"≠ the loss after the run is not symgrad's within {AGREEMENT:g} of it; such a time counts nowhere.",
        *_disagreements(steps),
        *(f"{peer} is left out: {reason}." for peer, reason in missing.items()),
        *_absences(steps),
    ]
    cores = "one core, the same for all" if steps.cores == 1 else f"{steps.cores} cores"
    beside = ", with one busy process beside" if steps.beside == "busy" else ""
    return Table(f"Time per step on {cores}{beside}", columns, rows, tuple(notes))


def _cells(steps: Steps, race: Race, peers: Sequence[str]) -> Iterator[str]:
    for peer in peers:
        lap = race.lap(peer)
        yield _time(lap) if lap else NONE
    mine, floor = steps.median(race.problem, "symgrad"), steps.floor(race.problem)
    others = (steps.median(race.problem, lap.peer) for lap in race.laps if lap.peer not in OURS)
    best = min((time for time in others if time is not None), default=None)
    yield _number(floor * 1e6) if floor else NONE
    yield f"{mine / floor:.2f}" if mine and floor else NONE
    yield f"{best / mine:.2f}" if mine and best else NONE


def _time(lap: Lap) -> str:
    first, median, third = lap.quartiles
    mark = "" if lap.agrees else " ≠"
    return f"{_number(median * 1e6)} ±{50 * (third - first) / median:.0f}%{mark}"


def _number(value: float) -> str:
    """Three figures, or all before the point."""
    return f"{value:.{max(0, 2 - len(str(int(value))) + (value >= 1))}f}" if value >= 0.1 else f"{value:.2g}"


def _disagreements(steps: Steps) -> Iterator[str]:
    for race in steps.races:
        for lap in race.laps:
            if not lap.agrees:
                apart = "unknown" if lap.difference is None else f"{lap.difference:.1e}"
                path = f"its loss went from {lap.losses[0]:.6g} to {lap.losses[1]:.6g}"
                yield f"≠ {lap.peer} in {race.problem}: {path}; distance {apart}."


def _absences(steps: Steps) -> Iterator[str]:
    """Why a peer has no time, once for all problems with the same reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for race in steps.races:
        for peer, reason in race.missing:
            reasons.setdefault((peer, reason), []).append(race.problem)
    for (peer, reason), problems in reasons.items():
        yield f"{NONE} {peer}: {reason} ({', '.join(problems)})."


def _rates(steps: Steps) -> Table:
    rows = [(name, f"{rate / 1e9:.0f} GFLOP/s") for name, rate in steps.rates.products.items()]
    rows += [
        (f"array of {_size(size)}", f"{rate / 1e9:.0f} GB/s") for size, rate in steps.rates.passes.items()
    ]
    title = f"Rates behind the floor, {'one core' if steps.cores == 1 else f'{steps.cores} cores'}"
    return Table(title, ("float32", "best"), tuple(rows))


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB"


def _starts(results: Results) -> Table:
    columns = ("peer", "imports s", "cold s", "warm s", "warm with imports s")
    rows = []
    notes = ["examples/digits.yaml: from the spec, or the model's definition, to the end of its first step."]
    for start in results.starts:
        if start.missing:
            notes.append(f"{start.peer} is left out: {start.missing}.")
        else:
            numbers = (start.imports, start.cold, start.warm, start.whole)
            rows.append((start.peer, *(f"{seconds:.2f}" for seconds in numbers)))
    notes.append(
        "Cold: empty caches. Warm: a new process with full ones. Both are counted after the imports."
    )
    return Table("Spec to first step", columns, tuple(rows), tuple(notes))


def _footprints(results: Results) -> Table:
    columns = ("problem", "peer", "all imports", "first run", "later run")
    rows = []
    notes = ["Megabytes: after all imports, and the peaks of processes that import what they need and train."]
    for found in results.footprints:
        if found.missing:
            notes.append(f"{found.peer} is left out of {found.problem}: {found.missing}.")
            continue
        numbers = (found.imported, found.cold, found.warm)
        rows.append((found.problem, found.peer, *(f"{number / 1e6:.0f}" for number in numbers)))
    return Table("Memory", columns, tuple(rows), tuple(notes))


def _growth(row: str, points: list[Growth]) -> Table:
    peers = list(dict.fromkeys(point.peer for point in points))
    kinds: tuple[tuple[str, Callable[[Growth], str]], ...] = (
        ("cold s", lambda point: f"{point.cold:.2f}"),
        ("µs per step", lambda point: _number(point.step * 1e6)),
        ("peak MB", lambda point: f"{point.peak / 1e6:.0f}"),
    )
    found = {(point.peer, point.problem): point for point in points}
    lines = []
    for problem in dict.fromkeys(point.problem for point in points):
        there = [found[peer, problem] for peer in peers]
        lines.append((problem, *(NONE if p.missing else show(p) for _, show in kinds for p in there)))
    columns = (row, *(f"{peer}: {kind}" for kind, _ in kinds for peer in peers))
    notes = tuple(f"{NONE} {p.peer}, {p.problem}: {p.missing}." for p in points if p.missing)
    return Table(f"Growth with {row}", columns, tuple(lines), notes)
