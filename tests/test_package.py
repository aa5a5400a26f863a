"""What is shipped: the wheel works by itself, and an emitted module works without symgrad."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import symgrad as sg

ROOT = Path(__file__).parent.parent
REFUSAL = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("symgrad", "sympy"):
            raise ModuleNotFoundError(f"{name} is refused here")

sys.meta_path.insert(0, Refusal())
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command outside the checkout and demand that it succeeds."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, encoding="utf-8", timeout=300
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def environment(folder: Path, *lines: str) -> Path:
    """The Python of a fresh environment that sees the packages of this one, and runs `lines` first."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(python, "-c", show, cwd=folder).stdout.strip())
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "shared.pth").write_text("\n".join([*sorted(shared), *lines]) + "\n", encoding="utf-8")
    return python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the source archive, which is built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    assert len(list(folder.glob("symgrad-*.tar.gz"))) == 1
    return next(folder.glob("symgrad-*.whl"))


def test_the_wheel_holds_templates_starters_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    templates = [
        f"symgrad/{file.relative_to(ROOT).as_posix()}" for file in (ROOT / "templates").rglob("*.j2")
    ]
    starters = [f"symgrad/cli/starters/{form}.yaml" for form in ("chain", "graph", "index")]
    assert templates
    lectures = [f"symgrad/lectures/specs/{file.name}" for file in (ROOT / "examples/lectures").glob("*.*")]
    assert lectures
    for name in (*templates, *starters, *lectures, "symgrad/py.typed"):
        assert name in names
    assert {name.partition("/")[0] for name in names} == {
        "symgrad",
        f"{wheel.name.rsplit('-', 3)[0]}.dist-info",
    }
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=tmp_path)
    where = run(python, "-c", "import symgrad; print(symgrad.__file__, symgrad.__version__)", cwd=tmp_path)
    assert Path(where.stdout.split()[0]).is_relative_to(tmp_path / "venv")
    shutil.copy(ROOT / "examples" / "xor.yaml", tmp_path)
    command = next((tmp_path / "venv").glob("*/symgrad*"))
    assert "wrote xor.py" in run(command, "generate", "xor.yaml", cwd=tmp_path).stderr
    run(command, "new", "demo", cwd=tmp_path)
    assert run(command, "inspect", "demo.yaml", cwd=tmp_path).stdout
    assert "3 of 3" in run(command, "lectures", "4", "6", "10", cwd=tmp_path).stderr


@pytest.mark.parametrize("example", ["linear_regression", "gradients_only"])
def test_an_emitted_module_needs_neither_symgrad_nor_sympy(example: str, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", "import refusal")
    own = next((tmp_path / "venv").rglob("shared.pth")).parent
    (own / "refusal.py").write_text(REFUSAL, encoding="utf-8")
    for package in ("symgrad", "sympy"):
        code = f"try: import {package}\nexcept ModuleNotFoundError: print('refused')"
        assert run(python, "-c", code, cwd=tmp_path).stdout == "refused\n"
    module = sg.generate(sg.read(ROOT / "examples" / f"{example}.yaml"), tmp_path / f"{example}.py")
    verdict = run(python, module.name, cwd=tmp_path)
    assert example in verdict.stdout
    assert verdict.stderr == ""
