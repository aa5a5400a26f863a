"""This side: calls of a module that lives in another process, which is started anew after a crash."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.compiler.loading.load import is_compiled
from symgrad.errors import InternalError, ModuleError, NoVerdictError, SymgradError
from symgrad.isolation.call_watch import CallEnd, CallWatch
from symgrad.isolation.launching import Running, ended, launched, launched_together
from symgrad.isolation.messages import GarbageError, named, packed, read, unpacked, write
from symgrad.isolation.pace import ORDINARY, Pace
from symgrad.verifier.report import Check, any_failed
from symgrad.verifier.trials.subject import Facts, FaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.text_identity import Identity
    from symgrad.verifier.trials.behaviour_case import BehaviourCase

CALL_SECONDS, LOAD_SECONDS, TEXT_SECONDS = ORDINARY, 120.0, 120.0
_TRAINING = ("train_step", "train_epoch")
_ORDINARY = 80_000
"""Bytes of a module's text; the limits of a longer one grow with it."""

_OUT_OF_TIME, _KILLED = ("SIGPROF", "SIGKILL")
"""What ends a process that has computed for too long, and one that is ended from outside."""


@dataclass(frozen=True)
class Limits:
    """For how long one call may compute, compilation included, and how long it may wait; how many bytes the
    process may take."""

    seconds: float
    memory: int
    is_compiled: bool


@dataclass(frozen=True)
class Isolated:
    """A module, or its float64 twin, behind the door of its process: what `Subject` calls.

    Where the module is its own twin, functions that train may be called in the other process, so that they
    are compiled beside the others; the text may be judged in one of its own.
    """

    process: ModuleProcess
    place: int
    training: ModuleProcess | None = None
    judging: ModuleProcess | None = None

    @property
    def facts(self) -> Facts:
        return self.process.facts[self.place]

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """The answer of a function; named tuples among its arguments are left as it left them.

        Raises:
            FaultError: it raised, crashed, ended its process or did not return in time.
        """
        process = self.training if self.training and function in _TRAINING else self.process
        return process.call(self.place, function, arguments, keywords)

    def observe(self, behaviour: str, case: BehaviourCase) -> str:
        """What is wrong with a behaviour of the module.

        Raises:
            FaultError: it crashed, ended its process or did not return in time.
        """
        return self.process.observe(self.place, behaviour, case)

    def text_checks(
        self, model: Model, seed: int, when_wrong: Callable[[], None], known: Identity | None = None
    ) -> Callable[[], list[Check]]:
        """What is judged from the text in the module's file, parts of which are run there, from now on."""
        found: Future[list[Check]] = Future()
        pickled = pickle.dumps(model)  # now, as the model remembers more while others work with it

        def judge() -> None:
            try:
                rows = (self.judging or self.process).text_checks(pickled, seed, known)
            except BaseException as fault:  # noqa: BLE001  # whoever asks for the result is told
                when_wrong()
                found.set_exception(fault)
                return
            if any_failed(rows):
                when_wrong()
            found.set_result(rows)

        threading.Thread(target=judge, daemon=True).start()
        return found.result

    def hurry(self, seconds: float) -> None:
        """Let no later call last longer than this."""
        for process in (self.process, self.training):
            if process is not None:
                process.limits = replace(process.limits, seconds=min(process.limits.seconds, seconds))

    def ahead(
        self, answers: Sequence[Callable[[], object]], training: Sequence[Callable[[], object]]
    ) -> None:
        """Let these calls be made while this process does other things; whoever calls meanwhile waits."""

        def quietly(calls: Sequence[Callable[[], object]]) -> None:
            for call in calls:
                with suppress(FaultError, SymgradError):  # it is met again by the check that asks for it
                    call()

        if self.process.limits.is_compiled:
            for calls in (answers, training) if self.training else ([*answers, *training],):
                threading.Thread(target=quietly, args=(calls,), daemon=True).start()


