"""The verdict on a module with a fault: the judge's own checks, those nearest to the fault first."""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from building import in_sections

from mutation.differential import ROWS, answers, first_difference
from mutation.regions import rightly_named
from mutation.specs import LONGEST_SECTIONS
from symgrad.errors import SymgradError
from symgrad.isolation import Isolated
from symgrad.isolation.client import Limits, ModuleProcess
from symgrad.isolation.worker import main as answer_requests
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.behaviour import behaviour_checks, size_checks
from symgrad.verifier.behaviour.drawn_case import case_of
from symgrad.verifier.behaviour.suite import BEHAVIOURS, LONG, OF_EDITED, RANKS, RAW, SEEDS
from symgrad.verifier.editing.edits import edits
from symgrad.verifier.report import Check
from symgrad.verifier.steps.rare_updates import rare_update_checks
from symgrad.verifier.steps.training_checks import compiled_checks, training_checks
from symgrad.verifier.trials.subject import FaultError, Subject, demand_names
from symgrad.verifier.trials.trial import prepare
from symgrad.verifier.trials.values import value_checks
from symgrad.verifier.verdict import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mutation.differential import Answers
    from mutation.faults import Fault
    from symgrad.spec.model import Model
    from symgrad.verifier.trials.behaviour_case import BehaviourCase
    from symgrad.verifier.trials.trial import Trial

CALL_SECONDS, JUDGE_SECONDS = 180.0, 600
_MEMORY = 2**33
_ROWS, _MOST_NUMBERS = (2, 16, 33), 4


@dataclass(frozen=True)
class Outcome:
    """How the judge took a fault: caught, refused (it cannot be loaded), survived, crashed or hung.

    `differs` says of a survivor which call of it gives something else than the module without the fault,
    of all calls that `differential` makes.
    """

    spec: str
    kind: str
    region: str
    title: str
    end: str
    rightly_named: bool
    failed: tuple[str, ...]
    message: str
    seconds: float
    compiled: bool
    differs: str = ""


class Original:
    """A spec's module without a fault, and what the judge knows of the spec."""

    def __init__(self, name: str, source: dict[str, Any], folder: Path) -> None:
        self.name, self.folder = name, folder
        spec = read(source)
        self.model: Model = expand(spec)
        longest = LONGEST_SECTIONS.get(name)
        with in_sections(longest) if longest else nullcontext():
            self.text = module_text(spec)

    @cached_property
    def trial(self) -> Trial:
        """The trial of the module as it should be."""
        with self.doors(self.text, compiled=False) as (door, twin):
            return prepare(self.model, door, twin, 1, 0)

    @contextmanager
    def doors(self, text: str, *, compiled: bool) -> Iterator[tuple[Isolated, Isolated]]:
        """The module of a text, and its twin, in a process of their own."""
        file = self.folder / f"{self.name}_{sha256(text.encode()).hexdigest()[:12]}.py"
        file.write_text(text, encoding="utf-8")
        limits = Limits(CALL_SECONDS, _MEMORY, is_compiled=compiled)
        process = (ModuleProcess if compiled else _Forked)(str(file), limits)
        try:
            process.start()
            yield Isolated(process, 0), Isolated(process, 1)
        finally:
            process.end()

    def outcome(self, fault: Fault, *, compiled: bool = False) -> Outcome:
        """What the judge says of this module with a fault in it."""
        start = time.monotonic()
        end, failed = self._judged(fault, compiled=compiled)
        differs = self.difference(fault, compiled=compiled) if end == "survived" else ""
        return Outcome(
            spec=self.name,
            kind=fault.kind,
            region=fault.region,
            title=fault.title,
            end=end,
            rightly_named=end != "caught" or rightly_named(fault.region, set(failed)),
            failed=tuple(failed),
            message=next(iter(failed.values()), "")[:300],
            seconds=round(time.monotonic() - start, 2),
            compiled=compiled,
            differs=differs,
        )

    def difference(self, fault: Fault, *, compiled: bool = False) -> str:
        """The first call that tells the module with this fault from the one without."""
        own_verify = fault.region == "own verify"
        found = self._answers(fault.text, own_verify=own_verify, compiled=compiled)
        return first_difference(self._right_answers(own_verify=own_verify, compiled=compiled), found)

    @cache  # noqa: B019  # there are a dozen of these, which live as long as the program
    def _right_answers(self, *, own_verify: bool, compiled: bool) -> Answers:
        return self._answers(self.text, own_verify=own_verify, compiled=compiled)

    def _answers(self, text: str, *, own_verify: bool, compiled: bool) -> Answers:
        file = self.folder / f"{self.name}_{os.getpid()}_answers.py"
        file.write_text(text, encoding="utf-8")
        return answers(file, self._case, own_verify=own_verify, compiled=compiled)

    @cached_property
    def _case(self) -> BehaviourCase:
        with self.doors(self.text, compiled=False) as (_, twin):
            return case_of(self.model, Subject(self.model, twin, self.trial.module.shapes), 90, ROWS)

    def _judged(self, fault: Fault, *, compiled: bool) -> tuple[str, dict[str, str]]:
        try:
            with _time_limit(JUDGE_SECONDS), self.doors(fault.text, compiled=compiled) as (door, twin):
                for facts in (door.facts, twin.facts):
                    demand_names(self.model, facts)
                failed = self._failed(fault, door, twin, compiled=compiled)
        except SymgradError as error:
            return "refused", {"load": str(error)}
        except TimeoutError:
            return "hung", {}
        except Exception as error:  # noqa: BLE001  # the judge's own crash is what is looked for
            return "crashed", {"judge": f"{type(error).__name__}: {error}"}
        return ("caught" if failed else "survived"), failed

    def _failed(self, fault: Fault, door: Isolated, twin: Isolated, *, compiled: bool) -> dict[str, str]:
        """The failed rows of the first checks that find the fault."""
        shapes = self.trial.module.shapes
        trial = replace(
            self.trial, module=Subject(self.model, door, shapes), twin=Subject(self.model, twin, shapes)
        )
        for checks in _in_turn(fault.region):
            found = {c.name: c.message for c in checks(trial) if c.verdict == "fail"}
            if found:
                return found
        if compiled:
            report = verify(self.model, door, twin=twin, points=3, emitted=self.text)
            return {r.name: r.message for r in (*report.parameters, *report.checks) if r.verdict == "fail"}
        numbers = {n for edit in edits(fault.text, self.text) for n in edit.numbers}
        found = _failed_at(numbers, trial)
        if not found:
            return found
        # by Python what is long may take too long without a fault as well, which says nothing of one
        with self.doors(self.text, compiled=False) as (door, twin):
            right = replace(
                trial, module=Subject(self.model, door, shapes), twin=Subject(self.model, twin, shapes)
            )
            without = _failed_at(numbers, right)
        return {name: told for name, told in found.items() if name not in without}


