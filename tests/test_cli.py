"""The commands: exit codes, what stands on stdout and stderr, and that no mistake ends in a traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numba
import pytest
from click.testing import CliRunner, Result

from symgrad.cli import main
from symgrad.cli.commands import FORMS, KINDS
from symgrad.cli.endings import DEFECT, FAILED, GOOD, INTERRUPTED, NO_VERDICT, exit_code_of
from symgrad.cli.group import SECTIONS
from symgrad.cli.listing import ARRAYS
from symgrad.errors import InternalError
from symgrad.spec.language.arrays.placements import PLACEMENTS
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS

if TYPE_CHECKING:
    from pathlib import Path

LINE = """
name: line
dtype: float64
inputs: {x: [batch, 2]}
targets: {t: [batch]}
parameters: {w: [2]}
equations: {y: x @ w}
loss: mse(y, t)
train: {data: line.csv, optimizer: sgd(learning_rate=RATE), epochs: 3}
"""
WRONG = """

_right = loss_and_grad


def loss_and_grad(*arguments):
    value, gradients = _right(*arguments)
    gradients.w[0] *= 1.001
    return value, gradients
"""

USAGE = """\
generate
generate line.yaml --frob
generate line.yaml -o line.csv/line.py
frob
list cats
verify line.yaml --points 0
verify line.yaml --module missing.py
verify line.yaml --module line.yaml
train untrained.yaml
train line.yaml --epochs none
train line.yaml --data missing.csv
train line.yaml --out line.csv
inspect line.yaml -o missing/line.html
inspect line.yaml -o line.yaml""".splitlines()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a cache of its own, and a small spec with data in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "line.yaml").write_text(LINE.replace("RATE", "0.1"))
    rows = [f"{a},{b},{2 * a - b}" for a in (-1, 0, 1) for b in (-1, 0, 1)]
    (tmp_path / "line.csv").write_text("\n".join(["a,b,t", *rows]))
    return tmp_path


def run(*arguments: str) -> Result:
    """Run a command in this process."""
    result = CliRunner().invoke(main, arguments)
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    return result


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as users do."""
    command = [sys.executable, "-m", "symgrad", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)


def test_every_command_stands_in_one_section_of_the_help() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(main.commands)


def test_help_imports_nothing_heavy() -> None:
    code = "import atexit, sys, symgrad.cli; atexit.register(lambda: print(*sys.modules)); symgrad.cli.main()"
    answer = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage:" in answer.stdout
    heavy = {"sympy", "numba", "numpy", "scipy", "rich", "pydantic", "jinja2", "ruamel"}
    assert not heavy & set(answer.stdout.split())


def test_exit_codes_of_real_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    (folder / "line.yaml").write_text(LINE.replace("RATE", "1e200"))
    good = process("generate", "line.yaml", "--json")
    assert good.returncode == 0
    assert good.stderr.startswith("line.yaml:9:54: warning: sgd: learning_rate is 1e+200: ")
    assert json.loads(good.stdout)["parameters"] == 2
    assert process("generate", "line.yml").returncode == 2
    diverged = process("train", "line.yaml", "--no-verify", "--json")
    assert diverged.returncode == 1
    assert json.loads(diverged.stdout)["stop_reason"] == "diverged"
    assert "\nerror: " in diverged.stderr
    assert process("--version").stdout.startswith("symgrad ")