@contextmanager
def isolated(
    file: str | os.PathLike[str] | Callable[[], str | os.PathLike[str]], seconds: float = CALL_SECONDS
) -> Iterator[tuple[Isolated, Isolated]]:
    """The module in a file and its float64 twin, in processes that end with the block.

    `file` may be how to make the file, while the processes start. The twin's drivers are run by Python, in a
    process that loads it when it is first called. A float64 module is its own twin, compiled, in the same
    process, and is trained in the other one. The text is judged in a third, which does not load the module.
    No call may compute or wait longer than so many seconds, its compilation included, nor much longer than
    those before it let expect; where the text is longer than usual, in proportion longer. Nor may a process
    take more memory than the machine has. What the machine gives to others is not counted.

    Raises:
        ModuleError: it cannot be loaded.
        NoVerdictError: here or when it is called, the machine has no time or memory for it.
    """
    need = "numba" if is_compiled() else "nothing"
    with launched_together((need, need, "judge")) as early:
        path = os.fspath(file() if callable(file) else file)
        of_file = partial(ModuleProcess, path, _limits(path, seconds))
        module, other, judging = of_file(early[0]), of_file(early[1]), of_file(early[2], loads=False)
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(ModuleProcess.start, (module, judging)))
            other.facts = module.facts
            is_double = module.facts[0].dtype == np.float64
            twin, training = (module, other) if is_double else (other, None)
            yield Isolated(module, 0, training, judging), Isolated(twin, 1, training, judging)
        finally:
            for process in (module, other, judging):
                process.close()


def _limits(file: str, seconds: float) -> Limits:
    growth = max(1.0, Path(file).stat().st_size / _ORDINARY) if Path(file).is_file() else 1.0
    return Limits(round(seconds * growth, 1), _physical_memory(), is_compiled())


