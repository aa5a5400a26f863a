"""States of the optimiser that ranks divide among them: each keeps what it updates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.ranks.group_of_ranks import RankGroup
    from symgrad.training.epochs.snapshots import Reached, Snapshot


@dataclass(frozen=True)
class DividedStates:
    """What a rank keeps of states, all where they are not divided."""

    module: ModuleType
    ranks: RankGroup
    are_divided: bool

    def own(self, reached: Reached) -> Reached:
        """What this rank goes on from, of what all have reached."""
        last, best = (self._own(snapshot) for snapshot in (reached.last, reached.best))
        return replace(reached, last=last, best=best)

    def _own(self, snapshot: Snapshot) -> Snapshot:
        if not self.are_divided:
            return snapshot
        return replace(snapshot, state=self.module.own_state(snapshot.state, self.ranks.comm))

    def whole_state(self, state: Any) -> Any:
        """All of a state on every rank; all ranks ask for it."""
        return self.module.whole_state(state, self.ranks.comm) if self.are_divided else state

    def whole(self, snapshot: Snapshot) -> Snapshot:
        """The same of a snapshot."""
        return replace(snapshot, state=self.whole_state(snapshot.state))
