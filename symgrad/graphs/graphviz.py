"""Graphviz, the program that lays graphs out, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import Literal

from symgrad.errors import SymgradError

SECONDS = 60
_SHARP = {"png": ("-Gdpi=144",)}
_REMEDY = "install Graphviz so that `dot -V` works, or take the text: dot or mermaid"


def is_installed() -> bool:
    """Whether pictures can be drawn on this machine."""
    return shutil.which("dot") is not None


def drawn(text: str, style: Literal["svg", "png"]) -> bytes:
    """The picture of a graph in Graphviz's language.

    Raises:
        SymgradError: Graphviz is not installed, takes longer than SECONDS, or fails.
    """
    program = shutil.which("dot")
    if program is None:
        raise SymgradError(
            f"a picture as {style.upper()} is drawn by Graphviz, not found here", remedy=_REMEDY
        )
    try:
        answer = subprocess.run(  # noqa: S603  # no shell; the text goes in by a pipe
            [program, f"-T{style}", *_SHARP.get(style, ())],
            input=text.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"Graphviz has not laid the graph out within {SECONDS} seconds"
        raise SymgradError(problem, remedy="draw fewer nodes: the detail 'blocks'") from None
    except OSError as error:
        raise SymgradError(f"Graphviz cannot be run: {error.strerror}", remedy=_REMEDY) from None
    if answer.returncode:
        reason = " ".join(answer.stderr.decode(errors="replace").split())[:200]
        raise SymgradError(f"Graphviz failed: {reason}", remedy=_REMEDY)
    return answer.stdout
