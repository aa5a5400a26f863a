"""The folder of generated modules and their compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.loading.user_cache import lasting_folder
from symgrad.diagnosis.diagnosis_report import Finding
from symgrad.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE = 1 << 30


def cache() -> Iterator[Finding]:
    """Where it is, whether it is safe to use, and how large it is."""
    try:
        folder = lasting_folder()
    except ModuleError as error:
        yield Finding("cache", "folder", f"{error.at}: {error.problem}", "broken", error.remedy)
        return
    yield Finding("cache", "folder", f"{folder}, yours alone")
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    modules = sum(1 for _ in folder.glob("*.py"))
    value = f"{modules:,} modules, {sum(sizes) / 1e6:,.1f} MB with compiled code"
    if sum(sizes) > _LARGE:
        remedy = f"its files can be removed at any time: they are made again when needed ({folder})"
        yield Finding("cache", "size", value, "warning", remedy, sum(sizes))
    else:
        yield Finding("cache", "size", value, number=sum(sizes))
