"""The command: plant, judge, and print what became of it by kind."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from mutation.equivalent import argument
from mutation.faults import faults
from mutation.judging import Original, Outcome, without_compiling
from mutation.specs import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mutation.faults import Fault

Planted = tuple[Original, "Fault"]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--mutants", type=click.IntRange(1), default=840, help="How many faults to plant.")
@click.option("--minutes", type=click.FloatRange(min=0), default=60.0, help="When to stop before that.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws which faults.")
@click.option("--spec", "specs", multiple=True, type=click.Choice(list(SPECS)), help="In these alone.")
@click.option("--region", "wanted", multiple=True, help="In definitions of this kind alone.")
@click.option("--compiled", is_flag=True, help="Judge compiled modules: some ten times as slow.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Keep outcomes in this file, and do not plant again what is there.",
)
def main(
    mutants: int,
    minutes: float,
    seed: int,
    specs: tuple[str, ...],
    wanted: tuple[str, ...],
    compiled: bool,
    results: Path | None,
) -> None:
    """Plant faults in emitted modules and see whether the judge finds them, and names the right thing."""
    console = Console()
    if not compiled:
        without_compiling()
    with TemporaryDirectory() as folder:
        originals = [Original(name, SPECS[name], Path(folder)) for name in specs or SPECS]
        chosen = drawn(originals, mutants, seed, wanted)
        found = list(read_results(results))
        known = {(o.spec, o.title) for o in found}
        end = time.monotonic() + 60 * minutes
        for original, fault in chosen:
            if time.monotonic() > end:
                break
            if (original.name, fault.title) in known:
                continue
            outcome = original.outcome(fault, compiled=compiled)
            found.append(outcome)
            keep(results, outcome)
            if outcome.end not in ("caught", "refused") or not outcome.rightly_named:
                console.print(
                    f"{outcome.end}: {outcome.spec}: {outcome.title} {list(outcome.failed)}", markup=False
                )
    console.print(table(found))


def drawn(originals: list[Original], count: int, seed: int, wanted: tuple[str, ...]) -> list[Planted]:
    """So many faults: of every spec and of every kind of definition the same number, as far as there are."""
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[Planted]] = defaultdict(list)
    for original in originals:
        for fault in faults(original.text):
            if not wanted or fault.region in wanted:
                groups[fault.region, original.name].append((original, fault))
    for group in groups.values():
        rng.shuffle(group)  # type: ignore[arg-type]  # a list is shuffled in place
    turns = zip_longest(*groups.values())
    return [planted for turn in turns for planted in turn if planted is not None][:count]


def read_results(file: Path | None) -> Iterator[Outcome]:
    """The outcomes that a file holds."""
    if file is not None and file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield Outcome(**{**record, "failed": tuple(record["failed"])})


def keep(file: Path | None, outcome: Outcome) -> None:
    """Add an outcome to a file."""
    if file is not None:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(outcome)) + "\n")


def table(found: Iterable[Outcome]) -> Table:
    """What became of the faults, by the kind of definition they were planted in."""
    shown = Table(
        "planted in", "planted", "equivalent", "caught", "wrongly named", "not caught", "judge lost"
    )
    rows: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        rows[outcome.region].append(outcome)
    rows = dict(sorted(rows.items()))
    rows["all"] = [outcome for group in rows.values() for outcome in group]
    for name, group in rows.items():
        shown.add_row(name, *map(str, _counts(group)))
    return shown


def _counts(group: list[Outcome]) -> tuple[int, ...]:
    survived = [o for o in group if o.end == "survived"]
    equivalent = sum(bool(argument(o)) for o in survived)
    caught = [o for o in group if o.end in ("caught", "refused")]
    lost = sum(o.end in ("crashed", "hung") for o in group)
    wrongly = sum(not o.rightly_named for o in caught)
    return len(group), equivalent, len(caught), wrongly, len(survived) - equivalent, lost
