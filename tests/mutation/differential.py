"""Whether a module answers as another does: all it offers its callers, called in many ways, bit for bit."""

from __future__ import annotations

import hashlib
import inspect
import io
import math
import os
import pickle
import signal
from contextlib import redirect_stdout, suppress
from itertools import product
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from mutation.regions import FUNCTIONS
from mutation.stored import stored
from symgrad.compiler.loading.load import double_precision_twin, load
from symgrad.verifier.behaviour import accepted_data as of_data
from symgrad.verifier.behaviour import declared
from symgrad.verifier.behaviour.memory import parameters_in_memory
from symgrad.verifier.behaviour.training.epoch import row_count
from symgrad.verifier.behaviour.workbench import Bench, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from symgrad.verifier.trials.behaviour_case import BehaviourCase

ROWS = 40
_SIZES = (1, 2, 3, 7, 16, ROWS)
_SECONDS = 600
_POINTS = np.concatenate(
    [
        [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1.7e308],
        np.linspace(-30, 30, 1201),
        np.linspace(-800, 800, 1601),
        *(sign * 10.0 ** np.linspace(-320, 308, 629) for sign in (1, -1)),
    ]
)
"""Numbers that elementary functions are compared at."""

Answers = list[tuple[str, str]]
"""What was called, and a digest of what came of it: answers, errors with their messages, arguments after."""
ENDED = "the process ended or hung"


def first_difference(one: Answers, other: Answers) -> str:
    """The first call of which something else came; empty where there is none.

    Where the calls of the first module were not all made, nothing was compared, and that is no equality.
    """
    if one[-1][0] == ENDED:
        raise RuntimeError(f"the module without a fault cannot be compared with: {one[-1][1] or ENDED}")
    if len(one) != len(other):
        return "another number of answers"
    return next((what for (what, a), (_, b) in zip(one, other, strict=True) if a != b), "")


def answers(file: Path, case: BehaviourCase, *, own_verify: bool, compiled: bool) -> Answers:
    """What came of all calls of the module in a file, in a process of its own that may hang or crash."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            signal.alarm(_SECONDS)
            numba.config.DISABLE_JIT = not compiled
            with os.fdopen(writing, "wb") as stream:
                try:
                    found = _all(file, case, own_verify=own_verify)
                except Exception as error:  # noqa: BLE001  # a fault's, or the harness's own: see above
                    found = [(ENDED, f"{type(error).__name__}: {error}")]
                pickle.dump(found, stream)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    with suppress(EOFError, pickle.UnpicklingError):
        found: Answers = pickle.loads(content)
        return found
    return [(ENDED, "")]


def _all(file: Path, case: BehaviourCase, *, own_verify: bool) -> Answers:
    module = load(file)
    modules = [module] if np.dtype(module.DTYPE) == np.float64 else [module, double_precision_twin(module)]
    found = []
    with np.errstate(all="ignore"):
        for each in modules:
            kind = np.dtype(each.DTYPE).name
            if own_verify:
                found += [(f"{kind}: {what}", told) for what, told in _own_verify(each, case)]
            else:
                found += [(f"{kind}: {what}", _digest(told)) for what, told in _told(each, case)]
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value in which equal means the same to the last bit."""
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(_plain, value)]
    if isinstance(value, np.ndarray | np.generic | float):
        array = np.asarray(value)
        return type(value).__name__, array.dtype.str, array.shape, array.tobytes()
    return repr(value)


