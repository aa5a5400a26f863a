"""Epochs: batches, their order, what is refused, and what is left when a row is bad."""

from __future__ import annotations

import inspect
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, first_line, kept, refusal, same, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.verifier.interpretation.array_library import Array

_BATCH = 3
_ROUNDING = 1e-5


def epochs(bench: Bench) -> Iterator[str]:
    """An epoch makes a step with every batch of rows in their order, and refuses what is no order or size."""
    yield from _numbers(bench)
    yield from _counted(bench)
    yield from _diverging(bench)
    if not bench.case.batch:
        for options in ({"batch_size": 2}, {"batch_size": "full", "order": np.arange(1)}):
            wrong = refusal(ValueError, "batch_size:", partial(trained, bench, **options))
            if wrong:
                yield f"train_epoch without rows: {options} {wrong}"
        if not same(trained(bench, batch_size="full"), stepped(bench, [None]), _ROUNDING):
            yield "train_epoch is not one step on all data"
        return
    yield from _batches(bench)
    yield from _refused(bench)
    yield from _late(bench)
    yield from _infinite(bench)
    yield from _large(bench)
    yield from _stopping(bench)


def trained(bench: Bench, state: Any = None, **options: Any) -> tuple[Any, Any, float]:
    """Parameters, state and loss after an epoch."""
    params, state = bench.params(), bench.state() if state is None else state
    return params, state, bench.module.train_epoch(params, state, *bench.data(), **options)


def stepped(bench: Bench, batches: list[Any], state: Any = None, **options: Any) -> tuple[Any, Any, float]:
    """The same by steps."""
    params, state, data = bench.params(), bench.state() if state is None else state, bench.data()
    step = partial(bench.module.train_step, params, state)
    losses = [step(*rows_of(bench, data, rows), **options) for rows in batches]
    sizes = [1 if rows is None else len(rows) for rows in batches]
    return params, state, float(np.average(losses, weights=sizes))


def rows_of(bench: Bench, data: list[Array], rows: Any) -> list[Array]:
    """Some rows of the data, or all; what has no rows goes with every batch."""
    if rows is None:
        return data
    axis = bench.case.batch
    return [a[rows] if t.axes[:1] == (axis,) else a for t, a in zip(bench.case.tensors, data, strict=True)]


def row_count(bench: Bench) -> int:
    axis = bench.case.batch
    return next(
        len(a) for t, a in zip(bench.case.tensors, bench.data(), strict=True) if t.axes[:1] == (axis,)
    )


