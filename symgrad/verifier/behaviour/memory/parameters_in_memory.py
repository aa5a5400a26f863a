"""Parameters and state in memory: views of one vector, checked before use; answers that nobody overwrites."""

from __future__ import annotations

import sys
import threading
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.memory.given_memory import given_memory
from symgrad.verifier.behaviour.memory.given_vectors import given_vectors
from symgrad.verifier.behaviour.workbench import Bench, DataCall, first_line, kept, refusal, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from symgrad.verifier.interpretation.array_library import Array


def container(bench: Bench) -> Iterator[str]:
    """`unflatten` gives views of a vector, `flatten` the vector; what is no such vector is refused."""
    module, vector = bench.module, bench.case.vector.astype(bench.dtype)
    if not bench.case.blocks:
        wrong = refusal(ValueError, "vector:", module.unflatten, np.ones(1, bench.dtype))
        if wrong:
            yield f"unflatten: a vector where there are no parameters {wrong}"
        return
    params = module.unflatten(vector)
    if tuple(params._fields) != tuple(b.name for b in bench.case.blocks):
        yield f"Params has the fields {', '.join(params._fields)}"
    if not all(np.shares_memory(array, vector) for array in params):
        yield "unflatten copies the vector"
    if not np.shares_memory(module.flatten(params), vector):
        yield "flatten copies parameters that lie in one vector"
    for what, bad in (
        ("one entry too few", vector[:-1].copy()),
        ("one entry too many", np.append(vector, vector[:1])),
        ("another number type", vector.astype(_other(bench))),
        ("a matrix", vector[None]),
        ("a list", vector.tolist()),
        ("every second entry of memory", np.repeat(vector, 2)[::2]),
    ):
        if (what, vector.size) == ("every second entry of memory", 1):
            continue
        wrong = refusal(ValueError, "vector:", module.unflatten, bad)
        if wrong:
            yield f"unflatten: {what} {wrong}"
    if not same(module.flatten(module.unflatten(inside(vector))), vector):
        yield "flatten gives other numbers for parameters in the midst of a longer vector"
    for what, apart in laid_otherwise(params, bench.case.one_by_one):
        if not same(module.flatten(apart), vector):
            yield f"flatten gives other numbers for parameters {what}"


def _other(bench: Bench) -> type[np.generic]:
    return np.float32 if bench.dtype == np.float64 else np.float64


def inside(vector: Array) -> Array:
    """The same numbers in the midst of a longer vector."""
    return np.concatenate([vector[:1] + 1, vector, vector[:1] + 2])[1:-1]


def laid_otherwise(params: Any, places: Iterable[int]) -> Iterator[tuple[str, Any]]:
    """The same parameters, not one after the other in one vector; those at some places are moved alone."""
    if len(params) > 1:
        yield "each in its own memory", type(params)(*(array.copy() for array in params))
        whole = np.concatenate([array.reshape(-1) for array in reversed(params)])
        ends = np.cumsum([array.size for array in reversed(params)])[:-1]
        parts = [p.reshape(a.shape) for p, a in zip(np.split(whole, ends), reversed(params), strict=True)]
        yield "in the opposite order", type(params)(*reversed(parts))
    for place in places:
        array = params[place]
        if array.ndim and array.shape[0] > 1:
            changed = list(params)
            changed[place] = np.repeat(array, 2, axis=0)[::2]
            yield f"of which {params._fields[place]} is every second row of memory", type(params)(*changed)
        if array.ndim > 1 and array.shape[0] > 1 and array[0].size > 1:
            changed = list(params)
            changed[place] = np.asfortranarray(array)
            yield f"of which {params._fields[place]} is in the order of columns", type(params)(*changed)


def arguments(bench: Bench) -> Iterator[str]:
    """Parameters, gradients and state of a wrong kind are refused by name, and nothing is changed."""
    for name, call in chain.from_iterable(map(users, bench.each())):
        for what, bad, kind, named in bad_params(bench):
            word = named.replace("params", "grads") if name == "update (grads)" else named
            wrong = refusal(kind, word, call, bad)
            if wrong:
                yield f"{name}: params {what} {wrong}"
    yield from given_vectors(bench)
    if bench.case.trains:
        yield from _trained_in_place(bench)
    if bench.case.has_loss:
        yield from _bad_states(bench)


