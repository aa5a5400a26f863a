"""The rows of a report that say whether a module's text is its spec's, number for number, and its steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import ModuleError
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.report import Check
from symgrad.verifier.text_identity import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.spec.model import Model

_INSIDE = "every subscript of the text lies in its array, at all sizes"
_SHOWN = 3
_WHAT = "the text, run on exact numbers, against the spec: loss, gradients, outputs; memory"
_STEP = "the text of a step, run on exact numbers, against the optimiser's equations: theta, states"


def identity_checks(model: Model, text: str, seed: int) -> Iterator[Check]:
    """A row for what is computed, one for where, one for a step of training.

    A text that cannot be run is no failure, nor a pass.
    """
    try:
        found = identity_of(model, text, seed=seed)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # what is no module, or what the judge fails at
        known = isinstance(error, ModuleError)
        message = str(error) if known else f"comparing it failed ({type(error).__name__}: {error})"
        yield Check("identity", _WHAT, math.nan, 0.0, "no evidence", message, "not checked")
        return
    yield from identity_rows(found)


def identity_rows(found: Identity) -> Iterator[Check]:
    """The rows for what was found."""
    yield _row("identity", _WHAT, ", at", found)
    if found.state != "differs":
        yield _inside(found.left)
        if found.step is not None:
            yield _row("training step", _STEP, ":", found.step)


def _row(name: str, what: str, joined: str, found: Identity) -> Check:
    match found.state:
        case "identical":
            return Check(name, f"{what}{joined} {found.detail}", 0.0, 0.0, "pass", "", "identical")
        case "agrees":
            return Check(name, f"{what}, to {found.detail}", 0.0, 0.0, "pass", "", "measured")
        case "differs":
            return Check(name, what, math.inf, 0.0, "fail", found.detail, "identical")
        case _:
            return Check(name, what, math.nan, 0.0, "no evidence", found.detail, "not checked")


def _inside(left: Sequence[str]) -> Check:
    """The row for what was shown of subscripts, for all sizes, or was left to the sizes tried."""
    if not left:
        return Check("subscripts", _INSIDE, 0.0, 0.0, "pass", "", "certified")
    others = f", and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    message = f"seen at the sizes tried alone: {'; '.join(left[:_SHOWN])}{others}"
    return Check("subscripts", _INSIDE, float(len(left)), 0.0, "no evidence", message, "not checked")
