"""What makes no sense is refused or doubted, with its place; nothing is accepted by accident."""

from __future__ import annotations

import re
import warnings
from functools import cache

import pytest
from golden import compare
from nonsense import CASES, NONSENSE

import symgrad as sg
from symgrad.elaborate.elaborate import elaborate
from symgrad.spec.expand import expand


@cache
def what_is_said(name: str) -> tuple[str, tuple[str, ...]]:
    """What becomes of a spec of the table, and the messages."""
    text = CASES[name][0]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            elaborate(expand(sg.read(text)))
        except sg.SpecError as error:
            return "refused", (str(error),)
    return "warned" if seen else "fine", tuple(str(warning.message) for warning in seen)


def test_the_table_has_every_one() -> None:
    assert len(NONSENSE) == 154


@pytest.mark.parametrize("name", CASES)
def test_is_decided(name: str) -> None:
    verdict, messages = what_is_said(name)
    decision = CASES[name][1]
    assert verdict == decision.verdict, messages
    assert (verdict == "fine") == bool(decision.reason)
    for message in messages:
        assert re.fullmatch(r"<text>:\d+:\d+: [^;].*; .+", message), message


def test_messages_are_the_golden_ones() -> None:
    lines = []
    for name, (_, decision) in CASES.items():
        verdict, messages = what_is_said(name)
        told = messages or (decision.reason,)
        lines.append(f"{name}\n" + "".join(f"    {verdict}: {line}\n" for line in told))
    compare("nonsense.txt", "".join(lines))
