"""The verdict on a module with a fault: the judge's own checks, those nearest to the fault first."""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mutation.regions import rightly_named
from symgrad.errors import SymgradError
from symgrad.isolation import Isolated, isolated
from symgrad.isolation.client import Limits, ModuleProcess
from symgrad.isolation.worker import main as answer_requests
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier import verify
from symgrad.verifier.behaviour import behaviour_checks
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.report import Check
from symgrad.verifier.subject import Subject, demand_names
from symgrad.verifier.text_checks import elementary_checks
from symgrad.verifier.training import training_checks
from symgrad.verifier.trial import prepare
from symgrad.verifier.values import value_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mutation.faults import Fault
    from symgrad.spec.model import Model
    from symgrad.verifier.trial import Trial

CALL_SECONDS, JUDGE_SECONDS = 60.0, 600
_MEMORY = 2**33


@dataclass(frozen=True)
class Outcome:
    """How the judge took a fault: caught, refused (it cannot be loaded), survived, crashed or hung."""

    spec: str
    kind: str
    region: str
    title: str
    end: str
    rightly_named: bool
    failed: tuple[str, ...]
    message: str
    seconds: float


class Original:
    """A spec's module without a fault, and what the judge knows of the spec."""

    def __init__(self, name: str, source: dict[str, Any], folder: Path) -> None:
        self.name, self.folder = name, folder
        spec = read(source)
        self.model: Model = expand(spec)
        self.text = module_text(spec)

    @cached_property
    def trial(self) -> Trial:
        """The trial of the module as it should be."""
        with self.doors(self.text, compiled=False) as (door, twin):
            return prepare(self.model, door, twin, 1, 0)

    @contextmanager
    def doors(self, text: str, *, compiled: bool) -> Iterator[tuple[Isolated, Isolated]]:
        """The module of a text, and its twin, in a process of their own."""
        file = self.folder / f"{self.name}_{os.getpid()}.py"
        file.write_text(text, encoding="utf-8")
        if compiled:
            with isolated(file, CALL_SECONDS) as doors:
                yield doors
            return
        process = _Forked(str(file), Limits(CALL_SECONDS, _MEMORY, is_compiled=False))
        try:
            process.start()
            yield Isolated(process, 0), Isolated(process, 1)
        finally:
            process.end()

    def outcome(self, fault: Fault, *, compiled: bool = False) -> Outcome:
        """What the judge says of this module with a fault in it."""
        start = time.monotonic()
        end, failed = self._judged(fault, compiled=compiled)
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
        )

    def _judged(self, fault: Fault, *, compiled: bool) -> tuple[str, dict[str, str]]:
        try:
            with _time_limit(JUDGE_SECONDS), self.doors(fault.text, compiled=compiled) as (door, twin):
                for facts in (door.facts, twin.facts):
                    demand_names(self.model, facts)
                failed = self._failed(fault, door, twin)
        except SymgradError as error:
            return "refused", {"load": str(error)}
        except TimeoutError:
            return "hung", {}
        except Exception as error:  # noqa: BLE001  # the judge's own crash is what is looked for
            return "crashed", {"judge": f"{type(error).__name__}: {error}"}
        return ("caught" if failed else "survived"), failed

    def _failed(self, fault: Fault, door: Isolated, twin: Isolated) -> dict[str, str]:
        """The failed rows of the first checks that find the fault; the whole verdict comes last."""
        shapes = self.trial.module.shapes
        trial = replace(
            self.trial, module=Subject(self.model, door, shapes), twin=Subject(self.model, twin, shapes)
        )
        for checks in _nearest(fault):
            found = {c.name: c.message for c in checks(trial, fault) if c.verdict == "fail"}
            if found:
                return found
        report = verify(self.model, door, twin=twin, points=3)
        return {r.name: r.message for r in (*report.parameters, *report.checks) if r.verdict == "fail"}


def _nearest(fault: Fault) -> tuple[Callable[[Trial, Fault], Iterable[Check]], ...]:
    """The cheap checks to try first."""
    match fault.region:
        case "computation":
            return (_identity, _values)
        case "functions":
            return (_functions, _values)
        case "optimiser" | "epoch":
            return (_training, _behaviours)
        case "own verify":
            return (_own_verify,)
    return (_behaviours, _training)


def _identity(trial: Trial, fault: Fault) -> Iterable[Check]:
    found = identity_of(trial.model, fault.text)
    if found.is_wrong:
        yield Check("identity", "of the text with the spec", math.inf, 0.0, "fail", found.detail)


def _values(trial: Trial, _: Fault) -> Iterable[Check]:
    return value_checks(trial)


def _functions(_: Trial, fault: Fault) -> Iterable[Check]:
    return elementary_checks(fault.text, 0)


def _training(trial: Trial, _: Fault) -> Iterable[Check]:
    return training_checks(trial) if trial.trains else ()


def _own_verify(trial: Trial, _: Fault) -> Iterable[Check]:
    return behaviour_checks(trial, {"own verify"})


def _behaviours(trial: Trial, _: Fault) -> Iterable[Check]:
    return behaviour_checks(trial)


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
        answer_requests()
    finally:
        os._exit(0)


def without_compiling() -> None:
    """Let modules of this process and its forks run by Python."""
    import numba

    numba.config.DISABLE_JIT = True
