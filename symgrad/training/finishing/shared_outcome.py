"""The iterations behind the epochs where ranks share these: the first rank makes them on all rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.ranks.group_of_ranks import RankGroup
    from symgrad.training.epochs.snapshots import Snapshot, TrainingOutcome


def shared_outcome(
    ranks: RankGroup, outcome: TrainingOutcome, finish: Callable[[TrainingOutcome], TrainingOutcome]
) -> TrainingOutcome:
    """What the first rank makes of an outcome, on all ranks."""
    if ranks.comm is None:
        return finish(outcome)
    kind = type(outcome.last.state)

    def sent() -> TrainingOutcome:
        made = finish(outcome)
        return replace(made, last=_as_tuple(made.last), best=_as_tuple(made.best))

    found = ranks.agreed(sent)
    last, best = (replace(snapshot, state=kind(*snapshot.state)) for snapshot in (found.last, found.best))
    return replace(found, last=last, best=best)


def _as_tuple(snapshot: Snapshot) -> Snapshot:
    """With the state as a plain tuple: its type is that of a module in no package."""
    return replace(snapshot, state=tuple(snapshot.state))
