"""What every module's text depends on besides its spec: symgrad's own sources and templates."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from symgrad.version import VERSION

_PACKAGE = Path(__file__).parent.parent


def template_folder() -> Path:
    """Where the templates lie: in the package when installed, beside it in a checkout."""
    inside = _PACKAGE / "templates"
    return inside if inside.is_dir() else _PACKAGE.parent / "templates"


@cache
def sources_digest() -> str:
    """The SHA-256 of all that turns a spec into text, so that no text outlives the code that wrote it."""
    digest = hashlib.sha256(f"{VERSION} {version('sympy')}".encode())
    for file in _files():
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _files() -> list[Path]:
    folders = (_PACKAGE / name for name in ("spec", "calculus", "compiler"))
    sources = (file for folder in folders for file in folder.rglob("*.py"))
    templates = template_folder().glob("*.py.j2")
    return sorted([_PACKAGE / "errors.py", _PACKAGE / "pipeline.py", *sources, *templates])
