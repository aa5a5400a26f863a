"""The command: plant, judge, and print what became of it by kind."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict
from itertools import zip_longest
from multiprocessing import get_context
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
from mutation.regions import COMPILED_ALONE
from mutation.specs import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mutation.faults import Fault

Process = get_context("fork").Process
Planted = tuple[Original, "Fault"]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--mutants", type=click.IntRange(1), default=840, help="How many faults to plant.")
@click.option("--minutes", type=click.FloatRange(min=0), default=60.0, help="When to stop before that.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws which faults.")
@click.option("--spec", "specs", multiple=True, type=click.Choice(list(SPECS)), help="In these alone.")
@click.option("--region", "wanted", multiple=True, help="In definitions of this kind alone.")
@click.option("--compiled", type=click.IntRange(0), default=60, help="So many of them in compiled modules.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Keep outcomes in this file, and do not plant again what is there.",
)
@click.option("--processes", type=click.IntRange(1), default=1, help="So many judge side by side.")
def main(
    mutants: int,
    minutes: float,
    seed: int,
    specs: tuple[str, ...],
    wanted: tuple[str, ...],
    compiled: int,
    results: Path | None,
    processes: int,
) -> None:
    """Plant faults in emitted modules and see whether the judge finds them, and names the right thing."""
    without_compiling()
    end = time.monotonic() + 60 * minutes
    with TemporaryDirectory() as folder:
        originals = [Original(name, SPECS[name], Path(folder)) for name in specs or SPECS]
        kept = results or Path(folder) / "results"
        known = {(o.spec, o.title, o.compiled) for o in read_results(kept)}
        chosen = [
            (original, fault, is_compiled)
            for original, fault, is_compiled in planted(originals, mutants, compiled, seed, wanted)
            if (original.name, fault.title, is_compiled) not in known
        ]
        shares = [Process(target=judge, args=(chosen[n::processes], kept, end)) for n in range(processes)]
        for share in shares:
            share.start()
        for share in shares:
            share.join()
        Console().print(table(read_results(kept)))


def judge(chosen: list[tuple[Original, Fault, bool]], results: Path, end: float) -> None:
    """Judge these faults one after the other until the time is over, and keep what becomes of them."""
    console = Console()
    for original, fault, is_compiled in chosen:
        if time.monotonic() > end:
            return
        outcome = original.outcome(fault, compiled=is_compiled)
        keep(results, outcome)
        if outcome.end not in ("caught", "refused") or not outcome.rightly_named:
            title = f"{outcome.end}: {outcome.spec}: {outcome.title} {list(outcome.failed)}"
            console.print(title, markup=False)


def planted(
    originals: list[Original], count: int, compiled: int, seed: int, wanted: tuple[str, ...] = ()
) -> list[tuple[Original, Fault, bool]]:
    """So many faults, and whether the module is compiled: so many are, half of these in what is always."""
    compiled = min(compiled, count)
    in_intrinsics = drawn(originals, compiled // 2, seed, lambda r: r == COMPILED_ALONE)

    def elsewhere(region: str) -> bool:
        return region != COMPILED_ALONE and (not wanted or region in wanted)

    others = drawn(originals, count - len(in_intrinsics), seed, elsewhere)
    first = max(compiled - len(in_intrinsics), 0)
    return [
        *((original, fault, True) for original, fault in [*in_intrinsics, *others[:first]]),
        *((original, fault, False) for original, fault in others[first:]),
    ]


def drawn(
    originals: list[Original], count: int, seed: int, is_wanted: Callable[[str], bool]
) -> list[Planted]:
    """So many faults: of every spec and of every kind of definition the same number, as far as there are."""
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[Planted]] = defaultdict(list)
    for original in originals:
        for fault in faults(original.text):
            if is_wanted(fault.region):
                groups[fault.region, original.name].append((original, fault))
    for group in groups.values():
        rng.shuffle(group)  # type: ignore[arg-type]  # a list is shuffled in place
    order = rng.permutation(len(groups))
    shuffled = [list(groups.values())[place] for place in order]
    return [found for turn in zip_longest(*shuffled) for found in turn if found is not None][:count]


def read_results(file: Path) -> Iterator[Outcome]:
    """The outcomes that a file holds."""
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield Outcome(**{**record, "failed": tuple(record["failed"])})


def keep(file: Path, outcome: Outcome) -> None:
    """Add an outcome to a file, as one line that no other process writes into."""
    with file.open("ab", buffering=0) as stream:
        stream.write(json.dumps(asdict(outcome)).encode() + b"\n")


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