def _failed_at(numbers: set[float], trial: Trial) -> dict[str, str]:
    """What fails where sizes, epochs and updates are near numbers that the edited text holds."""
    whole = sorted(n for n in numbers if isinstance(n, int))[:_MOST_NUMBERS]
    checks = [*size_checks(trial, whole, _ROWS, numbers), *rare_update_checks(trial, numbers)]
    return {c.name: c.message for c in checks if c.verdict == "fail"}


def _in_turn(region: str) -> list[Callable[[Trial], Iterable[Check]]]:
    """The checks that a verdict consists of, those nearest to a fault in such a definition first.

    What is left out takes long by Python: gradients by differences, which identity holds entry by entry, and
    a module's own verify where the fault is elsewhere.
    """
    first: tuple[Callable[[Trial], Iterable[Check]], ...] = {
        "computation": (_text, _values),
        "functions": (_text, _values),
        "intrinsics": (_values, _training),
        "optimiser": (_training, _behaviours),
        "epoch": (_training, _behaviours),
        "own verify": (_own_verify,),
        "rows": (_raw_rows,),
        "ranks": (_ranks,),
    }.get(region, (_behaviours, _training))
    others = (_values, _training, _behaviours, _text)
    return [*first, *(checks for checks in others if checks not in first)]


def _values(trial: Trial) -> Iterator[Check]:
    yield from value_checks(trial)
    yield from compiled_checks(trial)


def _text(trial: Trial) -> Iterable[Check]:
    try:
        return trial.module.door.text_checks(trial.model, 0, lambda: None)()
    except FaultError as fault:
        return [Check("identity", "of the text with the spec", math.inf, 0.0, "fail", str(fault))]


def _training(trial: Trial) -> Iterable[Check]:
    return training_checks(trial) if trial.trains else ()


def _own_verify(trial: Trial) -> Iterable[Check]:
    return behaviour_checks(trial, {"own verify", LONG, SEEDS}, is_edited=True)


def _raw_rows(trial: Trial) -> Iterable[Check]:
    return behaviour_checks(trial, {RAW}, is_edited=True)


def _ranks(trial: Trial) -> Iterable[Check]:
    return behaviour_checks(trial, {RANKS}, is_edited=True)


def _behaviours(trial: Trial) -> Iterable[Check]:
    return behaviour_checks(trial, BEHAVIOURS.keys() - {"own verify"} - OF_EDITED, is_edited=True)


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Inside it a TimeoutError ends what takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Forked(ModuleProcess):
    """The module's process as a fork of this one, which has imported Numba: that saves half a second."""

    def launch(self) -> Any:
        return _Fork()


class _Fork:
    """A forked process that answers requests, as `subprocess.Popen` would hold it."""

    def __init__(self) -> None:
        request_end, requests = os.pipe()
        answers, answer_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _become_worker(request_end, answer_end)
        os.close(request_end)
        os.close(answer_end)
        self.stdin, self.stdout = os.fdopen(requests, "wb"), os.fdopen(answers, "rb")
        self._code: int | None = None

    def kill(self) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def _become_worker(request_end: int, answer_end: int) -> None:
    try:
        signal.alarm(0)
        os.dup2(request_end, 0)
        os.dup2(answer_end, 1)
        os.closerange(3, 256)
        answer_requests("nothing")
    finally:
        os._exit(0)


def without_compiling() -> None:
    """Let modules of this process and its forks run by Python."""
    import numba

    numba.config.DISABLE_JIT = True
