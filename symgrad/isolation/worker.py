"""The other process: it loads a module and its float64 twin, and calls their functions as it is asked to."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from symgrad.compiler.loading.load import double_precision_twin, lighten, load, run_drivers_in_python
from symgrad.errors import SymgradError
from symgrad.isolation.call_watch import BUSY
from symgrad.isolation.messages import packed, read, unpacked, write
from symgrad.verifier.behaviour.suite import observed
from symgrad.verifier.text_checks import text_checks
from symgrad.verifier.text_identity import Identity
from symgrad.verifier.trials.behaviour_case import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

_ALONE = 2.0
"""This process outlives by so many times the time after which its parent, if it lives, ends it."""


def _load_numba() -> None:
    """Numba, and what it loads of itself before it compiles for the first time."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _load_judge() -> None:
    from symgrad.verifier.identity import report_rows  # noqa: F401  # and with it SymPy


NEEDS: Mapping[str, Callable[[], None]] = {
    "numba": _load_numba,
    "judge": _load_judge,
    "nothing": lambda: None,
}
"""What a process is for, compiled modules or texts, and how it loads what that needs."""


def main(need: str, computed: float = 0.0) -> None:
    """Answer the requests on stdin until it ends: first a file to load, if any, and limits, then calls.

    What is needed is loaded while nobody waits for it; `computed` are seconds of computing before this.
    """
    requests, answers = _own_streams()
    NEEDS[need]()
    file, memory, is_compiled = read(requests)
    if hasattr(signal, "SIGINT"):
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # an interrupt is the parent's, who then ends this process
    _limit_memory(memory)
    if not is_compiled:
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    modules = _loaded(file, answers, computed)
    while modules is not None:
        _alarm(0)
        try:
            what, place, name, given, options, seconds = read(requests)
        except EOFError:
            return
        _alarm(seconds)
        match what:
            case "observe":
                write(answers, ("answer", observed(modules[place], name, unpacked(given, record)), []))
            case "text":
                write(answers, _judged(name, *given))
            case _:
                write(answers, _answer(modules[place], name, given, options))


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The streams to the parent, hidden from the module: it may print and read as it likes, to nobody."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nobody = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nobody, descriptor)
    return requests, answers


def _limit_memory(memory: int) -> None:
    """Let no more be allocated than this, where the system can be asked to see to that."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _alarm(seconds: float) -> None:
    """End this process once it has computed for so long, even deep in compiled code and its parent gone."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, _ALONE * BUSY * seconds)


def _loaded(file: str, answers: BinaryIO, before: float) -> list[ModuleType] | None:
    """The module and its twin, once the parent is told their facts; None where it is told a reason.

    How long was computed until then, here and `before`, says how fast the machine is: Numba was loaded.
    """
    if not file:
        write(answers, ("loaded", [], before + time.process_time()))
        return []
    try:
        module = load(file)
        twin, is_double = module, np.dtype(module.DTYPE) == np.float64
        by_python: tuple[str, ...] = ()
        if not is_double:
            twin = double_precision_twin(module)
            by_python = run_drivers_in_python(twin)
        facts = [_facts(module, lighten(module)), _facts(twin, by_python)]
    except SymgradError as error:
        write(answers, ("refused", error.problem, error.remedy))
        return None
    write(answers, ("loaded", facts, before + time.process_time()))
    return [module, twin]


def _facts(module: ModuleType, by_python: tuple[str, ...]) -> tuple[Any, ...]:
    """Its names, number type, the spec it claims to be made from, its parameters, and what Python runs."""
    fields = tuple(map(str, getattr(module.Params, "_fields", ())))
    dtype, sha256 = np.dtype(module.DTYPE).str, str(module.SPEC_SHA256)
    return tuple(dir(module)), dtype, sha256, fields, by_python


def _judged(file: str, model: bytes, seed: int, before: Any) -> tuple[Any, ...]:
    """The rows for the text in a file, as plain values; the model comes from the judge, and is no message."""
    try:
        known = None if before is None else Identity(*before)
        found = text_checks(pickle.loads(model), file, seed, known)  # noqa: S301  # from the judge alone
        return ("checks", [tuple(vars(check).values()) for check in found])
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the text raises is told
        return _raised(error)


def _answer(module: ModuleType, function: str, arguments: Any, keywords: Any) -> tuple[Any, ...]:
    """What a function gives, and what it has left in the named tuples it was given; or what it raised."""

    def rebuilt(name: str, _: tuple[str, ...], values: list[Any]) -> Any:
        if name == "Params" and values:
            return module.unflatten(np.concatenate([np.ravel(value) for value in values]))
        return getattr(module, name)(*values)

    try:
        given = unpacked(arguments, rebuilt)
        options = {name: unpacked(value, rebuilt) for name, value in keywords.items()}
        with np.errstate(all="ignore"):
            answer = getattr(module, function)(*given, **options)
        left = [packed(value) for value in given if hasattr(value, "_fields")]
        return ("answer", packed(answer), left)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it raises is told
        return _raised(error)


def _raised(error: BaseException) -> tuple[Any, ...]:
    lines = str(error).splitlines()
    return ("raised", type(error).__name__, lines[0] if lines else "")
