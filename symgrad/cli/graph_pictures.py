"""What graph does: read the numbers of --at, and write the picture or its text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad import api
from symgrad.cli.endings import GOOD
from symgrad.cli.output import produce, say, spare, write_bytes
from symgrad.errors import DataError, SymgradError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.graphs.graph import Graph
    from symgrad.graphs.nodes import Node

_ENDINGS = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".svg": "svg", ".png": "png", ".txt": "text"}
_NAME = re.compile(r"\s*([A-Za-z]\w*)\s*=\s*")
_USAGE = "write --at x=-2,y=5 or --at 'x=[[1, 2]]' or --at @numbers.npz"
_MAX_TEXT = 1_000_000


def draw_graph(
    spec: Path, detail: Any, at: Sequence[str], seed: int | None, style: str | None, output: Path | None
) -> int:
    """Write the graph to stdout or to a file, whose ending chooses the format where none is given."""
    chosen = style or _style_of(output)
    if chosen == "png" and output is None:
        raise SymgradError("a PNG picture is no text", remedy="name a file: -o graph.png")
    given = numbers(at) if at else None
    graph = api.graph(api.read(spec), detail=detail, at=given, seed=seed)
    content = _rendered(graph, chosen)
    _warn(graph)
    if output is None:
        produce(content.decode().rstrip("\n"), html=chosen == "svg")
        return GOOD
    spare(output, spec)
    write_bytes(output, content)
    say(f"wrote {output}")
    return GOOD


def numbers(texts: Sequence[str]) -> dict[str, Any]:
    """The arrays that `x=-2,y=[1, 2]` and `@numbers.npz` give, by name.

    Raises:
        DataError: a text says no numbers, a file cannot be read, or a name stands twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        pairs = _of_file(text[1:]) if text.startswith("@") else _assignments(text)
        for name, value in pairs:
            if name in found:
                raise DataError(f"'{name}' is given twice", at="--at", remedy="give it once")
            found[name] = value
    return found


def _style_of(output: Path | None) -> str:
    if output is None:
        return "text"
    style = _ENDINGS.get(output.suffix.lower())
    if style is None:
        problem = f"the ending '{output.suffix}' names no format"
        remedy = f"choose one of {', '.join(_ENDINGS)}, or say --format"
        raise SymgradError(problem, at=str(output), remedy=remedy)
    return style


def _rendered(graph: Graph, style: str) -> bytes:
    if style == "png":
        return graph.png()
    texts = {"text": lambda: f"{graph}\n", "dot": graph.dot, "mermaid": graph.mermaid, "svg": graph.svg}
    return texts[style]().encode()


def _warn(graph: Graph) -> None:
    """Say which values are no finite numbers: the picture shows them as nan and inf."""
    import numpy as np

    def is_finite(node: Node) -> bool:
        return all(np.isfinite(array).all() for array in (node.value, node.gradient) if array is not None)

    wrong = [node.name for node in graph.nodes if not is_finite(node)]
    if wrong:
        say(f"note: not finite at this point: {', '.join(wrong)}")


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    if len(text) > _MAX_TEXT:
        raise DataError(f"a text of {len(text):,} characters", at="--at", remedy="put the numbers in a file")
    text = text.replace("−", "-")
    place = 0
    while True:
        head = _NAME.match(text, place)
        if head is None:
            raise DataError(f"'{text[place:][:40]}' gives no name a number", at="--at", remedy=_USAGE)
        value, place = _value(text, head.end())
        yield head[1], value
        if place == len(text):
            return
        place += 1


def _value(text: str, start: int) -> tuple[Any, int]:
    """A number or a nested list, and where it ends: at a comma or at the end of the text."""
    if not text.startswith("[", start):
        end = text.find(",", start)
        end = len(text) if end < 0 else end
        return _number(text[start:end]), end
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        value, end = None, start
    while end < len(text) and text[end].isspace():
        end += 1
    if value is None or (end < len(text) and text[end] != ","):
        raise DataError(f"'{text[start:][:40]}' is no list of numbers", at="--at", remedy=_USAGE)
    return value, end


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"'{text.strip()[:40]}' is no number", at="--at", remedy=_USAGE) from None


def _of_file(name: str) -> Iterator[tuple[str, Any]]:
    from symgrad.training.dataset.array_files import READ_ERRORS, read_npz

    try:
        yield from read_npz(Path(name)).items()
    except READ_ERRORS as error:
        problem = "this is no NPZ file of plain numbers"
        if isinstance(error, OSError) and error.strerror:
            problem = f"cannot be read: {error.strerror}"
        raise DataError(
            problem, at=name, remedy="expected one array per name, as numpy.savez writes"
        ) from None
