"""`fit`: so many epochs, in batches of the given size, in orders drawn from the seed."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.broken_fit import broken_fits
from symgrad.verifier.behaviour.training.epoch import row_count
from symgrad.verifier.behaviour.workbench import Bench, kept, refusal, same, told

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPOCHS, _BATCH, _EVERY = 3, 2, (2, 3)
_ROUNDING = 1e-5


@dataclass
class Epoch:
    """One call that `fit` made of `train_epoch`."""

    start: Any
    step: int
    data: list[Any]
    options: dict[str, Any]
    loss: float


def fits(bench: Bench) -> Iterator[str]:
    """What `fit` does is so many epochs; what it is told of batches, seed and shuffling is what it does."""
    yield from _defaults(bench)
    yield from _epochs(bench)
    yield from _orders(bench)
    yield from _starts(bench)
    yield from _halves(bench)
    yield from _hyper(bench)
    yield from _callback(bench)
    yield from _callback_of_steps(bench)
    yield from _refused(bench)


@contextmanager
def _watched(bench: Bench) -> Iterator[list[Epoch]]:
    """Inside it every call of the module's own `train_epoch` is noted."""
    module, seen = bench.module, []
    original = module.train_epoch

    def train_epoch(params: Any, state: Any, *data: Any, **options: Any) -> float:
        noted = Epoch(kept(params), int(state.step[0]), kept(list(data)), kept(options), 0.0)
        noted.loss = original(params, state, *data, **options)
        seen.append(noted)
        return noted.loss

    module.train_epoch = train_epoch
    try:
        yield seen
    finally:
        module.train_epoch = original


def _size(bench: Bench) -> int | str:
    return "full" if bench.case.full_batch or not bench.case.batch else _BATCH


def fitted(bench: Bench, **options: Any) -> tuple[Any, list[float], list[Epoch]]:
    """What `fit` gives, and the epochs that it trained."""
    options = {"epochs": _EPOCHS, "batch_size": _size(bench), **options}
    with _watched(bench) as seen:
        params, history = bench.module.fit(*bench.data(), **options)
    return params, history, seen


def _defaults(bench: Bench) -> Iterator[str]:
    """Where its caller says nothing, it does what the spec says."""
    given = inspect.signature(bench.module.fit).parameters
    for name, value in bench.case.fit._asdict().items():
        if name not in given or given[name].default != value:
            found = given[name].default if name in given else "nothing"
            yield f"fit takes {name}={found!r} where its caller says nothing, the spec says {value!r}"


def _epochs(bench: Bench) -> Iterator[str]:
    params, history, seen = fitted(bench, params=bench.params())
    if len(history) != _EPOCHS or len(seen) != _EPOCHS:
        yield f"fit with epochs={_EPOCHS} trains {len(seen)} epochs and tells {len(history)} losses"
        return
    if not same(history, [e.loss for e in seen]):
        yield "fit tells other losses than those of its epochs"
    if [e.options.get("epoch") for e in seen] != list(range(_EPOCHS)):
        yield f"fit counts its epochs as {[e.options.get('epoch') for e in seen]}"
    if {e.options.get("batch_size") for e in seen} != {_size(bench)}:
        yield f"fit with batch_size={_size(bench)!r} trains with {seen[0].options.get('batch_size')!r}"
    if bench.case.plans_epochs and {e.options.get("epochs") for e in seen} != {_EPOCHS}:
        yield f"fit with epochs={_EPOCHS} plans {seen[0].options.get('epochs')}"
    if not all(same(e.data, bench.data()) for e in seen):
        yield "fit trains on other data"
    if not same(params, replayed(bench, seen), _ROUNDING):
        yield "fit gives other parameters than its epochs lead to"


def replayed(bench: Bench, seen: list[Epoch], state: Any = None) -> Any:
    """The parameters that these epochs lead to, and in `state` the optimiser's state."""
    params, state = bench.params(), bench.state() if state is None else state
    for epoch in seen:
        bench.module.train_epoch(params, state, *bench.data(), **epoch.options)
    return params