def users(bench: Bench) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """All that takes parameters."""
    module, data = bench.module, bench.data()
    if not bench.case.blocks:
        return
    for call in bench.calls():
        yield call.name, partial(call, data)
    if bench.case.alone:
        return
    yield "flatten", module.flatten
    yield "init_state", module.init_state
    if bench.case.trains:
        yield "update", lambda p: module.update(p, bench.params(), bench.state())
        yield "update (grads)", lambda p: module.update(bench.params(), p, bench.state())
    if bench.case.trains and bench.case.looks_ahead:
        yield "gradient_point", lambda p: module.gradient_point(p, bench.state())


def bad_params(bench: Bench) -> Iterator[tuple[str, Any, type, str]]:
    params = bench.params()
    yield "as a list", list(params), TypeError, "params"
    yield "with one array too few", params[:-1], TypeError, "params"
    yield "with one array too many", (*params, params[0]), TypeError, "params"
    for place, name in enumerate(params._fields):
        array, word = params[place], f"params.{name}"
        for what, bad in (
            (f"with {name} of another number type", array.astype(_other(bench))),
            (f"with {name} of another shape", array[None]),
            (f"with {name} as a list", array.tolist()),
            (f"with {name} in the other order of bytes", array.astype(array.dtype.newbyteorder())),
        ):
            yield what, type(params)(*(*params[:place], bad, *params[place + 1 :])), ValueError, word


def trainers(bench: Bench) -> Iterator[tuple[str, Callable[[Any, Any], Any]]]:
    """All that changes parameters and state in place."""
    module, data = bench.module, bench.data()
    yield "update", lambda params, state: module.update(params, bench.params(), state)
    for name in ("train_step", "train_epoch"):
        yield name, partial(DataCall(bench, name, len(data)), data)


def _trained_in_place(bench: Bench) -> Iterator[str]:
    """Parameters that cannot be changed in place are refused; those that only are read are not."""
    for name, trainer in trainers(bench):
        for what, params in (*laid_otherwise(bench.params(), bench.case.one_by_one), *locked(bench)):
            before = kept(params)
            wrong = refusal(ValueError, "params", trainer, params, bench.state())
            if wrong:
                yield f"{name}: parameters {what}: training in place {wrong}"
            elif not same(params, before):
                yield f"{name}: parameters {what} are refused, but changed"
    for one in bench.each():
        data = one.data()
        for call in one.calls():
            if not call.trains or call.name == "fit":
                expected = kept(call(data))
                for what, params in (*laid_otherwise(bench.params(), bench.case.one_by_one), *locked(bench)):
                    yield from _understood(call, data, params, what, expected)


def _understood(call: DataCall, data: list[Array], params: Any, what: str, expected: Any) -> Iterator[str]:
    try:
        answer = call(data, params)
    except Exception as error:  # noqa: BLE001  # whatever it raises is its fault
        yield f"{call.name}: parameters {what} raise {type(error).__name__}: {first_line(error)}"
        return
    if not same(answer, expected, 1e-6):
        yield f"{call.name}: parameters {what} give another answer"


