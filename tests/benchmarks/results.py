"""Everything that a run of the benchmark finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.alone import Footprint, Growth, Start
    from benchmarks.floor import Floor, Rates
    from benchmarks.processes import Beside
    from benchmarks.race import Race


@dataclass(frozen=True)
class Steps:
    """All races on some cores, the floor of each problem, and the rates behind it; what ran beside them."""

    cores: int
    races: tuple[Race, ...]
    floors: tuple[Floor, ...]
    rates: Rates
    beside: Beside = "nothing"

    def median(self, problem: str, peer: str) -> float | None:
        """The time per step in seconds, if it was measured and the peer computed the same."""
        race = next((race for race in self.races if race.problem == problem), None)
        lap = race.lap(peer) if race else None
        return lap.median if lap and lap.agrees else None

    def floor(self, problem: str) -> float | None:
        """That of a problem, in seconds."""
        return next((floor.seconds for floor in self.floors if floor.problem == problem), None)


@dataclass(frozen=True)
class Results:
    """What was measured; parts that were not asked for are empty."""

    machine: dict[str, str]
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    libraries: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    steps: tuple[Steps, ...] = ()
    starts: tuple[Start, ...] = ()
    footprints: tuple[Footprint, ...] = ()
    growths: tuple[Growth, ...] = ()

    def on_one_core(self) -> Steps | None:
        """The races on one core that had it for themselves."""
        return next((s for s in self.steps if s.cores == 1 and s.beside == "nothing"), None)

    def start(self, peer: str) -> Start | None:
        """That of a peer, if it was measured."""
        return next((start for start in self.starts if start.peer == peer and not start.missing), None)

    def as_data(self) -> dict[str, Any]:
        """The same in dicts, lists, texts and numbers."""
        return asdict(self)


def peers_of(steps: Steps) -> Sequence[str]:
    """The peers that finished at least one race, in the order in which they ran."""
    return list(dict.fromkeys(lap.peer for race in steps.races for lap in race.laps))