def _hyper(bench: Bench) -> Iterator[str]:
    """Every epoch is trained with the hyper-parameters that `fit` is given, and so are first states made."""
    if not bench.takes_hyper:
        return
    hyper = {h.name: h.other for h in bench.case.hyper}
    try:
        params, _, seen = fitted(bench, params=bench.params(), hyper=hyper)
    except FloatingPointError:
        return  # with these the loss runs away
    if any(epoch.options.get("hyper") != hyper for epoch in seen):
        yield "fit trains with other hyper-parameters than it is given"
    elif not same(
        params, replayed(bench, seen, bench.module.init_state(bench.params(), hyper=hyper)), _ROUNDING
    ):
        yield "fit with other hyper-parameters gives other parameters than its epochs lead to"


def _callback(bench: Bench) -> Iterator[str]:
    """`after_epoch` is told of every epoch; True ends training there, a dict is `hyper` from there on."""
    if "after_epoch" not in inspect.signature(bench.module.fit).parameters:
        return  # an older module
    told: list[Any] = []
    changed = {h.name: h.value for h in bench.case.hyper[:1]}

    def after_epoch(number: int, loss: float, params: Any) -> Any:
        told.append((number, loss, kept(params)))
        for values in params:
            values[...] = 0
        return (None, changed, False)[number - 1]

    _, _, plain = fitted(bench, params=bench.params())
    last, history, seen = fitted(bench, params=bench.params(), after_epoch=after_epoch)
    if [number for number, _, _ in told] != list(range(1, _EPOCHS + 1)):
        yield f"fit tells after_epoch of the epochs {[number for number, _, _ in told]}"
        return
    if not same([loss for _, loss, _ in told], history):
        yield "fit tells after_epoch other losses than it gives"
    if not same([params for _, _, params in told], [*(e.start for e in seen[1:]), last]):
        yield "fit tells after_epoch other parameters than those it goes on with, or lets it change them"
    hypers = [e.options.get("hyper") or {} for e in seen]
    if bench.takes_hyper and hypers != [{}, {}, changed]:
        yield f"fit with after_epoch that changes {changed} after epoch 2 trains with {hypers}"
    for cut in range(1, _EPOCHS):
        _, losses, made = fitted(
            bench, params=bench.params(), after_epoch=lambda number, _, __, cut=cut: number == cut
        )
        if len(made) != cut or not same(losses, [e.loss for e in plain[:cut]]):
            yield f"fit that after_epoch ends after epoch {cut} trains {len(made)} epochs, or others"


