"""The command that measures and prints everything."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from benchmarks.alone import GROWING, MEMORY_PROBLEMS, REPEATS, footprint, growing_problems, growth, start
from benchmarks.floor import floor_of, measured_rates
from benchmarks.machine import available_cores, machine
from benchmarks.peers import PEERS, Peer
from benchmarks.problems import ALL_PROBLEMS, Problem
from benchmarks.processes import Beside, Place, Process, beside
from benchmarks.race import REFERENCE, Pace, race
from benchmarks.results import Results, Steps
from benchmarks.tables import tables

PARTS = ("steps", "start", "memory", "growth")
QUICK = Pace(rounds=3, least=2, seconds=0.05)
PROBING, QUICK_PROBING = 0.15, 0.01
WIDTH = 240  # of the tables where the output is no terminal


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(PARTS), help="Measure this alone; may be repeated."
)
@click.option("--problems", default="", help="Parts of the problems' names, between commas.")
@click.option("--peers", default="", help="Names of peers, between commas.")
@click.option(
    "--cores", type=click.Choice(["one", "all", "both"]), default="both", help="Where steps are timed."
)
@click.option(
    "--beside",
    "what",
    type=click.Choice(["nothing", "busy"]),
    default="nothing",
    help="What else runs during the races: one process that computes all the time.",
)
@click.option("--rounds", type=click.IntRange(1), default=Pace.rounds, help="Epochs of each peer, at most.")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="The clock that times an epoch."
)
@click.option("--quick", is_flag=True, help="Few epochs: to see that it runs, not for numbers.")
@click.option("--python", "pythons", multiple=True, metavar="PEER=PATH", help="The interpreter of a peer.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also write a .md or .json file.",
)
def main(
    parts: tuple[str, ...],
    problems: str,
    peers: str,
    cores: str,
    what: Beside,
    rounds: int,
    clock: Literal["wall", "cpu"],
    quick: bool,
    pythons: tuple[str, ...],
    outputs: tuple[Path, ...],
) -> None:
    """Time symgrad and its peers at the same work, and print every table."""
    begun = time.perf_counter()
    parts = parts or PARTS
    chosen = [p for p in ALL_PROBLEMS if _named(p.name, problems)]
    if not chosen:
        raise click.BadParameter(f"no problem has {problems!r} in its name", param_hint="--problems")
    for output in outputs:
        if output.suffix not in (".md", ".json"):
            raise click.BadParameter(
                f"expected a name that ends in .md or .json, got {output}", param_hint="--output"
            )
    all_cores = available_cores()
    place = Place(all_cores[-1:], _interpreters(pythons), clock=clock)
    said = Console(stderr=True)
    results, there = _present(Results(machine()), _chosen_peers(peers), place, said)
    if "steps" in parts:
        places = {"one": all_cores[-1:], "all": all_cores}
        for pinned in dict.fromkeys(c for name, c in places.items() if cores in (name, "both")):
            pace = replace(QUICK, rounds=min(rounds, QUICK.rounds)) if quick else Pace(rounds)
            results = _steps(results, there, chosen, replace(place, cores=pinned), what, pace, said)
    if "start" in parts:
        said.print("the first step")
        results = replace(results, starts=tuple(start(p, place, 1 if quick else REPEATS) for p in there))
    if "memory" in parts:
        said.print("memory")
        measured = [problem for problem in MEMORY_PROBLEMS if problem in chosen]
        found = (footprint(p, place, problem) for problem in measured for p in there)
        results = replace(results, footprints=tuple(found))
    if "growth" in parts:
        said.print("growth with depth, width and batch")
        growing = [(p, *point) for point in growing_problems(quick) for p in there if p.name in GROWING]
        results = replace(results, growths=tuple(growth(p, place, row, at) for p, row, at in growing))
    minutes = f"{(time.perf_counter() - begun) / 60:.1f} minutes"
    _show(replace(results, machine=results.machine | {"time taken": minutes}), outputs)


def _named(name: str, wanted: str) -> bool:
    return any(part.strip().lower() in name.lower() for part in wanted.split(","))


def _chosen_peers(wanted: str) -> list[Peer]:
    """The peers of these names, symgrad always among them: the losses are compared with its own."""
    if not wanted:
        return list(PEERS)
    names = {name.strip().lower() for name in wanted.split(",")}
    known = {peer.name.lower() for peer in PEERS}
    if unknown := sorted(names - known):
        expected = ", ".join(peer.name for peer in PEERS)
        raise click.BadParameter(
            f"no peer is called {unknown[0]!r}; there are {expected}", param_hint="--peers"
        )
    return [peer for peer in PEERS if peer.name.lower() in names | {REFERENCE}]


def _interpreters(given: tuple[str, ...]) -> dict[str, str]:
    names = {peer.name.lower(): peer.name for peer in PEERS}
    found = {}
    for text in given:
        name, _, path = text.partition("=")
        if name.lower() not in names or not Path(path).is_file():
            raise click.BadParameter(
                f"expected PEER=PATH of an interpreter, got {text!r}", param_hint="--python"
            )
        found[names[name.lower()]] = path
    return found


def _present(results: Results, peers: list[Peer], place: Place, said: Console) -> tuple[Results, list[Peer]]:
    """The peers that are installed, with their versions; the others are said to be missing."""
    versions, missing = {}, {}
    for peer in peers:
        with Process(peer, place) as process:
            answer = process.ask("about")
        if "missing" in answer:
            missing[peer.name] = answer["missing"]
            said.print(f"[yellow]{peer.name} is left out: {answer['missing']}")
        else:
            versions[peer.name] = answer["versions"]
    there = [peer for peer in peers if peer.name in versions]
    return replace(results, versions=versions, missing=missing), there


def _steps(
    results: Results,
    peers: list[Peer],
    problems: list[Problem],
    place: Place,
    what: Beside,
    pace: Pace,
    said: Console,
) -> Results:
    """Race all peers on all problems, between two measurements of the machine's rates."""
    count, probing = len(place.cores), QUICK_PROBING if pace.rounds <= QUICK.rounds else PROBING
    rates, races, libraries = measured_rates(place, probing), [], {}
    with ExitStack() as stack:
        processes = [stack.enter_context(Process(peer, place)) for peer in peers]
        stack.enter_context(beside(what, place.cores))
        for number, problem in enumerate(problems, 1):
            said.print(
                f"steps on {count} core{'s' * (count > 1)}, {number} of {len(problems)}: {problem.name}"
            )
            races.append(race(problem, processes, pace))
        libraries = {
            process.peer.name: process.ask("libraries").get("libraries", []) for process in processes
        }
    rates = rates.best(measured_rates(place, probing))
    floors = tuple(floor_of(problem, rates) for problem in problems if not problem.is_compared_at_first)
    found = Steps(count, tuple(races), floors, rates, what)
    return replace(results, steps=(*results.steps, found), libraries=libraries)


def _show(results: Results, outputs: tuple[Path, ...]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    drawn = list(tables(results))
    for table in drawn:
        console.print(table.rich())
    for output in outputs:
        if output.suffix == ".json":
            text = json.dumps(results.as_data(), indent=1)
        else:
            text = "\n".join(table.markdown() for table in drawn)
        output.write_text(text + "\n", encoding="utf-8")
