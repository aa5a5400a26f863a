"""Warnings about an input: Python's own in Python, one message each on stderr and in --json of a command."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import symgrad as sg
from symgrad import api
from symgrad.cli import main
from symgrad.errors import Position, SymgradWarning, warn

SPEC = "name: a\ninputs: {x: [N, 2]}\nequations: {y: 2 * x}\n"


def likely_a_mistake(source: str = "a.yaml") -> sg.SpecWarning:
    return sg.SpecWarning("this is odd", at=Position(source, 3, 16), remedy="mend it")


@pytest.mark.parametrize("kind", [sg.SpecWarning, sg.DataWarning])
def test_a_warning_has_the_form_of_an_error(kind: type[SymgradWarning]) -> None:
    found = kind("this is odd", at=Position("a.yaml", 3, 16), remedy="mend it")
    assert str(found) == str(sg.SymgradError("this is odd", at=found.at, remedy="mend it"))
    assert isinstance(found, UserWarning)


def test_python_users_see_and_filter_it_at_their_own_line() -> None:
    with pytest.warns(sg.SpecWarning, match=r"a\.yaml:3:16: this is odd; mend it") as seen:
        warn(likely_a_mistake())
    assert Path(seen[0].filename) == Path(__file__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.SpecWarning)
        warn(likely_a_mistake())


@pytest.fixture
def doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec that is doubted whenever it is read, and a second time."""
    spec = tmp_path / "a.yaml"
    spec.write_text(SPEC)
    read = api.read

    def doubting(source: Any, **more: Any) -> Any:
        for _ in range(2):
            warn(likely_a_mistake(str(spec)))
        return read(source, **more)

    monkeypatch.setattr(api, "read", doubting)
    monkeypatch.chdir(tmp_path)
    return spec


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_command_shows_it_once_on_stderr_with_the_place(doubtful: Path) -> None:
    result = run("generate", str(doubtful))
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0] == f"{doubtful}:3:16: warning: this is odd; mend it"
    assert lines[1:3] == ["  3 | equations: {y: 2 * x}", "                     ^"]
    assert result.stderr.count("this is odd") == 1


def test_an_error_comes_before_the_warnings_on_the_way_to_it(doubtful: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign.py").write_text("print()")
    result = run("generate", str(doubtful), "-o", str(tmp_path / "foreign.py"))
    assert result.exit_code == 2
    first, *others = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert f"{doubtful}:3:16: warning: this is odd; mend it" in others


def test_json_lists_it(doubtful: Path) -> None:
    result = run("generate", "--json", str(doubtful))
    assert json.loads(result.stdout)["warnings"] == [f"{doubtful}:3:16: this is odd; mend it"]


def test_json_of_a_good_spec_has_an_empty_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(SPEC)
    assert json.loads(run("generate", "--json", "a.yaml").stdout)["warnings"] == []
