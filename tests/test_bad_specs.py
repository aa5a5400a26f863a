"""Every bad spec is refused with one located message, quickly, and nothing else happens."""

from __future__ import annotations

import re
import time
from functools import cache

import pytest
from bad_specs import BAD_SPECS
from golden import compare

from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

SECONDS = 2.0  # of this process alone, whatever else the machine does


@cache
def refusal(text: str) -> tuple[str, float]:
    """The message with which a text is refused, or what it was taken for; and the seconds it takes."""
    start = time.process_time()
    try:
        message = f"ACCEPTED {expand(read(text)).equations}"
    except SpecError as error:
        message = str(error)
    return message, time.process_time() - start


@pytest.mark.parametrize("name", BAD_SPECS)
def test_is_refused_with_place_problem_and_remedy(name: str) -> None:
    message, seconds = refusal(BAD_SPECS[name])
    assert seconds < SECONDS
    assert re.fullmatch(r"<text>:\d+:\d+: [^;].*; .+", message), message
    assert len(message) < 400


def test_messages_are_the_golden_ones() -> None:
    lines = [f"{name}\n    {refusal(text)[0]}\n" for name, text in BAD_SPECS.items()]
    compare("bad_specs.txt", "".join(lines))
