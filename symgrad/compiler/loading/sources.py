"""What every module's text depends on besides its spec: symgrad's own sources and templates."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from symgrad.shipped import PACKAGE, template_folder
from symgrad.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

_STAGES = ("spec", "calculus", "elaborate", "passes", "notation", "compiler", "runtime")
_OWN = ("cycles.py", "displayed.py", "errors.py", "pipeline.py", "shipped.py")


@cache
def sources_digest(package: Path = PACKAGE) -> str:
    """The SHA-256 of all that turns a spec into text, so that no text outlives the code that wrote it."""
    digest = hashlib.sha256(f"{VERSION} {version('sympy')}".encode())
    for file in _sources(package):
        content = file.read_bytes()
        digest.update(f" {file.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _sources(package: Path) -> list[Path]:
    stages = (file for stage in _STAGES for file in (package / stage).rglob("*.py"))
    templates = template_folder(package).rglob("*.py.j2")
    return sorted([*(package / name for name in _OWN), *stages, *templates])
