"""Everything README.md shows is run and compared with what it shows; `...` there stands for anything."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.pipeline import module_text

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP = re.compile(r"(python3? -m (venv|pip)|\. \.venv/).*\n")
SEPARATOR = "=== next block ==="
ERROR = re.compile(r"\d\.\de[+-]\d\d\b")
EXCERPT = re.compile(r"# from (\S+)\n")


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)]
COMMANDS = [block for block in BLOCKS if block.language == "bash"]
PROGRAMS = [b for b in BLOCKS if b.language == "python" and not EXCERPT.match(b.text)]
SHARED = "generated/"
COMMAND_LINES = re.compile(r"(symgrad [^|>&\n]*\n)+")
HERE = re.compile(r"symgrad (inspect|graph|summary|list|new|predict|evaluate|export|import|lectures) ")
"""Commands that this process runs, as to start another takes longer; what trains and judges has its own."""

BY_PYTHON = re.compile(r"symgrad (compare|verify demo)|name: (rent|sine)")
"""What small networks do that Python runs sooner than they are compiled."""


def shown(block: Block) -> str:
    """The output README shows for a block, `...` where it shows none."""
    follower = next((b for a, b in pairwise(BLOCKS) if a is block), None)
    return follower.text if follower and follower.language == "text" else "...\n"


def demand(block: Block, output: str) -> None:
    """Compare real output with what is shown; spaces and the sizes of rounding errors do not count."""
    expected, actual = (ERROR.sub("#.#e-##", text) for text in (shown(block), output))
    matches = OutputChecker().check_output(expected, actual, ELLIPSIS | NORMALIZE_WHITESPACE)
    assert matches, f"{block.text}\nshows\n{shown(block)}\nbut gives\n{output}"


def runs() -> dict[str, list[Block]]:
    """The commands by their first lines: together where they share a file they write, else each alone."""
    found: dict[str, list[Block]] = {}
    for block in (COMMANDS[0], *COMMANDS[2:]):
        text = SET_UP.sub("", block.text)
        found.setdefault(SHARED if SHARED in text else text.splitlines()[0], []).append(block)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, in which a reader runs one block after the other."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run a command with this environment's programs before all others; its stdout and stderr."""
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    variables |= {"PATH": path, "XDG_CACHE_HOME": str(folder), "PYTHONIOENCODING": "utf-8"}
    answer = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
    )
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


def run_here(folder: Path, *command: str) -> str:
    """Run a command in this process; its stdout and stderr."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        answer = CliRunner().invoke(main, command[1:])
    assert answer.exit_code == 0, answer.output
    return answer.output


def run_block(folder: Path, commands: str) -> str:
    """Run a block for the shell; its stdout and stderr."""
    if not COMMAND_LINES.fullmatch(commands):
        return run(folder, "bash", "-ec", commands)
    output = ""
    for line in commands.splitlines():
        command = shlex.split(line)
        by_python = str(int(BY_PYTHON.match(line) is not None))
        here = HERE.match(line)
        output += run_here(folder, *command) if here else run(folder, *command, NUMBA_DISABLE_JIT=by_python)
    return output


def test_the_first_two_command_blocks_set_up_and_test() -> None:
    train, test = COMMANDS[:2]
    assert "symgrad train examples/digits.yaml" in train.text
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.endswith("\n\n" + test.text)


@pytest.mark.skipif(shutil.which("bash") is None, reason="the blocks are written for bash")
@pytest.mark.parametrize("blocks", runs().values(), ids=runs())
def test_commands_give_what_is_shown(blocks: list[Block], folder: Path) -> None:
    for block in blocks:
        demand(block, run_block(folder, SET_UP.sub("", block.text)))


def test_python_gives_what_is_shown(folder: Path) -> None:
    switch = "import numba\nnumba.config.DISABLE_JIT = {}\n"
    texts = [switch.format(BY_PYTHON.search(block.text) is not None) + block.text for block in PROGRAMS]
    script = f"\nprint({SEPARATOR!r})\n".join(texts)
    outputs = run(folder, sys.executable, "-c", script).split(SEPARATOR + "\n")
    for block, output in zip(PROGRAMS, outputs, strict=True):
        demand(block, output)


@pytest.mark.parametrize("text", [b.text for b in BLOCKS if b.language == "yaml"])
def test_specs_can_be_compiled(text: str) -> None:
    assert "def fit" in module_text(sg.read(text))


def test_the_first_spec_is_the_digits_example() -> None:
    shown_spec = sg.read(next(b.text for b in BLOCKS if b.language == "yaml"))
    example = sg.read(ROOT / "examples" / "digits.yaml")
    assert replace(shown_spec, sha256="") == replace(example, sha256="")


@pytest.mark.parametrize("text", [b.text for b in BLOCKS if EXCERPT.match(b.text)])
def test_excerpts_are_from_real_modules(text: str, tmp_path: Path) -> None:
    found = EXCERPT.match(text)
    assert found
    name = Path(found[1]).stem
    module = sg.generate(sg.read(ROOT / "examples" / f"{name}.yaml"), tmp_path / f"{name}.py")
    assert text[found.end() :] in module.read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
