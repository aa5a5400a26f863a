"""No module leaves symgrad before its text was found to compute exactly what its spec says.

What was found identical is kept with the text, so that it costs its second once.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from symgrad.compiler.loading.cache import keep_text, kept_text, spec_content
from symgrad.errors import ModuleWarning, NotIdenticalError, warn
from symgrad.judgement.kept_verdicts import Question, keep, kept
from symgrad.verifier.text_identity import Identity, identity_of_record

if TYPE_CHECKING:
    from symgrad.passes.dividing.pieces_of_batches import Coupling
    from symgrad.spec.model import Spec

UNCHECKED = "to go on without this check: --no-identity, in Python identity=False; "
GATE_SEED = 0
"""What the numbers that a text is compared at are drawn from."""


def checked_text(spec: Spec) -> str:
    """The text of a spec's module, identical with it.

    Raises:
        SpecError: the spec does not describe a network.
        NotIdenticalError: the text computes something else, which is a defect of symgrad.
    """
    return admitted(spec, derived_text(spec))


def derived_text(spec: Spec) -> str:
    """The text of a spec's module as symgrad emits it, judged or not: derived where none is kept.

    Raises:
        SpecError: the spec does not describe a network.
    """
    text = kept_text(spec)
    return emitted(spec).text if text is None else text


class EmittedModule(NamedTuple):
    """The text of a module, and why ranks cannot share its batches, where they cannot."""

    text: str
    coupling: Coupling | None


@lru_cache(maxsize=1)  # whoever asks whether ranks can share a spec's batches wants its text next
def emitted(spec: Spec) -> EmittedModule:
    """The module of a spec, derived, judged by nobody yet.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.pipeline import stages_of  # and with it SymPy, which a module in the cache does not need

    stages = stages_of(spec)
    return EmittedModule(stages.text, stages.coupling)


def admitted(spec: Spec, text: str) -> str:
    """The text, if it is identical with the spec; one that cannot be compared is warned of.

    Raises:
        NotIdenticalError: it computes something else, or the judge itself failed; a report is kept.
    """
    question = _question(spec, text.encode())
    if kept(question) is not None or kept(_admission(spec, text.encode())) is not None:
        return text
    found = _judged(spec, text)
    if found.is_wrong:
        raise _refusal(spec, text, f"it is not what its spec says: {found.fault}", "")
    if found.state == "not checked":
        remedy = "symgrad verify checks it by differences"
        warn(
            ModuleWarning(f"the module was not compared exactly with its spec: {found.detail}", remedy=remedy)
        )
    else:
        keep(question, json.dumps(asdict(found)))
    return text


def found_before(spec: Spec, text: bytes) -> tuple[Identity, str] | None:
    """What was found of this very text before it was handed over, and when; None where that is not known."""
    before = kept(_question(spec, text))
    if before is None:
        return None
    return identity_of_record(json.loads(before.found)), str(before)


def admit(spec: Spec, text: str) -> None:
    """Keep a text, of whose rows in a whole verdict none leaves its identity open, for all who ask for it."""
    keep(_admission(spec, text.encode()), "")
    keep_text(spec, text)


def _admission(spec: Spec, text: bytes) -> Question:
    return Question(text, ("admission", spec.sha256, spec_content(spec)))


def _question(spec: Spec, text: bytes) -> Question:
    return Question(text, ("identity", GATE_SEED, spec.sha256, spec_content(spec)))


def _judged(spec: Spec, text: str) -> Identity:
    """Raises NotIdenticalError where the judge fails: what nobody has judged is not handed over."""
    from symgrad.spec.expand import expand
    from symgrad.verifier.identity.check import identity_of

    try:
        return identity_of(expand(spec), text, seed=GATE_SEED)
    except MemoryError:
        return Identity("not checked", "there is too little memory for it")
    except Exception as error:
        problem = f"comparing it with its spec failed ({type(error).__name__}: {error})"
        raise _refusal(spec, text, problem, UNCHECKED) from error


def _refusal(spec: Spec, text: str, problem: str, remedy: str) -> NotIdenticalError:
    """The error, which names a file with all that a report of this defect needs, where one can be kept."""
    lines = [f"{spec.name}: {problem}", "", "--- the spec ---", _source(spec), "--- the text ---", text]
    kept = ""
    with (
        suppress(OSError),
        tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix=f"symgrad_{spec.name}_", suffix=".txt", delete=False
        ) as report,
    ):
        report.write("\n".join(lines))
        kept = f" with {report.name}"
    defect = f"this is a defect of symgrad, not of your spec; {remedy}please report it{kept}"
    return NotIdenticalError(f"the module was not written: {problem}", at=spec.at, remedy=defect)


def _source(spec: Spec) -> str:
    return spec.text