def _called(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What a call gives or raises, and what it leaves of its arguments."""
    try:
        answer = kept(function(*arguments, **keywords))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it raises is compared
        answer = type(error).__name__, str(error)
    return answer, [part for part in arguments if isinstance(part, tuple | np.ndarray)]


def _told(module: Any, case: BehaviourCase) -> Iterator[tuple[str, Any]]:
    yield from _declared(module)
    yield from _functions(module)
    for rows in _SIZES if case.batch else (0,):
        bench = Bench(module, case.of_rows(rows) if rows else case)
        yield from ((f"{what}, {rows} rows", told) for what, told in _calls(bench))
    small = Bench(module, case.of_rows(3) if case.batch else case)
    yield from _bad(small)
    yield from _containers(small)
    yield from stored(small, _called)
    if case.has_loss:
        yield from _updates(small)
        for rows in (1, 7) if case.batch else (0,):
            bench = Bench(module, case.of_rows(rows) if rows else case)
            yield from ((f"{what}, {rows} rows", told) for what, told in _epochs(bench))
        yield from _fits(Bench(module, case.of_rows(7) if case.batch else case))


def _declared(module: Any) -> Iterator[tuple[str, Any]]:
    names = (
        "SPEC_NAME",
        "TASK",
        "INPUTS",
        "TARGETS",
        "FREE_AXES",
        "AXES",
        "CLASSES",
        "SIZE",
        "SHAPES",
        "CONSTANTS",
    )
    for name in (*names, "EPOCHS", "MICRO_BATCH_SIZE", "IGNORED", "SCORED", "SYMGRAD_VERSION"):
        yield name, getattr(module, name, None)
    for name, value in vars(module).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            yield f"signature of {name}", str(inspect.signature(value))


def _functions(module: Any) -> Iterator[tuple[str, Any]]:
    """The elementary functions; compiled, they are only called by kernels."""
    for name in sorted(FUNCTIONS) if numba.config.DISABLE_JIT else ():
        if name.startswith("_"):
            continue  # what these compute with, of other arguments
        for each in (name, f"{name}_slope"):
            function = getattr(module, each, None)
            if callable(function):
                points = _POINTS.astype(module.DTYPE)
                found = np.array([function(x) for x in points], module.DTYPE)
                yield each, found + module.DTYPE(0)  # 0 of either sign is 0


def _calls(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Every function that takes data, twice, with garbage in kept memory before the second time."""
    for call in bench.calls():
        for again in ("", "again "):
            data, params = bench.data(), bench.params()
            state = bench.state() if call.trains else None
            yield f"{again}{call.name}", (_called(call, data, params, state), data, params, state)
            for array in vars(getattr(bench.module, "_KEPT", object())).values() if again == "" else ():
                if isinstance(array, np.ndarray):
                    array.fill(np.nan)


def _bad(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Every refusal of data, with its message; a bad entry at every place."""
    for call in bench.calls():
        for place, tensor in enumerate(bench.case.tensors[: call.count]):
            array = bench.numbers(tensor)
            bad = (*of_data.bad_forms(bench, tensor, call.count), *of_data.bad_entries(bench, tensor))
            forms = [(each.what, each.value) for each in bad]
            forms += list(of_data.good_forms(tensor, array))
            entries = [np.nan, np.inf, -np.inf, 1e39, 0.5, -1.0, 1e6]
            for entry, value in product(range(min(array.size, 12)), entries):
                changed = array.astype(np.float64)
                changed.reshape(-1)[entry] = value
                forms.append((f"{value} at {entry}", changed))
            for what, value in forms:
                data, params = bench.data(), bench.params()
                state = bench.state() if call.trains else None
                data[place] = value
                yield (
                    f"{call.name} with {tensor.name} {what}",
                    (_called(call, data, params, state), params, state),
                )


def _containers(bench: Bench) -> Iterator[tuple[str, Any]]:
    module, case = bench.module, bench.case
    for seed in (*range(20), np.int64(3), -1, 1.5, "a", True):
        yield f"init_params({seed!r})", _called(module.init_params, seed)
    for extra in (-1, 0, 1):
        vector = np.resize(case.vector, max(case.vector.size + extra, 0)).astype(bench.dtype)
        for what, value in (
            ("", vector),
            ("as a list", vector.tolist()),
            ("apart", np.repeat(vector, 2)[::2]),
        ):
            yield f"unflatten {extra} {what}", _called(module.unflatten, value)
    for name, trainer in parameters_in_memory.trainers(bench) if case.has_loss else ():
        for what, _, state in parameters_in_memory.spoilt(bench):
            yield f"{name}: state {what}", _called(trainer, bench.params(), state)
    if not case.blocks:
        return
    vector = case.vector.astype(bench.dtype)
    params = module.unflatten(vector)
    shares = [np.shares_memory(a, vector) for a in (*params, module.flatten(params))]
    yield "views", shares
    for what, apart in (
        *parameters_in_memory.laid_otherwise(params, range(len(params))),
        *parameters_in_memory.locked(bench),
    ):
        yield f"flatten {what}", _called(module.flatten, apart)
    for name, user in parameters_in_memory.users(bench):
        for what, bad, *_ in parameters_in_memory.bad_params(bench):
            yield f"{name}: params {what}", _called(user, bad)
    if case.trains:
        for name, trainer in parameters_in_memory.trainers(bench):
            for what, apart in (
                *parameters_in_memory.laid_otherwise(bench.params(), range(len(params))),
                *parameters_in_memory.locked(bench),
            ):
                yield f"{name}: params {what}", _called(trainer, apart, bench.state())
        for what, _, state in parameters_in_memory.spoilt(bench) if case.looks_ahead else ():
            yield f"gradient_point: state {what}", _called(module.gradient_point, bench.params(), state)


def _updates(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Updates with gradients of many sizes, limits of clipping and zeros among them."""
    module, rng = bench.module, np.random.default_rng(1)
    params, state = bench.params(), bench.state()
    limits = np.array([0.0, 0.1, -0.1, 0.5, -0.5, 1.0, -1.0])
    for epoch in (0, 0, 1, 2, 5, 50):
        gradient = rng.normal(size=bench.case.vector.size) * 10.0 ** rng.uniform(-6, 1)
        places = rng.permutation(gradient.size)[: limits.size]
        gradient[places] = limits[: places.size]
        grads = module.unflatten(gradient.astype(bench.dtype)) if bench.case.blocks else module.Params()
        if bench.case.looks_ahead:
            yield "gradient_point", _called(module.gradient_point, params, state, epoch)
        yield f"update in epoch {epoch}", (_called(module.update, params, grads, state, epoch), params, state)
    for epoch in (-1, 0.5, True, "1", None, 2**70):
        yield f"update in epoch {epoch!r}", _called(module.update, params, grads, state, epoch)


def _epochs(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Epochs with batches and orders of all kinds, right and wrong, and with a bad entry in every row."""
    module, rows = bench.module, row_count(bench) if bench.case.batch else 1
    drawn = np.random.default_rng(2).permutation(rows)
    orders = [
        None,
        drawn,
        drawn.tolist(),
        drawn.astype(np.int16),
        drawn[: rows // 2 + 1],
        [*drawn, *drawn[:2]],
    ]
    orders += [[0, rows], [0, -1], [0.5], [[0, 1]], [], [True], 0, ["a"]]
    sizes = [1, 2, 3, rows - 1, rows, rows + 5, "full", np.int64(2), 0, -1, 1.5, True, "half", None]

    def trained(what: str, data: list[Any], **options: Any) -> tuple[str, Any]:
        params, state = bench.params(), bench.state()
        return what, (_called(module.train_epoch, params, state, *data, **options), data)

    for size, order in product(sizes, orders):
        yield trained(f"train_epoch {size!r} {order!r}", bench.data(), batch_size=size, order=order)
    for epoch in (1, 5, 60, -1, 0.5, None):
        yield trained(f"train_epoch in {epoch!r}", bench.data(), batch_size=3, epoch=epoch)
    for place, tensor in enumerate(bench.case.tensors):
        size = bench.numbers(tensor).size
        for entry, value in product(range(size), (np.nan, np.inf, -np.inf)):
            data = bench.data()
            if data[place].dtype.kind == "f":
                data[place].reshape(-1)[entry] = value
                yield trained(
                    f"train_epoch, {tensor.name} {value} at {entry}", data, batch_size=3, order=drawn
                )
    for place in range(len(bench.case.tensors)):
        data = bench.data()
        if data[place].dtype == bench.dtype and data[place].ndim:
            data[place][-2:] = np.finfo(bench.dtype).max * 0.75
            yield trained(f"train_epoch, tensor {place} just held", data, batch_size="full")
    params, far = bench.far()
    yield "train_epoch far away", _called(module.train_epoch, params, bench.state(), *far, batch_size="full")


def _fits(bench: Bench) -> Iterator[tuple[str, Any]]:
    module = bench.module
    given: dict[str, list[Any]] = {
        "epochs": [1, 4, 0, -1, 1.5, True, "3", None],
        "batch_size": [1, 2, 3, 7, 9, "full", 0, 1.5, "half"],
        "seed": [0, 1, 7, -1, 1.5, "a"],
        "shuffle": ["each_epoch", "once", "never", True, False, "sometimes", 2, 0.5, None],
        "params": [bench.params(), None],
        "state": [bench.state(), None],
    }
    for name, values in given.items():
        for value in values:
            options = {"epochs": 3, "batch_size": 2 if bench.case.batch else "full", name: value}
            yield f"fit {name}={value!r}"[:60], _called(module.fit, *bench.data(), **options)
    params, far = bench.far()
    yield "fit far away", _called(module.fit, *far, epochs=2, batch_size="full", params=params)
    yield from _fits_watched(bench)
    yield from _fits_broken(bench)


def _fits_watched(bench: Bench) -> Iterator[tuple[str, Any]]:
    """What callbacks are told, what their answers do, and what is refused of them."""
    size = 2 if bench.case.batch else "full"
    names = [h.name for h in bench.case.hyper]
    answers_given: list[Any] = [None, True, False, np.bool_(True), 1, "yes", [], {}]
    answers_given += [{name: 0.01} for name in names] + [{"none": 1.0}]
    for every, at, answer in product((0, 1, 2, 3, 5), (1, 2, 4), answers_given):
        heard: list[Any] = []

        def told(*record: Any, at: int = at, answer: Any = answer, heard: list[Any] = heard) -> Any:
            heard.append(kept(record))
            return answer if len(heard) == at else None

        options = {"after_steps": (every, told)} if every else {"after_epoch": told}
        found = _called(bench.module.fit, *bench.data(), epochs=3, batch_size=size, **options)
        yield f"fit, every {every}, {at}: {answer!r}", (found, heard)
    for bad in (
        3,
        (1,),
        (1, None),
        (1, print, 2),
        (0, print),
        (1.5, print),
        (True, print),
        print,
        [-1, print],
    ):
        yield f"fit after_steps={bad!r}"[:40], _called(bench.module.fit, *bench.data(), after_steps=bad)[0]
    for start, stop in product((0, 1, 2, 3, -1, None), (1, 2, 3, 4, 0, None)):
        options = {"start": start, "stop": stop, "params": bench.params(), "state": bench.state()}
        yield (
            f"fit from {start} to {stop}",
            (_called(bench.module.fit, *bench.data(), epochs=3, batch_size=size, **options), options),
        )


def _fits_broken(bench: Bench) -> Iterator[tuple[str, Any]]:
    """The words of trainings that break: by parameters, by rows, by the rate."""
    size = 2 if bench.case.batch else "full"
    options: dict[str, Any] = {"epochs": 2, "batch_size": size, "shuffle": "never"}
    for number, array in enumerate(bench.params()):
        for entry, value in product(range(min(array.size, 6)), (np.nan, np.inf)):
            params = bench.params()
            params[number].reshape(-1)[entry] = value
            for every in (1, 3):
                given = options | {"params": params, "after_steps": (every, lambda *_: None)}
                yield f"fit from {value} in {number}", _called(bench.module.fit, *bench.data(), **given)[0]
    for place, tensor in enumerate(bench.case.tensors):
        for row in range(len(bench.numbers(tensor)) if bench.numbers(tensor).ndim else 0):
            data = bench.data()
            if data[place].dtype.kind == "f":
                data[place][row] = np.finfo(bench.dtype).max * 0.75
                given = options | {"params": bench.params()}
                yield f"fit at large row {row} of {tensor.name}", _called(bench.module.fit, *data, **given)[0]
    for hyper in bench.case.hyper:
        given = options | {"params": bench.params(), "hyper": {hyper.name: 1e30}}
        yield f"fit with {hyper.name} of 1e30", _called(bench.module.fit, *bench.data(), **given)[0]


def _own_verify(module: Any, case: BehaviourCase) -> Iterator[tuple[str, str]]:
    """What its own verify decides and prints but for numbers, of right gradients and of wrong ones."""
    yield "signature", str(inspect.signature(module.verify))
    for seed, points in ((0, 1), (1, 1), (2, 3)):
        yield f"own verify, seed {seed}", _decided(module, seed, points)
    if not case.trains:
        return
    start = 0
    for block in case.blocks:
        end = start + math.prod(block.shape)
        for how, change in declared.WRONG.items():
            with declared.wrong_gradient(module, slice(start, end), change):
                yield f"own verify, {block.name} {how}", _decided(module, 3, 1)
        start = end


def _decided(module: Any, seed: int, points: int) -> str:
    """The verdict, the words of every line, and how many gradients were asked for."""
    told, count, right = io.StringIO(), [0], module._gradient

    def counted(*arguments: Any) -> Any:
        count[0] += 1
        return right(*arguments)

    module._gradient = counted
    try:
        with redirect_stdout(told):
            verdict: Any = _called(module.verify, points=points, seed=seed)[0]
    finally:
        module._gradient = right
    words = [line.split(" error ")[0].split() for line in told.getvalue().splitlines()]
    return repr((verdict, words, count[0]))
