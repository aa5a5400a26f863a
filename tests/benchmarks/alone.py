"""What a peer costs in a process of its own: the first step, memory, and how they grow with the problem."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.problems import ALL_PROBLEMS, DIGITS, batched, deep, wide
from benchmarks.processes import Place, Process
from benchmarks.race import quartiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers import Peer
    from benchmarks.problems import Problem

REPEATS, LONG = 5, 20.0  # starts of each kind, unless they take longer than these seconds together
EPOCHS = 5  # of a training run whose memory is measured
DEPTHS, WIDTHS, BATCHES = (1, 12, 25, 50, 100), (16, 64, 256, 1024), (1, 16, 128, 1024)
GROWING = ("symgrad", "PyTorch", "JAX scan")
MEASURED = (
    "64-32-32-10 b32",
    "784-1000-1000-10 b512",
    "attention T128 d256 b8",
    "GPT 2 blocks d128 T128 b8",
    "Burgers 2-20-20-20-1 20000 points float64",
    "Burgers 2-50x4-1 20000 points float64",
    "hvp 784-128-10 b256",
    "per_sample 784-128-10 b256",
)
MEMORY_PROBLEMS = tuple(p for p in ALL_PROBLEMS if p.name in MEASURED)


class Missing(Exception):  # noqa: N818  # not an error: it is shown in the table
    """Why a peer has no number."""


@dataclass(frozen=True)
class Start:
    """Seconds from a spec or a model's definition to the end of the first training step, or why none.

    `cold` with empty caches and `warm` with those the cold start filled, both in a new process after its
    imports; `whole` is warm from the start of the process, the imports included.
    """

    peer: str
    imports: float = 0.0
    cold: float = 0.0
    warm: float = 0.0
    whole: float = 0.0
    missing: str = ""


@dataclass(frozen=True)
class Footprint:
    """Bytes a process takes after all imports, and at most in a training run that imports what it needs.

    That is first a cold run, then a warm one.
    """

    peer: str
    problem: str
    imported: int = 0
    cold: int = 0
    warm: int = 0
    missing: str = ""


@dataclass(frozen=True)
class Growth:
    """A peer on one of a row of problems that grow: cold start and step in seconds, peak in bytes."""

    peer: str
    row: str
    problem: str
    cold: float = 0.0
    step: float = 0.0
    peak: int = 0
    missing: str = ""


def start(peer: Peer, place: Place, repeats: int) -> Start:
    """The medians of some starts on the digits example, each of the cold ones with caches of its own."""
    begun = time.perf_counter()
    found: list[tuple[float, float, float, float]] = []
    try:
        while not found or (len(found) < repeats and time.perf_counter() - begun < LONG):
            found.append(_start(peer, place))
    except Missing as reason:
        return Start(peer.name, missing=str(reason))
    imports, cold, warm, whole = (quartiles(times)[1] for times in zip(*found, strict=True))
    return Start(peer.name, imports, cold, warm, whole)


def _start(peer: Peer, place: Place) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        own = replace(place, cache=Path(folder))
        with Process(peer, own) as process:
            imports = _ask(process, "imports")["seconds"]
            cold = _first(process, DIGITS)
        if peer.keeping:
            with Process(peer, own, keeping=True) as process:
                _first(process, DIGITS)
        with Process(peer, own, keeping=True) as process:
            _ask(process, "imports")
            warm = _first(process, DIGITS)
        begun = time.perf_counter()
        with Process(peer, own, keeping=True) as process:
            _first(process, DIGITS)
            whole = time.perf_counter() - begun
    return imports, cold, warm, whole


def footprint(peer: Peer, place: Place, problem: Problem) -> Footprint:
    """The memory of imports and of two training runs, the second with the caches of the first."""
    with tempfile.TemporaryDirectory() as folder:
        own = replace(place, cache=Path(folder))
        try:
            with Process(peer, own) as process:
                imported = _known(_ask(process, "imports")["memory"])
            cold = _train(peer, own, problem)
            if peer.keeping:
                _train(peer, own, problem, keeping=True)
            warm = _train(peer, own, problem, keeping=True)
        except Missing as reason:
            return Footprint(peer.name, problem.name, missing=str(reason))
    return Footprint(peer.name, problem.name, imported, cold, warm)


def _train(peer: Peer, place: Place, problem: Problem, *, keeping: bool = False) -> int:
    with Process(peer, place, keeping=keeping) as process:
        _first(process, problem)
        _ask(process, "turn", epochs=EPOCHS)
        return _known(_ask(process, "memory")["peak"])


def _known(memory: int | None) -> int:
    if memory is None:
        raise Missing("this system does not tell the memory of a process")
    return memory


def growing_problems(quick: bool) -> Iterator[tuple[str, Problem]]:
    """Depth, width and batch, each growing for itself."""
    for row, make, sizes in (("depth", deep, DEPTHS), ("width", wide, WIDTHS), ("batch", batched, BATCHES)):
        for size in (sizes[0], sizes[-1]) if quick else sizes:
            yield row, make(size)


def growth(peer: Peer, place: Place, row: str, problem: Problem) -> Growth:
    """One point of a row, in a process of its own with empty caches."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Process(peer, replace(place, cache=Path(folder))) as process,
    ):
        try:
            _ask(process, "imports")
            cold = _first(process, problem)
            _, *timed = _ask(process, "turn", epochs=1 + EPOCHS)["seconds"]
            times = [seconds / problem.steps for seconds in timed]
            peak = _ask(process, "memory")["peak"]
        except Missing as reason:
            return Growth(peer.name, row, problem.name, missing=str(reason))
    return Growth(peer.name, row, problem.name, cold, quartiles(times)[1], peak or 0)


def _first(process: Process, problem: Problem) -> float:
    seconds: float = _ask(process, "first", problem=asdict(problem))["seconds"]
    return seconds


def _ask(process: Process, do: str, **about: Any) -> dict[str, Any]:
    answer = process.ask(do, **about)
    if "missing" in answer:
        raise Missing(answer["missing"])
    return answer


def by_row(growths: Sequence[Growth]) -> dict[str, list[Growth]]:
    """Those of depth, of width and of batch."""
    rows: dict[str, list[Growth]] = {}
    for point in growths:
        rows.setdefault(point.row, []).append(point)
    return rows