def locked(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Parameters that cannot be changed: all of them, or one."""
    params, partly = bench.params(), bench.params()
    for array in (*params, partly[-1]):
        array.setflags(write=False)
    yield "that are read-only", params
    yield f"of which {partly._fields[-1]} is read-only", partly


def _bad_states(bench: Bench) -> Iterator[str]:
    state = bench.state()
    names = tuple(state._fields)
    if names != ("step", *bench.case.states):
        yield f"State has the fields {', '.join(names)}, the optimiser {', '.join(bench.case.states)}"
    if any(array.shape != (bench.case.trained_size,) for array in state[1:]):
        yield f"init_state: a state has not an entry for each of {bench.case.trained_size} that are trained"
    expected = [0, *bench.case.seed]
    if state.step.dtype != np.int64 or state.step.tolist() != expected:
        yield f"init_state: step is not {expected} in int64"
    users: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
        *trainers(bench),
        ("fit", partial(DataCall(bench, "fit", len(bench.case.tensors)), bench.data())),
    )
    if bench.case.looks_ahead:
        users = (*users, ("gradient_point", bench.module.gradient_point))
    for name, user in users:
        for what, kind, bad in spoilt(bench):
            params = bench.params()
            wrong = refusal(kind, "state", user, params, bad)
            if wrong:
                yield f"{name}: state {what} {wrong}"
            elif not same(params, bench.params()):
                yield f"{name}: state {what} is refused, but parameters are changed"


def spoilt(bench: Bench) -> Iterator[tuple[str, type, Any]]:
    yield "as a plain tuple", TypeError, tuple(bench.state())
    for name in bench.state()._fields:
        for what, change in (
            (
                "of another number type",
                lambda a: a.astype(np.int32 if a.dtype.kind == "i" else _other(bench)),
            ),
            ("of another shape", lambda a: np.append(a, np.ones(1, a.dtype))),
            ("as a list", lambda a: a.tolist()),
            ("that is read-only", _fixed),
        ):
            state = bench.state()
            yield f"with {name} {what}", ValueError, state._replace(**{name: change(getattr(state, name))})


def _fixed(array: Array) -> Array:
    array.setflags(write=False)
    return array


def answers(bench: Bench) -> Iterator[str]:
    """The same call gives the same answer whatever was called before, and answers belong to the caller."""
    for one in bench.each():
        yield from _answers_of(one)
    data = bench.data()
    yield from _in_threads(bench, data, _more(bench, data))
    if bench.case.trains and hasattr(bench.module, "_epoch"):
        yield from _taking_turns(bench)
    yield from given_memory(bench)


def _answers_of(bench: Bench) -> Iterator[str]:
    data, params = bench.data(), bench.params()
    larger = _more(bench, data)
    for call in bench.calls(training=False):
        answer = call(data, params)
        expected = known = kept(answer)
        for between in bench.calls(training=bench.case.trains):
            between(larger)
            if not same(answer, known):
                yield f"{call.name}: {between.name} overwrites its answer"
            answer = call(data, params)  # anew: the first may lie in memory that has become too small since
            if not same(answer, expected, 1e-6):
                yield f"{call.name} gives another answer after {between.name}"
            known = kept(answer)


def _more(bench: Bench, data: list[Array]) -> list[Array]:
    """Other data: more rows where rows are free, other numbers elsewhere."""
    axis = bench.case.batch
    return [
        np.concatenate([array[::-1], array]) if axis and tensor.axes[:1] == (axis,) else _smaller(array)
        for tensor, array in zip(bench.case.tensors, data, strict=True)
    ]


def _smaller(array: Array) -> Array:
    """Half of what are numbers, which stay in every range; labels as they are."""
    return array if array.dtype.kind == "i" else array * array.dtype.type(0.5)


def _in_threads(bench: Bench, data: list[Array], larger: list[Array]) -> Iterator[str]:
    """Two threads at once do not share a workspace."""
    call = DataCall(bench, "forward", len(bench.case.inputs))
    expected = {id(d): kept(call(d)) for d in (data, larger)}
    wrong: list[int] = []

    def work(own: list[Array]) -> None:
        wrong.extend(1 for _ in range(40) if not same(call(own), expected[id(own)], 1e-6))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=[d]) for d in (data, larger)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if wrong:
        yield "forward in two threads at once gives other answers"


def _taking_turns(bench: Bench) -> Iterator[str]:
    """While an epoch changes parameters another thread may not, wherever they lie."""
    module, own = bench.module, bench.case.vector.astype(bench.dtype)
    right, told = module._epoch, list[str]()
    for what, vector in (("", own), (" in the midst of a longer vector", inside(own))):
        params, state = module.unflatten(vector), bench.state()

        def meanwhile(*arguments: Any, params: Any = params, what: str = what) -> Any:
            def change() -> None:
                wrong = refusal(RuntimeError, "params:", module.update, params, params, bench.state())
                told.append(wrong and f"an update of parameters{what} that another thread trains {wrong}")

            thread = threading.Thread(target=change)
            thread.start()
            thread.join()
            return right(*arguments)

        module._epoch = meanwhile
        try:
            module.train_epoch(params, state, *bench.data(), batch_size="full")
        finally:
            module._epoch = right
    yield from filter(None, told)