def _callback_of_steps(bench: Bench) -> Iterator[str]:
    """`after_steps` is told of every so many steps, and may end the training at any."""
    if "after_steps" not in inspect.signature(bench.module.fit).parameters:
        return  # an older module
    steps = -(-row_count(bench) // _BATCH) if _size(bench) == _BATCH else 1
    for every in _EVERY:
        yield from _told_of_steps(bench, every, steps)
    for cut in range(1, steps + 2):
        _, losses, made = fitted(
            bench, params=bench.params(), after_steps=(1, lambda n, _, __, cut=cut: n == cut)
        )
        if sum(_steps_of(epoch, steps) for epoch in made) != cut:
            yield f"fit that after_steps ends after step {cut} makes others"
        elif not same(losses, _by_epochs(made, steps), _ROUNDING):
            yield f"fit that after_steps ends after step {cut} tells other losses than those of its steps"


def _told_of_steps(bench: Bench, every: int, steps: int) -> Iterator[str]:
    """Every so many steps are told, which are those of a `fit` that nobody is told of."""
    told: list[Any] = []
    changed = {h.name: h.value for h in bench.case.hyper[:1]}

    def after_steps(number: int, loss: float, params: Any) -> Any:
        told.append((number, loss, kept(params)))
        for values in params:
            values[...] = 0
        return changed if number == every else None

    plain, losses, _ = fitted(bench, params=bench.params())
    last, history, seen = fitted(bench, params=bench.params(), after_steps=(every, after_steps))
    if [number for number, _, _ in told] != list(range(every, _EPOCHS * steps + 1, every)):
        yield f"fit tells after_steps=({every}, ...) of the steps {[number for number, _, _ in told]}"
        return
    if not same((last, history), (plain, losses), _ROUNDING):
        yield "fit that tells after_steps trains otherwise than fit that tells nobody"
    ends = [int(end) for end in np.cumsum([_steps_of(epoch, steps) for epoch in seen])]
    after = dict(zip(ends, [*(epoch.start for epoch in seen[1:]), last], strict=True))
    found = {end: (epoch.loss, after[end]) for end, epoch in zip(ends, seen, strict=True)}
    if not same(
        [[loss, params] for _, loss, params in told], [[*found.get(number, ())] for number, _, _ in told]
    ):
        yield "fit tells after_steps other losses or parameters than it has, or lets it change them"
    hypers = [epoch.options.get("hyper") or {} for epoch in seen]
    if bench.takes_hyper and hypers != [changed if end > every else {} for end in ends]:
        yield f"fit with after_steps that changes {changed} after step {every} trains with {hypers}"


def _by_epochs(made: list[Epoch], steps: int) -> list[float]:
    """The mean loss per row of each epoch that was made in pieces, the last maybe not to its end."""
    parts: dict[int, list[Epoch]] = {}
    for piece in made:
        parts.setdefault(piece.options["epoch"], []).append(piece)
    return [
        float(np.average([piece.loss for piece in pieces], weights=[_weight(p, steps) for p in pieces]))
        for pieces in parts.values()
    ]


def _weight(piece: Epoch, steps: int) -> int:
    """The rows of a piece of an epoch; where an epoch is one step, it has no pieces."""
    order = piece.options.get("order")
    return 1 if order is None or steps == 1 else len(order)


def _steps_of(epoch: Epoch, steps: int) -> int:
    """How many steps a call of train_epoch makes, which may be a part of an epoch."""
    order = epoch.options.get("order")
    return steps if order is None or steps == 1 else -(-len(order) // _BATCH)


def _drawn(bench: Bench, **options: Any) -> list[Any]:
    return [e.options.get("order") for e in fitted(bench, **options)[2]]


def _orders(bench: Bench) -> Iterator[str]:
    if not bench.case.batch:
        if any(order is not None for order in _drawn(bench)):
            yield "fit draws an order where there are no rows"
        return
    rows = row_count(bench)
    for how, shown in (("each_epoch", "each_epoch"), (True, "True"), ("once", "once")):
        orders = _drawn(bench, shuffle=how, seed=5)
        if not all(o is not None and sorted(o) == list(range(rows)) for o in orders):
            yield f"fit with shuffle={shown} does not take every row once"
            return
        distinct = len({tuple(o) for o in orders})
        if distinct != (1 if how == "once" else _EPOCHS):
            yield f"fit with shuffle={shown} draws {distinct} different orders in {_EPOCHS} epochs"
        if same(orders[0], np.arange(rows)):
            yield f"fit with shuffle={shown} takes the rows as they stand"
        if not same(orders, _drawn(bench, shuffle=how, seed=5)):
            yield "fit draws another order from the same seed"
        if same(orders, _drawn(bench, shuffle=how, seed=6)):
            yield "fit draws the same order from another seed"
    for how in ("never", False):
        if any(o is not None and not same(o, np.arange(rows)) for o in _drawn(bench, shuffle=how)):
            yield f"fit with shuffle={how!r} shuffles"


def _starts(bench: Bench) -> Iterator[str]:
    """From init_params(seed), or from copies of what it is given."""
    seen = fitted(bench, seed=4)[2]
    if not same(seen[0].start, bench.module.init_params(4)) or seen[0].step != 0:
        yield "fit without params does not begin at init_params(seed)"
    params, state = bench.params(), bench.state()
    state.step[0] = 10
    learned, _, seen = fitted(bench, params=params, state=state)
    if not same(seen[0].start, bench.params()):
        yield "fit does not begin at the parameters it is given"
    if seen[0].step != 10:
        yield "fit does not go on from the state it is given"
    if not same(params, bench.params()):
        yield "fit changes the parameters it is given"
    alone = bench.state()
    alone.step[0] = 10
    replayed(bench, seen, alone)
    if not same(state, alone, _ROUNDING):
        yield "fit does not leave the state after training in the one it is given"
    if any(np.shares_memory(a, b) for a, b in zip(learned, params, strict=True)):
        yield "fit gives parameters in the memory of those it was given"


def _halves(bench: Bench) -> Iterator[str]:
    """Trained in two parts, it comes out as in one."""
    wholly = bench.state()
    params, history, _ = fitted(bench, params=bench.params(), state=wholly)
    for cut in range(1, _EPOCHS):
        halves = bench.state()
        first, told, early = fitted(bench, params=bench.params(), state=halves, stop=cut)
        second, rest, late = fitted(bench, params=first, state=halves, start=cut)
        if len(early) != cut or len(late) != _EPOCHS - cut:
            yield f"fit in two parts trains {len(early)} and {len(late)} epochs, not {cut} and the rest"
        elif not same((second, halves, [*told, *rest]), (params, wholly, history)):
            yield f"fit stopped after epoch {cut} and gone on with gives something else than all at once"


def _refused(bench: Bench) -> Iterator[str]:
    module, data = bench.module, bench.data()
    bad: list[tuple[str, Any]] = [("epochs", v) for v in (0, -1, 1.5, True, "3", None)]
    bad += [("seed", v) for v in (-1, 1.5, "a")] + [("shuffle", v) for v in ("sometimes", 2, 0.5)]
    bad += [("start", v) for v in (-1, 1.5, None)] + [("stop", v) for v in (0, 2, 1.5)]
    bad += [("batch_size", v) for v in (0, 1.5, "half")]
    for name, value in bad:
        options = {"epochs": 1, "batch_size": "full", name: value}
        kinds = (TypeError, ValueError) if name == "seed" else ValueError
        wrong = refusal(kinds, f"{name}:", partial(module.fit, *data, **options))
        if wrong:
            yield f"fit: {name}={value!r} {wrong}"
    for given in ({}, {"params": bench.params()}, {"state": bench.state()}):
        wrong = refusal(ValueError, "start:", partial(module.fit, *data, epochs=2, start=1, **given))
        if wrong:
            yield f"fit: start=1 with {' and '.join(given) or 'neither params nor state'} {wrong}"
    for start, stop, name in ((3, None, "start"), (3, 1, "start"), (2, 2, "stop"), (2, 4, "stop")):
        part = {"start": start, "stop": stop, "params": bench.params(), "state": bench.state()}
        if wrong := refusal(ValueError, f"{name}: of 3 epochs", partial(module.fit, *data, epochs=3, **part)):
            yield f"fit of 3 epochs from {start} to {stop} {wrong}"
    yield from _no_callbacks(bench)
    yield from _diverging(bench)
    yield from broken_fits(bench)


def _no_callbacks(bench: Bench) -> Iterator[str]:
    """What is not told of training, and answers that mean nothing, are refused."""
    module, data = bench.module, bench.data()
    if "after_steps" not in inspect.signature(module.fit).parameters:
        return  # an older module

    def nothing(*_: object) -> None:
        return None

    fit = partial(module.fit, *data, epochs=1, batch_size="full")
    for bad in (nothing, 3, (1,), (1, nothing, 1), (1, 2), (0, nothing), (1.5, nothing), (True, nothing)):
        if wrong := refusal(ValueError, "after_steps:", partial(fit, after_steps=bad)):
            shown = repr(bad).replace(repr(nothing), "a function")
            yield f"fit: after_steps={shown} {wrong}"
    for no_function in (1, "f", False, (1, nothing)):
        if wrong := refusal(TypeError, "after_epoch:", partial(fit, after_epoch=no_function)):
            shown = repr(no_function).replace(repr(nothing), "a function")
            yield f"fit: after_epoch={shown} {wrong}"
    for answer in ("yes", 1, 0.0, (), [True]):
        callers = {
            "after_epoch": lambda *_, said=answer: said,
            "after_steps": (1, lambda *_, said=answer: said),
        }
        for name, value in callers.items():
            if wrong := refusal(TypeError, f"{name}:", partial(fit, **{name: value})):
                yield f"fit: an {name} that answers {answer!r} {wrong}"


def _diverging(bench: Bench) -> Iterator[str]:
    """A loss that is not finite ends the training with an error."""
    params, data = bench.far()
    with np.errstate(all="ignore"):
        if not np.isfinite(bench.module.loss_and_grad(params, *data)[0]):
            fit = partial(bench.module.fit, *data, epochs=2, batch_size="full", params=params)
            wrong = told(FloatingPointError, "the loss is", ("in epoch 1, step 1",), fit)
            if wrong:
                yield f"fit: a loss that is not finite {wrong}"
