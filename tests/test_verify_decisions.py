"""What edited modules go by where emitted ones do not: found wherever it stands, and nothing else is."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from planted_decisions import harmless, part, planted
from seeds import SEED, one_in

from symgrad.verifier.editing.decided_otherwise import decisions, no_further_than_tried
from symgrad.verifier.report import Check

GENERATED = sorted((Path(__file__).parent.parent / "generated").glob("*.py"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in GENERATED}
EACH = 12


@pytest.mark.parametrize("name", one_in(2, TEXTS))
def test_what_is_planted_is_found_and_nothing_else(name: str) -> None:
    rng, text = random.Random(f"{SEED} {name}"), ""
    for number in range(EACH):
        text = part(TEXTS[name], rng) if number % 8 == 0 else text
        before = harmless(text, rng) if number % 3 == 0 else text
        assert decisions(before, text) == (), f"seed {SEED}, number {number}"
        drawn = planted(before, rng)
        ast.parse(drawn.text)
        found = decisions(drawn.text, text)
        places = {decision.name for decision in found}
        told = f"seed {SEED}, number {number}: {drawn.template!r} in {drawn.where}"
        assert drawn.where in places if drawn.where else places, told


PLAIN = {
    "turned": ("s0 * grad[n] + s1 * m[n]", "m[n] * s1 + grad[n] * s0"),
    "a square": ("np.square(grad[n]) * s2", "grad[n] * grad[n] * s2"),
    "a number": ("real(1 - b1)", "real(1.0 - b1)"),
    "a new name": ("    dZ1 = view(", "    half = 0.5 * theta[0]\n    dZ1 = view("),
    "a function": (
        "        m[n] = s0 * grad[n] + s1 * m[n]",
        "        m[n] = mixed(s0, grad[n], s1, m[n])",
    ),
    "a line told": (
        "        history.append(value)",
        "        print(f'{epoch}: {value}')\n        history.append(value)",
    ),
    "another version": ('SYMGRAD_VERSION = "', 'SYMGRAD_VERSION = "0.'),
    "a wrong sign": ("theta[n] = theta[n] - s4", "theta[n] = theta[n] + s4"),
}
"""Edits that go by nothing else, whether they are right or wrong."""

MIXED = "\n\ndef mixed(a, b, c, d):\n    return a * b + c * d\n"


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_arithmetic_goes_by_nothing(kind: str) -> None:
    before, after = PLAIN[kind]
    assert TEXTS["digits"].count(before) == 1
    assert decisions(TEXTS["digits"].replace(before, after) + MIXED, TEXTS["digits"]) == ()


TOLD = {
    "a size": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    if batch == 777:\n        value = 0.0\n",
        ["by `batch == 777` (_gradient"],
    ),
    "what stands under a condition": (
        "            return float(value)\n",
        "            return 0.0\n",
        ["by `not np.isfinite(value)` (_epoch"],
    ),
    "what is left out": (
        "    if np.isfinite(value):\n        _update(",
        "    if value == value:\n        _update(",
        ["by `value == value` (_step"],
    ),
    "a condition that went": (
        "            order = rng.permutation(rows)\n        if epoch < start:\n            continue\n",
        "            order = rng.permutation(rows)\n",
        ["no longer by `epoch < start` (_fit)"],
    ),
    "a table for what a loop counts": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    a = c = (1, 0)\n",
        ["by `(1, 0)` (_gradient"],
    ),
    "a table with a type": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    a: tuple = (1, 0)\n",
        ["by `(1, 0)` (_gradient"],
    ),
    "digits": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    value = value + float(f'{batch:04d}'[0])\n",
        ["by `f'{batch:04d}'` (_gradient"],
    ),
    "what a printed line computes": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    print(f'{batch:{exit()}}')\n",
        ["by `exit()` (_gradient"],
    ),
    "a shape that is set": (
        "    value = _loss(theta, x, t, work, batch)\n",
        "    value = _loss(theta, x, t, work, batch)\n    x.shape = batch\n",
        ["by `x.shape` (_gradient"],
    ),
    "what an annotation calls": (
        "class _Alone:\n",
        "class _Alone(metaclass=globals().get('type')):\n",
        ["by `globals().get('type')` (_Alone"],
    ),
    "what a condition is about": (
        "            Z1 = b1[i] + A1[n, i]\n",
        "            Z1 = b1[i] + A1[n, i] + (batch - 776)\n",
        ["by `Z1 <= real(0)` (_A1"],
    ),
}


@pytest.mark.parametrize("kind", TOLD)
def test_a_text_is_told_what_it_goes_by(kind: str) -> None:
    before, after, told = TOLD[kind]
    text = TEXTS["digits"]
    assert text.count(before) == 1
    start = text[: text.index(before)].count("\n") + 1
    found = decisions(text.replace(before, after), text)
    assert [str(one).split(", line")[0] for one in found] == told
    assert all(one.is_gone or start <= one.line <= start + after.count("\n") for one in found)


def test_values_of_the_module_count_where_they_are_gone_by() -> None:
    text = TEXTS["digits"]
    found = decisions(text.replace("BLOCK = 1024", "BLOCK = 7"), text)
    assert {one.name for one in found} == {"_dZ2_db2", "_dZ1_db1"}
    assert {one.text for one in found} >= {
        "range(0, batch, BLOCK)",
        "range(first, min(first + BLOCK, batch))",
    }


ROWS = [
    Check("identity", "the text, at 2 and 3 rows", 0.0, 0.0, "pass", "", "identical"),
    Check("subscripts", "in bounds", 0.0, 0.0, "pass", "", "certified"),
    Check("training step", "to 40 digits", 0.0, 0.0, "pass", "", "measured"),
]
WRONG = Check("identity", "the text", float("inf"), 0.0, "fail", "the loss differs", "identical")


def test_only_what_was_the_same_is_said_to_be_unknown_elsewhere() -> None:
    text = TEXTS["digits"]
    found = decisions(
        text.replace("\n    value = _loss(", "\n    theta = theta[:777]\n    value = _loss("), text
    )
    identity, subscripts, step = no_further_than_tried(ROWS, found)
    assert (
        (identity.verdict, identity.certainty)
        == (step.verdict, step.certainty)
        == ("no evidence", "not checked")
    )
    assert "by `theta[:777]` (_gradient, line" in identity.message
    assert subscripts == ROWS[1]
    assert [*no_further_than_tried(ROWS, ())] == ROWS
    assert [*no_further_than_tried([WRONG], found)] == [WRONG]
