"""What is installed: Python, the packages symgrad needs, and those that add to it."""

from __future__ import annotations

import platform
import shutil
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from symgrad.diagnosis.diagnosis_report import Finding
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = ("numpy", "scipy", "numba", "llvmlite", "sympy", "mpmath", "threadpoolctl")
_EXTRAS = (
    ("matplotlib", "learning curves, pictures of evaluations"),
    ("pyarrow", "Parquet, Feather and large CSV files"),
    ("pandas", "its own data frames"),
    ("scikit-learn", "symgrad.sklearn, evaluate --score"),
    ("onnxruntime", "export to .onnx"),
    ("safetensors", "export to .safetensors"),
    ("python-flint", "verify --certify"),
    ("ipykernel", "examples/notebooks"),
    ("torch", "compare and bench"),
    ("jax", "compare and bench"),
)


def installed() -> Iterator[Finding]:
    """Versions; a package that cannot be imported is broken."""
    yield Finding("versions", "symgrad", VERSION)
    yield Finding(
        "versions", "Python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    )
    for name in _NEEDED:
        yield _needed(name)
    for name, use in _EXTRAS:
        found = _version(name)
        yield Finding("extras", name, f"{found} ({use})" if found else f"not installed ({use})")
    dot = "installed" if shutil.which("dot") else "not installed"
    yield Finding("extras", "Graphviz", f"{dot} (svg and png pictures of graphs)")


def works(name: str) -> bool:
    """Whether a package can be imported."""
    try:
        import_module(name)
    except (ImportError, OSError):
        return False
    return True


def _needed(name: str) -> Finding:
    found = _version(name)
    remedy = f"python -m pip install --force-reinstall {name}"
    if found is None:
        return Finding("versions", name, "not installed", "broken", remedy)
    if not works(name):
        return Finding("versions", name, f"{found}, but it cannot be imported", "broken", remedy)
    return Finding("versions", name, found)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
