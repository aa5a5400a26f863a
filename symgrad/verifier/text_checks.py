"""What is judged from a module's text: its identity with the spec, its elementary functions, its common part.

Parts of the text are run here, by Python. Whoever judges a text that may do harm does it in another process.
"""

from __future__ import annotations

import math
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.errors import ModuleError
from symgrad.verifier.functions.accuracy import function_checks
from symgrad.verifier.functions.polynomials import polynomial_checks
from symgrad.verifier.report import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.text_identity import Identity


def text_checks(model: Model, at: str, seed: int, known: Identity | None = None) -> Iterator[Check]:
    """The rows for the text of the module at a place, which has none where it is in no file.

    `known` is what was found of the very same text, asked the same.
    """
    from symgrad.verifier.identity.report_rows import (
        identity_checks,  # and with it SymPy, for slopes of functions
        identity_rows,
    )

    text = text_of(at)
    if text:
        yield from identity_rows(known) if known else identity_checks(model, text, seed)
        yield from elementary_checks(text, seed)


def text_of(at: str) -> str:
    """The text of the module at a place; empty where it is in no file."""
    if not Path(at).is_file():
        return ""
    with tokenize.open(at) as file:  # in the encoding that Python reads it in
        return file.read()


def elementary_checks(text: str, seed: int) -> Iterator[Check]:
    """The functions that the text carries and their polynomials, or why they are not run."""
    try:
        yield from function_checks(text, seed)
        yield from polynomial_checks(text)
    except ModuleError as error:
        yield Check("functions", "elementary functions", math.inf, 0, "fail", str(error))
