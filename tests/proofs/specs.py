"""What is proved of: the examples, the lectures, and a small network for every row of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus import CORPUS, EXAMPLES

from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Spec

FOLDER = EXAMPLES[0].parent


def specs(words: list[str]) -> Iterator[tuple[str, Spec]]:
    """Those whose names hold one of these words; all of them without any."""
    files = [*EXAMPLES, *sorted((FOLDER / "lectures").glob("*.yaml"))]
    sources = {str(file.relative_to(FOLDER).with_suffix("")): file for file in files} | CORPUS
    for name, source in sources.items():
        if not words or any(word in name for word in words):
            yield name, read(source)