def _batches(bench: Bench) -> Iterator[str]:
    rows = row_count(bench)
    drawn = np.random.default_rng(3).permutation(rows)
    size = rows if bench.case.full_batch else _BATCH
    sizes: list[Any] = ["full", rows, rows + 5, size, np.int64(size)]
    sizes += [] if bench.case.full_batch else [1, rows - 1]
    orders: list[tuple[str, Any]] = [
        ("without an order", None),
        ("with an order", drawn),
        ("with an order as a list", drawn.tolist()),
        ("with an order of short integers", drawn.astype(np.int16)),
        ("with an order that leaves rows out", drawn[: rows // 2 + 1]),
        ("with an order that repeats rows", np.concatenate([drawn, drawn[:2]])),
    ]
    for place, (what, order) in enumerate(orders):
        for given in sizes if place == 0 else [size]:
            taken = np.arange(rows) if order is None else np.asarray(order, np.int64)
            step = len(taken) if isinstance(given, str) else int(given)
            if bench.case.full_batch and step < len(taken):
                continue
            expected = stepped(bench, [taken[n : n + step] for n in range(0, len(taken), step)])
            found = trained(bench, batch_size=given, **({} if order is None else {"order": order}))
            if not same(found[:2], expected[:2], _ROUNDING):
                yield f"train_epoch with batch_size={given!r} {what} is not a step on each batch"
            elif not abs(found[2] - expected[2]) <= _ROUNDING * max(abs(expected[2]), 1e-30):
                told = f"gives {found[2]:.6g}, the mean over its rows is {expected[2]:.6g}"
                yield f"train_epoch with batch_size={given!r} {what} {told}"


def _refused(bench: Bench) -> Iterator[str]:
    rows = row_count(bench)
    sizes = [0, -1, 1.5, True, "half", "FULL", None, np.nan, *([_BATCH] if bench.case.full_batch else [])]
    orders: list[Any] = [[0, rows], [0, -1], [0.5], [[0, 1]], [], [True], 0, ["a"]]
    bad: list[tuple[str, dict[str, Any]]] = [("batch_size", {"batch_size": size}) for size in sizes]
    bad += [("order", {"batch_size": "full", "order": order}) for order in orders]
    for word, options in bad:
        params, state = bench.params(), bench.state()
        kind = TypeError if options.get("order") == ["a"] else ValueError
        wrong = refusal(kind, f"{word}:", bench.module.train_epoch, params, state, *bench.data(), **options)
        if wrong:
            yield f"train_epoch: {word}={options[word]!r} {wrong}"
        elif not same((params, state), (bench.params(), bench.state())):
            yield f"train_epoch: {word}={options[word]!r} is refused, but parameters or state are changed"


def _numbers(bench: Bench) -> Iterator[str]:
    """The time of a step is a whole number."""
    module, data = bench.module, bench.data()
    users = {
        "update": partial(module.update, bench.params(), bench.params(), bench.state()),
        "train_step": partial(module.train_step, bench.params(), bench.state(), *data),
        "train_epoch": partial(module.train_epoch, bench.params(), bench.state(), *data, batch_size="full"),
    }
    if bench.case.looks_ahead:
        users["gradient_point"] = partial(module.gradient_point, bench.params(), bench.state())
    for name, user in users.items():
        for time, least in (
            ("epoch", 0),
            *([("epochs", bench.case.fit.epochs)] if bench.case.plans_epochs else []),
        ):
            found = inspect.signature(getattr(module, name)).parameters[time].default
            if found != least:
                yield f"{name} takes {time}={found!r} where its caller says nothing, not {least}"
        for value in (-1, 0.5, True, "1", None):
            wrong = refusal(ValueError, "epoch:", user, epoch=value)
            if wrong:
                yield f"{name}: epoch={value!r} {wrong}"
        for value in (0, 1.5, True) if bench.case.plans_epochs else ():
            wrong = refusal(ValueError, "epochs:", user, epochs=value)
            if wrong:
                yield f"{name}: epochs={value!r} {wrong}"
        yield from _hyper(bench, name, user)
    yield from _hyper(bench, "init_state", partial(module.init_state, bench.params()))


def _hyper(bench: Bench, name: str, user: Callable[..., Any]) -> Iterator[str]:
    """Hyper-parameters are numbers within their intervals, by their names."""
    if not bench.takes_hyper:
        return
    numbers = [(h.name, value) for h in bench.case.hyper for value in h.refused]
    for left_out in bench.case.no_hyper:
        words = ("there is no",) if left_out == "nothing" else (f"{left_out} is 0 in the spec",)
        if wrong := told(ValueError, "hyper:", words, user, hyper={left_out: 0.1}):
            yield f"{name}: hyper with {left_out} {wrong}"
    known = [(n, 0.0, "cannot become 0") for n in getattr(bench.module, "NEVER_ZERO", ())]
    beyond = (np.inf, 1e60, 1e-60) if bench.dtype == np.float32 else (np.inf,)
    known += [(h.name, value, "cannot hold") for h in bench.case.hyper[:1] for value in beyond]
    for number, value, words_of in known:
        if wrong := told(ValueError, "hyper:", (words_of,), user, hyper={number: value}):
            yield f"{name}: hyper with {number} of {value:g} {wrong}"
    wrongs: list[tuple[type[Exception], Any]] = [(ValueError, {hyper: value}) for hyper, value in numbers]
    wrongs += [(TypeError, {h.name: value}) for h in bench.case.hyper[:1] for value in ("1", True, None)]
    wrongs += [(ValueError, {h.name: 10**400}) for h in bench.case.hyper[:1]]
    wrongs += [(TypeError, [0.1]), (TypeError, 0.1)]
    for kind, hyper in wrongs:
        wrong = refusal(kind, "hyper:", user, hyper=hyper)
        if wrong:
            yield f"{name}: hyper={hyper!r:.60} {wrong}"


def _counted(bench: Bench) -> Iterator[str]:
    """The state counts the steps that were made."""
    module, state, params = bench.module, bench.state(), bench.params()
    module.update(params, bench.params(), state)
    module.train_step(params, state, *bench.data())
    module.update(params, bench.params(), state)
    if state.step[:1].tolist() != [3]:
        yield f"after two updates and a train_step the state counts {state.step.tolist()} steps, not 3"


def _late(bench: Bench) -> Iterator[str]:
    """A bad entry is told with its place; the steps before its batch stand, and no other."""
    for place, tensor in enumerate(bench.case.tensors):
        if tensor.axes[:1] == (bench.case.batch,):
            rows = row_count(bench)
            for entry in (0, -1):
                yield from late_in(bench, place, rows - 1, entry, rows if bench.case.full_batch else _BATCH)


def late_in(bench: Bench, place: int, row: int, entry: int, size: int) -> Iterator[str]:
    """The same for one entry of one row of one tensor, in batches of this size."""
    tensor = bench.case.tensors[place]
    is_number = tensor.classes is None
    data, params, state = bench.data(), bench.params(), bench.state()
    no_label = 0 if tensor.classes is None else tensor.classes + (tensor.ignore == tensor.classes)
    data[place][row : row + 1].reshape(-1)[entry] = np.nan if is_number else no_label
    train, steps = bench.module.train_epoch, row // size if is_number else 0
    wrong = refusal(ValueError, f"{tensor.name}:", train, params, state, *data, batch_size=size)
    reached: Any = (bench.params(), bench.state())
    if steps:
        reached = stepped(bench, [range(n * size, (n + 1) * size) for n in range(steps)])[:2]
    if wrong:
        yield f"train_epoch: {tensor.name} with a bad entry in row {row} {wrong}"
    elif not same((params, state), reached, _ROUNDING):
        yield f"train_epoch: before the batch of a bad row in {tensor.name} there should be {steps} steps"


def _infinite(bench: Bench) -> Iterator[str]:
    """An infinite entry is told though the loss may be finite with it, as where all weights have one sign."""
    for place, tensor in enumerate(bench.case.tensors):
        if tensor.classes is not None or tensor.axes[:1] != (bench.case.batch,):
            continue
        for entry, value, sign in product((0, -1), (np.inf, -np.inf), (1, -1)):
            params, data, state = bench.params(), bench.data(), bench.state()
            for array in params:
                array[...] = sign * np.abs(array)
            data[place].reshape(-1)[entry] = value
            with np.errstate(all="ignore"):
                train = partial(bench.module.train_epoch, params, state, *data, batch_size="full")
                wrong = refusal(ValueError, f"{tensor.name}:", train)
            if wrong:
                yield f"train_epoch: {tensor.name} with {value} at entry {entry} {wrong}"


def _diverging(bench: Bench) -> Iterator[str]:
    """A loss that is not finite is given back, and changes nothing."""
    params, data = bench.far()
    state = bench.state()
    with np.errstate(all="ignore"):
        before = kept(params)
        try:
            value = bench.module.train_epoch(params, state, *data, batch_size="full")
            step = bench.module.train_step(params, state, *data)
        except Exception as error:  # noqa: BLE001  # whatever it raises is its fault
            yield f"a loss that is not finite raises {type(error).__name__}: {first_line(error)}"
            return
        if not (np.isfinite(value) or same((params, state), (before, bench.state()))):
            yield f"a loss of {value} changes parameters or state"
        if np.isfinite(value) != np.isfinite(step) and not np.isfinite(
            bench.module.loss_and_grad(before, *data)[0]
        ):
            yield f"train_step gives {step} where train_epoch gives {value}"


def _large(bench: Bench) -> Iterator[str]:
    """Numbers that are just held are numbers: an epoch does with them what a step does."""
    most = np.finfo(bench.dtype).max * 0.75
    numbers = [n for n, t in enumerate(bench.case.tensors) if t.classes is None]
    held = [slice(row, row + 1) for row in range(row_count(bench))] + [slice(-2, None)]
    for place, rows in product(numbers, held):
        tensor, data = bench.case.tensors[place], bench.data()
        if tensor.axes[:1] != (bench.case.batch,):
            continue
        data[place][rows] = most
        ends = []
        for train in (bench.module.train_step, partial(bench.module.train_epoch, batch_size="full")):
            params, state = bench.params(), bench.state()
            with np.errstate(all="ignore"):
                ends.append((params, state, train(params, state, *data)))
        if not np.isnan(ends[0][2]) and not same(ends[1], ends[0], _ROUNDING):
            yield f"train_epoch with rows of {tensor.name} at {most:.2g} is not train_step's step"


def _stopping(bench: Bench) -> Iterator[str]:
    """An epoch ends at a batch whose loss is not finite: nothing is changed by it, nor by those behind it."""
    numbers = [n for n, t in enumerate(bench.case.tensors) if t.classes is None]
    for place in numbers if not bench.case.full_batch else []:
        data = bench.data()
        if bench.case.tensors[place].axes[:1] != (bench.case.batch,):
            continue
        data[place][:1] = np.finfo(bench.dtype).max * 0.75
        with np.errstate(all="ignore"):
            # not `loss`, which need not be finite where that of training is: batch norm's
            loss, _ = bench.module.loss_and_grad(bench.params(), *rows_of(bench, data, range(_BATCH)))
            if np.isfinite(loss):
                continue
            params, state = bench.params(), bench.state()
            value = bench.module.train_epoch(params, state, *data, batch_size=_BATCH)
        if np.isfinite(value) or not same((params, state), (bench.params(), bench.state())):
            yield "train_epoch goes on after a batch whose loss is not finite"