@pytest.mark.parametrize("form", FORMS)
def test_a_starter_works_at_once(form: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by Python; test_readme.py compiles one."""
    assert run("new", "demo", "--form", form).exit_code == 0
    assert run("generate", "demo.yaml").exit_code == 0
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    result = run("verify", "demo.yaml", "--module", "demo.py", *(["--json"] if form == FORMS[-1] else []))
    assert (result.exit_code, result.stderr) == (0, "")
    if form == FORMS[-1]:
        report = json.loads(result.stdout)
        assert report["passed"] is True
        assert all(row["verdict"] != "fail" for row in (*report["parameters"], *report["checks"]))
    else:
        assert result.stdout.startswith("demo: passed")
    trained = run("train", "demo.yaml", "--module", "demo.py", "--no-verify", "--epochs", "2", "--json")
    assert trained.exit_code == 0, trained.stderr
    assert trained.stderr == ""
    record = json.loads(trained.stdout)
    assert record["epochs"] == 2
    assert all((folder / path).is_file() for path in record["paths"])


def test_help_names_every_exit_code_and_cuts_no_command_short() -> None:
    said = run("--help").stdout
    assert "..." not in said.partition("Begin:")[2].replace("layers, losses, ...", "")
    codes = {int(code) for code in re.findall(r"\b(\d+) [a-z]", said.partition("Exit codes:")[2])}
    assert codes >= {GOOD, FAILED, 2, DEFECT, NO_VERDICT, INTERRUPTED}


def test_new_overwrites_only_when_forced(folder: Path) -> None:
    (folder / "demo.csv").write_text("mine")
    refused = run("new", "demo")
    assert refused.exit_code == 2
    assert "demo.csv: this file is there already; choose another name" in refused.stderr
    assert "overwrite" not in refused.stderr
    assert (folder / "demo.csv").read_text() == "mine"
    assert not (folder / "demo.yaml").exists()
    assert run("new", "demo", "--force").exit_code == 0
    assert run("new", "../demo").exit_code == 2


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("inspect line.yaml -o page.html", "page.html"),
        ("graph line.yaml -o graph.dot", "graph.dot"),
        ("generate line.yaml --no-identity -o net.py", "net.py"),
        ("new demo --force", "demo.yaml"),
    ],
)
def test_on_a_full_disk_the_old_file_stays(
    command: str, target: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = folder / target
    file.write_text("# generated by symgrad\n")
    before = sorted(folder.iterdir())
    monkeypatch.setattr("symgrad.runtime.whole_files.os.fsync", full)
    result = run(*command.split())
    assert result.exit_code == 2
    assert f"error: {target}: " in result.stderr
    assert "No space left on device" in result.stderr
    assert file.read_text() == "# generated by symgrad\n"
    assert sorted(folder.iterdir()) == before


def test_generate_writes_into_generated_where_there_is_one(folder: Path) -> None:
    assert "wrote line.py (" in run("generate", "line.yaml").stderr
    (folder / "generated").mkdir()
    assert run("generate", "line.yaml").stdout == ""
    assert (folder / "generated" / "line.py").read_text() == (folder / "line.py").read_text()


@pytest.mark.parametrize("target", ["mine.py", "line.yaml", "notes.txt", "folder.py", "missing/line.txt"])
def test_generate_overwrites_nothing_but_its_own(target: str, folder: Path) -> None:
    (folder / "mine.py").write_text("x = 1")
    (folder / "folder.py").mkdir()
    spec = (folder / "line.yaml").read_text()
    result = run("generate", "line.yaml", "-o", target)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {target}: ")
    assert (folder / "mine.py").read_text() == "x = 1"
    assert (folder / "line.yaml").read_text() == spec


def test_an_error_shows_its_line_and_column(folder: Path) -> None:
    (folder / "bad.yaml").write_text("inputs: {x: [n, 2]}\nlayers:\n  - dnse(3)\nloss: mse\n")
    result = run("verify", "bad.yaml")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: bad.yaml:3:5: unknown layer 'dnse'; did you mean 'dense'?",
        "  3 |   - dnse(3)",
        "          ^",
    ]


@pytest.mark.parametrize("command", ["generate", "inspect", "verify", "train"])
@pytest.mark.parametrize("spec", ["missing.yaml", ".", "line.csv", "binary.yaml", "escape.yaml"])
def test_unusable_specs_are_refused(command: str, spec: str, folder: Path) -> None:
    (folder / "binary.yaml").write_bytes(bytes(range(256)))
    (folder / "escape.yaml").write_text("name: a\x1b[31m\n")
    result = run(command, spec)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize("arguments", USAGE)
def test_wrong_usage_is_refused(arguments: str, folder: Path) -> None:
    (folder / "untrained.yaml").write_text(LINE.partition("train:")[0])
    result = run(*arguments.split())
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "rror: " in result.stderr


def test_inspect_shows_the_stages(folder: Path) -> None:
    shown = run("inspect", "line.yaml", "--stages")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("model: Spec → Model\n")
    assert run("inspect", "line.yaml", "--stages", "-o", "stages.json").stderr == "wrote stages.json\n"
    stages = json.loads((folder / "stages.json").read_text(encoding="utf-8"))["stages"]
    assert [stage["name"] for stage in stages][-2:] == ["plan", "text"]
    for options in (["--scalar"], ["--notation", "greek"], ["--symbol", "w=Ω"], ["--format", "latex"]):
        refused = run("inspect", "line.yaml", "--stages", *options)
        assert refused.exit_code == 2
        assert "--format text or json" in refused.stderr
    page = run("inspect", "line.yaml", "--stages", "-o", "stages.html")
    assert page.exit_code == 2
    assert "name a .txt or .json file" in page.stderr
    assert not (folder / "stages.html").exists()


@pytest.mark.parametrize(("style", "start"), [("text", ""), ("latex", ""), ("html", "<!"), ("json", "{")])
def test_inspect_writes_each_format(style: str, start: str, folder: Path) -> None:
    result = run("inspect", "line.yaml", "--format", style)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.lower().startswith(start)
    ending = {"text": "txt", "latex": "tex"}.get(style, style)
    assert run("inspect", "line.yaml", "-o", f"line.{ending}").stderr == f"wrote line.{ending}\n"
    assert (folder / f"line.{ending}").read_text(encoding="utf-8") == result.stdout


def test_the_ending_may_be_in_capitals(folder: Path) -> None:
    assert run("inspect", "line.yaml", "-o", "LINE.HTML").exit_code == 0
    assert (folder / "LINE.HTML").read_text(encoding="utf-8").lower().startswith("<!")


@pytest.mark.skipif(os.name != "posix", reason="closes streams as shells do")
def test_closed_streams_are_no_defect(folder: Path) -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = f'"{sys.executable}" -m symgrad list schedules {closed}'
        assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def test_a_wrong_module_fails_and_is_not_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in it is a function that is not compiled: Python may run all of it."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    run("generate", "line.yaml")
    with (folder / "line.py").open("a") as file:
        file.write(WRONG)
    verdict = run("verify", "line.yaml", "--module", "line.py", "--json")
    assert verdict.exit_code == 1
    assert json.loads(verdict.stdout)["passed"] is False
    trained = run("train", "line.yaml", "--module", "line.py")
    assert trained.exit_code == 1
    assert "nothing was trained" in trained.stderr


def test_train_verifies_trains_and_names_every_file(folder: Path) -> None:
    result = run("train", "line.yaml", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    for part in ("wrote out/line.py", "verified ", "epoch 3/3", "wrote out/checkpoint.npz"):
        assert part in result.stderr.replace("\\", "/")
    quiet = run("train", "line.yaml", "--out", "out", "--no-verify", "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize("kind", KINDS)
def test_list_names_every_entry_with_its_formula(kind: str) -> None:
    entries = json.loads(run("list", kind, "--json").stdout)[kind]
    text = run("list").stdout
    assert entries
    for entry in entries:
        assert entry["source"]
        assert entry["formulas"]
        assert f"  {entry['signature']}\n" in text


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("reduction", "reductions"),
        ("optimiser", "optimizers"),
        ("regularizers", "regularisers"),
        ("Loss", "losses"),
    ],
)
def test_list_knows_a_kind_in_other_spellings(said: str, kind: str) -> None:
    assert run("list", said).stdout == run("list", kind).stdout != ""


def test_list_says_what_is_made_of_whole_arrays() -> None:
    assert ARRAYS.keys() == PLACEMENTS.keys() | REARRANGEMENTS.keys()
    shown = run("list", "pad").stdout
    assert shown.startswith("arrays\n")
    assert "pad(x, 1, 2)" in shown
    assert "x[:, 1:, ::2]" in run("list", "slices").stdout


def test_list_shows_one_entry_by_its_name() -> None:
    shown = run("list", "conv2d").stdout
    assert shown.startswith("layers\n  conv2d(x, units, kernel")
    assert "conv1d" not in shown
    assert list(json.loads(run("list", "softmax", "--json").stdout)) == ["activations"]
    assert "did you mean 'conv2d'?" in run("list", "Conv2D").stderr


def test_list_says_which_kinds_there_are() -> None:
    refused = run("list", "optimzers")
    assert (refused.exit_code, "did you mean 'optimizers'?" in refused.stderr) == (2, True)
    assert "expected an entry or layers, activations" in run("list", "bananas").stderr


def test_a_closed_pipe_and_ctrl_c_end_quietly() -> None:
    command = [sys.executable, "-m", "symgrad", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert (child.stderr.read(), child.wait()) == (b"", 141)

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert exit_code_of(interrupt) == 130


def test_a_defect_is_told_apart_from_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise InternalError("never defined: ['Z1']")

    monkeypatch.delenv("SYMGRAD_DEBUG", raising=False)
    assert exit_code_of(fail) == 70
    assert "report it" in capsys.readouterr().err
    monkeypatch.setenv("SYMGRAD_DEBUG", "1")
    assert exit_code_of(fail) == 70
    assert "Traceback" in capsys.readouterr().err
