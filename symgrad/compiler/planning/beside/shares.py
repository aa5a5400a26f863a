"""The steps of a program in shares: behind each, ranks tell each other what it summed over rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING

from symgrad.compiler.planning.beside.buckets import Bucket, buckets_of
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
    """A step of training of which each rank makes its rows, in shares; which of them finishes which bucket of
    the gradient.
    """

    plan: Plan
    shares: tuple[Share, ...]
    buckets: tuple[tuple[int, Bucket], ...]

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


def shared_plan(plan: Plan, shares: tuple[Share, ...]) -> SharedPlan:
    """The plan in these shares, which are cut where a bucket of the gradient is finished."""
    steps = tuple(chain.from_iterable(share.steps for share in shares))
    ends = [*accumulate(len(share.steps) for share in shares)]
    read = zip(shares[:-1], ends[:-1], strict=True)
    told = {exchange.tensor: end + 1 for share, end in read for exchange in share.exchanges}
    buckets = buckets_of(plan, steps, range(len(steps) + 1), told)
    exchanges = dict(zip(ends, (share.exchanges for share in shares), strict=True))
    cuts = sorted({*ends, *(bucket.steps for bucket in buckets)})
    cut = [Share(steps[a:b], exchanges.get(b, ())) for a, b in pairwise([0, *cuts])]
    return SharedPlan(plan, tuple(cut), tuple((cuts.index(b.steps) + 1, b) for b in buckets))


def _read(step: Step) -> set[str]:
    """What a step reads, and what it hands on from turn to turn."""
    read = set[str]().union(*(e.reads for e in step.equations))
    if isinstance(step, LoopNest):
        carried = (tensor.carried for tensor in step.all_carried)
        read = read.union(*(found.reads for found in carried if found is not None))
    return read
