"""What comparing a text with its spec can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["identical", "agrees", "differs", "not checked"]


@dataclass(frozen=True)
class Identity:
    """What was found.

    `identical`: every entry of loss, gradient, outputs and prediction is the spec's, for all inputs at the
    sizes tried, but for a chance of less than one in a million million. `agrees`: so it is at random real
    points, to the digits that `detail` says, where no field can stand for a function of the spec. `differs`:
    what differs, and where. `left` are the subscripts of which it is not shown that they lie in their
    arrays at all sizes; they did at those tried. `step` is the same of a step of training, where the text
    has one: parameters and states after it, and where it takes its gradient.
    """

    state: State
    detail: str
    left: tuple[str, ...] = ()
    step: Identity | None = None

    @property
    def is_wrong(self) -> bool:
        return bool(self.fault)

    @property
    def fault(self) -> str:
        """What differs, of the network or of its training; nothing, where nothing does."""
        return self.detail if self.state == "differs" else self.step.fault if self.step else ""


def identity_of_record(record: dict[str, Any]) -> Identity:
    """What was found, from its fields."""
    step = record["step"]
    return Identity(
        record["state"], record["detail"], tuple(record["left"]), step and identity_of_record(step)
    )
