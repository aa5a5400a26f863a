"""Refusals point at the place: in every style of YAML, in dicts, and in sources that hold no spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symgrad.errors import Position, SpecError
from symgrad.spec.language.syntax import Binary
from symgrad.spec.reader import read


def refusal(source: Any) -> str:
    with pytest.raises(SpecError) as refused:
        read(source)
    return str(refused.value)


@pytest.mark.parametrize(
    ("yaml", "place"),
    [
        ("y: x * $", "3:10"),
        ("y:    x * $", "3:13"),
        ("y: 'x * $'", "3:11"),
        ('"y[n]": "x * $"', "3:16"),
        ("y: |\n    x *\n      $", "5:7"),
        ("y: >-\n    x *\n    $", "5:5"),
        ("y: x\n    * $", "4:7"),
        ('y: "x\n    * $"', "4:7"),
        ("{y: x * $}", "3:11"),
        ("? y\n  : x * $", "4:9"),
        ("z: x # a comment\n  y: x * $", "4:10"),
    ],
)
def test_places_in_every_style_of_yaml(yaml: str, place: str) -> None:
    message = refusal(f"inputs: {{x: [3]}}\nequations:\n  {yaml}\n")
    assert message.startswith(f"<text>:{place}: the character '$'")


def test_places_in_a_dict_are_keys() -> None:
    message = refusal({"inputs": {"x": [3]}, "equations": {"y": "x +\n $"}})
    assert message.startswith("<dict>.equations.y:2:2: the character '$'")


def test_places_of_the_syntax() -> None:
    formula = read("inputs: {x: [3]}\nequations:\n  y: exp(x) +\n     2 * x").equations[0].formula
    assert isinstance(formula, Binary)
    assert formula.right.at == Position("<text>", 4, 6)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "<text>:1:1: the spec is empty"),
        ("no_such_file.yaml", "no_such_file.yaml: no such file"),
        ("a\0b.yaml", "<text>:1:2: the character U+0000 is not allowed"),
        ("no/such/" * 1_000, "<text>:1:1: the spec is not a mapping"),
        (Path(__file__).parent, "this is a directory"),
        (Path("a\0b.yaml"), "the file cannot be read: embedded null byte"),
        (b"name: x", "a spec of type bytes"),
        (3, "a spec of type int"),
        (None, "a spec of type NoneType"),
        ([], "a spec of type list"),
        ({}, "neither layers nor equations"),
        ({1: 2}, "a key of type int"),
        ({"inputs": {("a",): [3]}}, "a key of type tuple"),
        ({"equations": {"y": object()}}, "a value of type object"),
        ({"equations": {"y": b"x"}}, "a value of type bytes"),
        ({"equations": {"y": 1j}}, "a value of type complex"),
        ({"equations": {"y": float("nan")}}, "a number that is too large or not finite"),
        ({"equations": {"y": 10**400}}, "a number that is too large"),
        ({"equations": {"y": {"z": 1}}}, "equations.y is a mapping"),
        ({"name": "a" * 1_000_000}, "a text of 1000000 characters"),
        ({f"k{i}": 1 for i in range(20_000)}, "the spec has more than 10000 items"),
    ],
)
def test_sources_that_hold_no_spec(source: Any, problem: str) -> None:
    assert problem in refusal(source)


def test_a_dict_that_holds_itself() -> None:
    endless: dict[str, Any] = {}
    endless["inputs"] = endless
    assert "nested deeper than 20 levels" in refusal(endless)


def test_files_that_hold_no_spec(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"name: a\n# \xff\n")
    assert refusal(path) == f"{path}:2:1: the file is not UTF-8 text; save it as UTF-8"
    path.write_bytes(b"#" * 1_000_000)
    assert "the file has more than 100000 bytes" in refusal(path)
