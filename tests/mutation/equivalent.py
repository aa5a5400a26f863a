"""Faults that no caller can see, and why: each argument covers a kind of place, not one mutant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mutation.judging import Outcome

ARGUED: tuple[tuple[str, str, str], ...] = ()
"""A region or function, a part of the title, and why a fault there changes nothing that can be seen."""


def argument(outcome: Outcome) -> str:
    """Why a survivor is the same module to every caller; empty where it is not."""
    for where, part, reason in ARGUED:
        if outcome.title.startswith(f"{where}:") and part in outcome.title:
            return reason
    return ""
