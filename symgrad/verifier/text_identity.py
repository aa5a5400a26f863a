"""What comparing a text with its spec can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["identical", "agrees", "differs", "not checked"]


@dataclass(frozen=True)
class Identity:
    """What was found.

    `identical`: every entry of loss, gradient, outputs and prediction is the spec's, for all inputs at the
    sizes tried, but for a chance of less than one in a million million. `agrees`: so it is at random real
    points, to the digits that `detail` says, where no field can stand for a function of the spec. `differs`:
    what differs, and where. `left` are the subscripts of which it is not shown that they lie in their
    arrays at all sizes; they did at those tried.
    """

    state: State
    detail: str
    left: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        return self.state == "differs"
