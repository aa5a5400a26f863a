"""What was found right of a text, kept in the user's cache by the hash of all that the finding depends on.

So a judgement costs its time once. What was found wrong is never kept, and a note that is not whole, or
stands where another should, is none: then it is judged anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from symgrad.compiler.loading.user_cache import lasting_folder
from symgrad.errors import ModuleError
from symgrad.files import replace_file
from symgrad.shipped import PACKAGE
from symgrad.version import VERSION

_PACKAGES = ("numpy", "sympy", "mpmath", "scipy", "numba", "llvmlite")


@dataclass(frozen=True)
class KeptVerdict:
    """What was found of a text, when, and of which."""

    found: str
    when: str
    text_sha256: str

    def __str__(self) -> str:
        return f"{self.when}, of the text with SHA-256 {self.text_sha256[:16]}"


@dataclass(frozen=True)
class Question:
    """What is asked of a text: `asked` names the question and holds all beside text, judge and packages that
    its answer depends on."""

    text: bytes
    asked: tuple[object, ...]

    @property
    def text_sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    @property
    def digest(self) -> str:
        """The SHA-256 of all that the answer depends on."""
        whole = (_judge_digest(), self.text_sha256, self.asked)
        return hashlib.sha256(repr(whole).encode()).hexdigest()


def kept(question: Question) -> KeptVerdict | None:
    """What was found before; None where nothing was, or the note is damaged, or is of another question."""
    file = _file(question)
    with suppress(OSError, ValueError):  # what is no text and no JSON either
        content, seal = file.read_text(encoding="utf-8").split("\n")[:2] if file else ("", "")
        if seal == _seal(question, content):
            when, found = json.loads(content)
            return KeptVerdict(found, when, question.text_sha256)
    return None


def keep(question: Question, found: str) -> None:
    """Note what was found right; where there is no folder for it, it is judged again."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    content, file = json.dumps([when, found]), _file(question)
    if file is not None:
        with suppress(OSError):
            file.parent.mkdir(mode=0o700, exist_ok=True)
            replace_file(file, f"{content}\n{_seal(question, content)}\n".encode())


def _file(question: Question) -> Path | None:
    with suppress(ModuleError):  # there is no folder that only this user can write
        return lasting_folder() / "verdicts" / question.digest[:32]
    return None


def _seal(question: Question, content: str) -> str:
    """What stands below a note that is whole, and of this question."""
    return hashlib.sha256(f"{question.digest} {content}".encode()).hexdigest()


@cache
def _judge_digest() -> str:
    """All that judges: symgrad's own sources, whatever room they are in, Python, and the packages it asks."""
    packages = [(name, _version(name)) for name in _PACKAGES]
    digest = hashlib.sha256(repr((VERSION, sys.version, packages)).encode())
    for file in sorted(PACKAGE.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f" {file.relative_to(PACKAGE)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