def _physical_memory() -> int:
    """Bytes of this machine's memory; 16 GiB where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**34


class ModuleProcess:
    """A process that holds a module, started anew after a crash, but not after it had to be stopped.

    The first may have been launched before its file was there. One that only judges a text loads nothing.
    """

    def __init__(
        self, file: str, limits: Limits, early: Running | None = None, *, loads: bool = True
    ) -> None:
        self.file, self.limits, self.loads, self._early = file, limits, loads, early
        self.facts: tuple[Facts, ...] = ()
        self._process: Running | None = None
        self._pace = Pace()
        self._faults: dict[tuple[int, str], str] = {}
        self._stopped = ""
        self._unjudged: NoVerdictError | None = None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start the process and load the module there.

        Raises:
            ModuleError: it cannot be loaded.
        """
        self._process, self._early = self._early or self.launch(), None
        try:
            request = (self.file if self.loads else "", self.limits.memory, self.limits.is_compiled)
            answer, spent = self._ask(request, "loading it", LOAD_SECONDS)
        except FaultError as fault:
            raise ModuleError(str(fault), at=self.file, remedy="generate it anew") from None
        match answer:
            case ("loaded", found, float(computed)):
                self._pace.started(max(spent, computed))
                self.facts = tuple(
                    Facts(self.file, frozenset(n), np.dtype(d), *rest) for n, d, *rest in found
                )
            case ("refused", problem, remedy):
                raise ModuleError(problem, at=self.file, remedy=remedy)
            case _:
                raise ModuleError("loading it gave garbage", at=self.file, remedy="generate it anew")

    def launch(self) -> Running:
        """A new process."""
        if not self.loads:
            return launched("judge")
        return launched("numba" if self.limits.is_compiled else "nothing")

    def call(self, place: int, function: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call a function of the module at this place, unless it is known to end in disaster."""
        options = {name: packed(value) for name, value in keywords.items()}
        match self._paced((place, function), ("call", place, function, packed(arguments), options)):
            case ("answer", answer, [*left]):
                given = [value for value in arguments if hasattr(value, "_fields")]
                return self._received(function, answer, given, left)
            case ("raised", kind, message):
                raise FaultError(f"{function} raised {kind}: {message}")
        raise self._lost(f"{function} answered with garbage")

    def observe(self, place: int, behaviour: str, case: BehaviourCase) -> str:
        """Let the module be tried for a behaviour there."""
        match self._paced((place, behaviour), ("observe", place, behaviour, packed(case), {})):
            case ("answer", str(faults), []):
                return faults
        raise self._lost(f"{behaviour} answered with garbage")

    def text_checks(self, model: bytes, seed: int, known: Identity | None) -> list[Check]:
        """Let the text of the module be judged there, by a pickled model."""
        before = None if known is None else (known.state, known.detail, known.left)
        seconds, given = max(self.limits.seconds, TEXT_SECONDS), (model, seed, before)
        request: tuple[Any, ...] = ("text", 0, self.file, given, {})
        match self._asked((0, "the judgement of the text"), request, seconds)[0]:
            case ("checks", [*rows]):
                return [Check(*row) for row in rows]
            case ("raised", kind, message):
                raise FaultError(f"the judgement of the text raised {kind}: {message}")
        raise self._lost("the judgement of the text answered with garbage")

    def _paced(self, call: tuple[int, str], request: tuple[Any, ...]) -> Any:
        """The answer to a request, within the time that those before it let expect."""
        answer, spent = self._asked(call, request)
        match answer:
            case ("answer", *_):  # what was refused may not have been compiled
                self._pace.took(call, spent)
        return answer

    def _asked(
        self, known_as: tuple[int, str], request: tuple[Any, ...], seconds: float = 0.0
    ) -> tuple[Any, float]:
        with self._lock:
            if self._unjudged is not None:
                raise self._unjudged
            known = self._stopped or self._faults.get(known_as)
            if known:
                raise FaultError(known)
            if self._process is None:
                self.start()
                if self._stopped:  # nobody waits for an answer any longer
                    raise FaultError(self._stopped)
            seconds = seconds or self._pace.limit(known_as, self.limits.seconds)
            try:
                return self._ask((*request, seconds), known_as[1], seconds)
            except _LostError as lost:
                self._faults[known_as] = str(lost)
                raise FaultError(str(lost)) from None

    def _received(self, function: str, answer: Any, given: list[Any], left: list[Any]) -> Any:
        """The answer, after what was left in the named tuples has been copied into those given here."""
        try:
            for here, there in zip(given, (unpacked(tree, named) for tree in left), strict=True):
                for array, value in zip(here, there, strict=True):
                    np.copyto(array, value)
            return unpacked(answer, named)
        except (GarbageError, TypeError, ValueError) as error:
            raise FaultError(f"{function} left or gave what cannot be read: {error}") from None

    def _ask(self, request: Any, doing: str, seconds: float) -> tuple[Any, float]:
        """Send a request and wait for its answer, but not for ever; the answer, and the seconds it took."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise InternalError("a module was asked before its process was started")
        watch = CallWatch(process, seconds)
        watch.start()
        try:
            write(process.stdin, request)
            return read(process.stdout), watch.spent
        except GarbageError:
            raise self._lost(f"{doing} answered with garbage") from None
        except (EOFError, BrokenPipeError):
            raise self._ended(doing, process.wait(), watch) from None
        finally:
            watch.end()

    def _ended(self, doing: str, code: int, watch: CallWatch) -> _LostError | NoVerdictError:
        """How the process came to its end, and whose fault that is."""
        self.end()
        if self._stopped:
            return _LostError(self._stopped)
        by = _signal_of(code)
        ending = CallEnd.COMPUTED if by == _OUT_OF_TIME else watch.ending
        if ending is None and by == _KILLED:
            remedy = "judge it when there is more memory"
            return self._unknown(f"the process was killed from outside in {doing}", remedy)
        if ending is None:
            words = f"crashed in {doing} (signal {-code}, {by})" if by else ""
            return _LostError(words or f"{doing} ended the process (exit code {code})")
        told = f"{doing} {watch.tally.told(ending)}"
        if not ending.is_fault:
            return self._unknown(told, "judge it when less else runs")
        self._stopped = f"not called, as {told.partition(';')[0]}"
        return _LostError(told)

    def _unknown(self, told: str, remedy: str) -> NoVerdictError:
        """Nothing will be known of this module; whoever asks later is told the same."""
        self._unjudged = NoVerdictError(told, at=self.file, remedy=remedy)
        return self._unjudged

    def _lost(self, text: str) -> _LostError:
        self.end()
        return _LostError(text)

    def close(self) -> None:
        """End the process for good."""
        self._stopped = self._stopped or "not called, as its process was ended"
        if self._process is not None:
            self._process.kill()
        with self._lock:  # nobody waits for an answer any longer
            self.end()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            ended(process)


def _signal_of(code: int) -> str:
    """The signal that ended a process with this code; nothing where none did."""
    with suppress(ValueError):
        return signal.Signals(-code).name
    return ""


class _LostError(FaultError):
    """The process is gone, and with it the answer."""
