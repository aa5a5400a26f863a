"""The steps of a program in shares: behind each, ranks tell each other what it summed over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import LoopNest
from symgrad.passes.dividing.pieces_of_batches import Coupling, coupling_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan, Step
    from symgrad.passes.dividing.exchanges import RankExchange


@dataclass(frozen=True)
class Share:
    """Steps that a rank makes of its own rows, and what all ranks tell each other behind them."""

    steps: tuple[Step, ...]
    exchanges: tuple[RankExchange, ...]


@dataclass(frozen=True)
class SharedPlan:
    """A step of training of which each rank makes its rows, in shares."""

    plan: Plan
    shares: tuple[Share, ...]

    @property
    def compiled(self) -> tuple[str, ...]:
        """The names of the functions that make the shares."""
        return tuple(f"_part_of_step_{number}" for number, _ in enumerate(self.shares, 1))


def shares_of(
    program: Program, steps: Iterable[Step], exchanges: Iterable[RankExchange]
) -> tuple[Share, ...] | Coupling:
    """Steps cut before each that reads what ranks tell each other; or why they cannot be."""
    told = {found.tensor: found for found in exchanges}
    shares: list[Share] = []
    own: list[Step] = []
    formed: dict[str, RankExchange] = {}
    done: set[str] = set()
    for step in steps:
        made = {e.target for e in step.equations} & told.keys()
        if made & (_read(step) | done):
            return coupling_at(program, min(made), "has a sum over the rows that is read where it is formed")
        if _read(step) & formed.keys():
            shares.append(Share(tuple(own), tuple(formed.values())))
            own, formed = [], {}
        own.append(step)
        formed |= {name: told[name] for name in told if name in made}
        done |= made
    missing = told.keys() - done
    if missing:
        return coupling_at(program, min(missing), "has a sum over the rows without a place of its own")
    return (*shares, Share(tuple(own), tuple(formed.values())))


def _read(step: Step) -> set[str]:
    """What a step reads, and what it hands on from turn to turn."""
    read = set[str]().union(*(e.reads for e in step.equations))
    if isinstance(step, LoopNest):
        carried = (tensor.carried for tensor in step.all_carried)
        read = read.union(*(found.reads for found in carried if found is not None))
    return read
