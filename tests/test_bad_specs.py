"""Every bad spec is refused with one located message, quickly, and nothing else happens."""

from __future__ import annotations

import re
import time

import pytest
from bad_specs import BAD_SPECS
from golden import compare

from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

SECONDS = 2.0


def refusal(text: str) -> str:
    """The message with which a text is refused, or what it was taken for."""
    try:
        model = expand(read(text))
    except SpecError as error:
        return str(error)
    return f"ACCEPTED {model.equations}"


@pytest.mark.parametrize("name", BAD_SPECS)
def test_is_refused_with_place_problem_and_remedy(name: str) -> None:
    start = time.perf_counter()
    message = refusal(BAD_SPECS[name])
    assert time.perf_counter() - start < SECONDS
    assert re.fullmatch(r"<text>:\d+:\d+: [^;].*; .+", message), message
    assert len(message) < 400


def test_messages_are_the_golden_ones() -> None:
    lines = [f"{name}\n    {refusal(text)}\n" for name, text in BAD_SPECS.items()]
    compare("bad_specs.txt", "".join(lines))
