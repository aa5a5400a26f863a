"""Whether every subscript of a text stays inside its array, at all sizes: not only at those it is run at.

The public functions of a text are followed from their checked arguments down into every loop. What is a
number of entries, an offset or an index is kept as a polynomial of the free sizes and of the indices of the
loops around it; an array is known by its shape. At each subscript, view, copy and product it is to be shown
that indices lie within the shape; a value that data gives, as a label, lies in the range that it was checked
for. What is not followed is left to the run, which checks it at the sizes tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.verifier.module_tree import tree_of
from symgrad.verifier.static.follower import Follower
from symgrad.verifier.static.obligations import BeyondError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FOLLOWED = (
    *("forward", "predict", "loss", "loss_and_grad", "input_gradients", "gradient_point", "update"),
    *("train_step", "train_epoch"),
)


@dataclass(frozen=True)
class Findings:
    """The first subscript that leaves its array, and those that are left to the run, each with its line."""

    fault: str
    left: tuple[str, ...] = ()


def subscript_findings(text: str, facts: Mapping[str, Any], further: Iterable[str] = ()) -> Findings:
    """Which subscripts of a text leave their arrays at some sizes; `facts` are its constants, as `AXES`.

    `further` are functions that the text has beside those that all have.
    """
    try:
        follower = Follower(tree_of(text), facts)
        for name in (*_FOLLOWED, *further):
            follower.enter(name)
    except BeyondError as beyond:
        return Findings(str(beyond))
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as odd:
        return Findings(
            "", (f"all of the text: {type(odd).__name__}: {odd}",)
        )  # an edited text may be anything
    return Findings("", tuple(follower.obligations.left))
