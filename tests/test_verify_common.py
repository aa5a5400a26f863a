"""The part that is the same in every module: told apart by its text, whatever else is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.verifier.common import common_definitions, common_part
from symgrad.version import VERSION

MODULES = sorted((Path(__file__).parent.parent / "generated").glob("*.py"))
XOR = next(file for file in MODULES if file.name == "xor.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_emitted_modules_hold_it(file: Path) -> None:
    [row] = common_part(file.read_text(encoding="utf-8"))
    assert (row.verdict, row.message) == ("pass", "")


def test_it_is_a_good_part_of_a_module() -> None:
    assert {"flatten", "_fitting", "_check_params", "_lie_in_one_vector", "_shuffling"} <= set(
        common_definitions()
    )
    assert not {"forward", "loss", "fit", "_epoch", "exp"} & set(common_definitions()), (
        "they depend on the spec"
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "if array.ndim != len(axes)",
            "if array.ndim < len(axes)",
            "judged by its behaviour alone: _fitting",
        ),
        ("vector = flatten(params)\n", "vector = flatten(params).copy()\n", "alone: _writable_vector"),
        (f'SYMGRAD_VERSION = "{VERSION}"', 'SYMGRAD_VERSION = "0.0.7"', "of symgrad 0.0.7"),
        ("SYMGRAD_VERSION =", "OTHER =", "of which it says nothing"),
    ],
)
def test_edits_are_told(before: str, after: str, words: str) -> None:
    assert XOR.count(before) == 1
    [row] = common_part(XOR.replace(before, after))
    assert row.verdict == "no evidence"
    assert words in row.message


def test_comments_and_spaces_are_no_edit() -> None:
    [row] = common_part(XOR.replace("    _check_params(params)\n", "\n    _check_params( params )  # so\n"))
    assert row.verdict == "pass"
