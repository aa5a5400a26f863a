"""Install the oldest versions that pyproject.toml declares, and run a short selection of the tests with them.

    python tests/oldest.py

They go into an environment of their own, .venv/oldest, with the oldest Python declared. Where there is none
this says so and does nothing: newer Pythons are too new for the oldest versions of some packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".venv" / "oldest"
EXTRAS = ("parquet", "plot", "sklearn")
RUNNERS = ("hypothesis", "pytest", "pytest-xdist")
SELECTION = """
test_read test_differentiate test_generated test_inspect test_graph test_module_cache test_train_data
test_data_formats test_data_missing
test_train_checkpoint test_train_report test_api test_sklearn
"""


def project() -> dict[str, Any]:
    """What pyproject.toml declares."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def oldest_versions() -> list[str]:
    """Every dependency that the selection needs, in its oldest version, for pip."""
    optional = project()["optional-dependencies"]
    declared = [*project()["dependencies"], *(one for extra in EXTRAS for one in optional[extra])]
    declared += [one for one in optional["test"] if one.partition(">=")[0] in RUNNERS]
    return [one.replace(">=", "==") for one in declared]


def oldest_python() -> str | None:
    """The program of the oldest Python declared."""
    version = project()["requires-python"].removeprefix(">=")
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    found = shutil.which(f"python{version}")
    works = (
        found
        and subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0
    )
    return found if works else None


def main() -> int:
    """The exit code of the tests."""
    python = oldest_python()
    if python is None:
        print("the oldest Python declared is not installed here: nothing was run", file=sys.stderr)
        return 0
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", PLACE], check=True)
    inside = PLACE / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", inside, "install", "--quiet"]
    # Most of what comes is never imported: what is, is compiled then.
    subprocess.run([*pip, "--no-compile", "-e", ROOT, *oldest_versions()], check=True)
    files = [ROOT / "tests" / f"{name}.py" for name in SELECTION.split()]
    # What newer packages beside the old ones call deprecated says nothing about symgrad.
    options = ["-n", "2", "-W", "ignore::DeprecationWarning"]
    return subprocess.run([inside, "-m", "pytest", *options, *files], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
