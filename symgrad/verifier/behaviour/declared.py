"""What a module says of itself, its own `verify` included, against what the spec says."""

from __future__ import annotations

import inspect
import io
import math
import sys
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.some_rows import some_rows
from symgrad.verifier.behaviour.workbench import Bench, flat, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.behaviour_case import BehaviourCase, DataTensor

WRONG: Mapping[str, Callable[[float], float]] = {
    "of the opposite sign": lambda g: -g,
    "lost": lambda _: 0.0,
    "that is NaN": lambda _: math.nan,
    "1 % off": lambda g: g * 1.01,
}
"""What becomes of the largest entry of a block of the gradient; the module's own verify then must see it."""
_PIECE = 2
_SEEDS = range(2, 8)
_SMALL_BLOCK = 64
"""Entries up to which it takes differences along each; along sums of more, 1 % of one may be lost."""

_LEAST_WORK = 1e4
"""Operations up to which nothing is left to BLAS, so that the same numbers give the same to the last bit."""

_EVALUATIONS, _DIRECTIONS, _MOST_WORK, _MOST_WORK_OF_EDITED = 21, 8, 3e7, 3e9
"""Of the loss along one direction, directions of a large block, and operations that trying it may take, also
where the module was edited."""


def declared(bench: Bench) -> Iterator[str]:
    """Names, axes, labels, shapes."""
    module, case = bench.module, bench.case
    given = (*case.tensors, *(tensor for _, taken in case.networks for tensor in taken))
    yield from _axes(getattr(module, "AXES", {}), given)
    expected: dict[str, Any] = {
        "SPEC_NAME": case.name,
        "NETWORK_SHA256": case.network,
        "TASK": case.task,
        "INPUTS": tuple(t.name for t in case.inputs),
        "PREDICTED_FROM": tuple(t.name for t in case.inputs if t.name not in case.spare),
        "PREDICTED": case.predicted,
        "TARGETS": tuple(t.name for t in case.targets),
        "CLASSES": {t.name: t.classes for t in given if t.classes is not None},
        "SHAPES": {b.name: b.shape for b in case.blocks},
        "SIZE": int(bench.case.vector.size),
        "EPOCHS": case.fit.epochs if case.plans_epochs else 0,
        "HYPER": {h.name: h.value for h in case.hyper},
    }
    if case.piece is not None:
        expected["MICRO_BATCH_SIZE"] = case.piece
    if case.frozen:
        expected |= {"FROZEN": case.frozen, "TRAINED_SIZE": case.trained_size}
    for name, value in expected.items():
        if hasattr(module, name) and getattr(module, name) != value:
            yield f"{name} is {getattr(module, name)!r}, the spec says {value!r}"
    yield from _pieces(bench)
    yield from _sets_in_pieces(bench)
    yield from some_rows(bench)


def _axes(declared: Mapping[str, tuple[int | str, ...]], given: Sequence[DataTensor]) -> Iterator[str]:
    """The axes of all that is given, where the spec says them."""
    if declared.keys() != {tensor.name for tensor in given}:
        yield f"AXES are of {', '.join(declared)}, the spec says {', '.join(t.name for t in given)}"
    for tensor in given:
        axes = declared.get(tensor.name, ())
        if len(axes) != len(tensor.axes) or any(a != b for a, b in zip(axes, tensor.axes, strict=True) if b):
            yield f"AXES of {tensor.name} are {axes}, the spec says {tensor.axes}"


def number_type(bench: Bench) -> Iterator[str]:
    """Everything is computed in the spec's number type, and what that cannot hold is refused."""
    if bench.dtype != bench.case.dtype:
        yield f"DTYPE is {bench.dtype}, the spec says {bench.case.dtype}"
    for what, arrays in (("params", bench.params()), ("init_params", bench.module.init_params())):
        if any(array.dtype != bench.dtype for array in arrays):
            yield f"{what} are not {bench.dtype}"
    for one in bench.each():
        for call in one.calls(training=False):
            answer = flat(call(one.data()))
            numbers = answer[1:] if call.name in ("loss", "loss_and_grad") else answer  # a loss is a float
            if any(array.dtype != bench.dtype for array in numbers):
                yield f"{call.name} does not answer in {bench.dtype}"
            if bench.case.work <= _LEAST_WORK and not same(
                answer, flat(call([a.tolist() for a in one.data()]))
            ):
                yield f"{call.name} computes with lists otherwise than in {bench.dtype}"
    if bench.case.trains and any(array.dtype != bench.dtype for array in bench.state()[1:]):
        yield f"the state is not {bench.dtype}"


def own_verdict(bench: Bench) -> Iterator[str]:
    """The module's own `verify` passes, and fails as soon as one entry of the gradient is wrong."""
    if _work(bench.case) <= _MOST_WORK and hasattr(bench.module, "_gradient"):
        yield from _told(bench)
        for place, block in enumerate(bench.case.blocks if bench.case.trains else ()):
            yield from _with_wrong(bench, block.name, _tried(place, math.prod(block.shape)))


def long_own_verdict(bench: Bench) -> Iterator[str]:
    """The same where it takes long: the smallest block of the gradient alone is wrong."""
    yield from _told(bench)
    if bench.case.trains:
        smallest = min(bench.case.blocks, key=lambda block: math.prod(block.shape))
        yield from _with_wrong(bench, smallest.name, ["lost"])


def own_verdicts(bench: Bench) -> Iterator[str]:
    """It passes wherever it looks: its differences are as good as it says they are."""
    if _work(bench.case) <= _MOST_WORK and hasattr(bench.module, "_gradient"):
        for seed in _SEEDS:
            with redirect_stdout(io.StringIO()):
                verdict = bench.module.verify(points=3, seed=seed)
            if not verdict:
                yield f"the module's own verify fails with seed={seed}"


def is_long(case: BehaviourCase) -> bool:
    """Whether `own_verdict` is left out, as it takes long, but not too long for a module that was edited."""
    return _MOST_WORK < _work(case) <= _MOST_WORK_OF_EDITED


def _work(case: BehaviourCase) -> float:
    """The operations that trying the module's own `verify` takes."""
    directions = [n if n <= _SMALL_BLOCK else _DIRECTIONS for n in (math.prod(b.shape) for b in case.blocks)]
    verdicts = 2 + len(directions) + len(WRONG)
    return sum(directions) * _EVALUATIONS * case.work * verdicts


def _with_wrong(bench: Bench, name: str, changes: Iterable[str]) -> Iterator[str]:
    """Its own verify with these changes of a block of the gradient: it must fail, and say where."""
    ends = np.cumsum([math.prod(block.shape) for block in bench.case.blocks]).tolist()
    place = [block.name for block in bench.case.blocks].index(name)
    entries = slice(ends[place] - math.prod(bench.case.blocks[place].shape), ends[place])
    for how in changes:
        with wrong_gradient(bench.module, entries, WRONG[how]) as was_wrong:
            lines, verdict = _verdict(bench.module)
            if verdict and was_wrong:
                yield f"the module's own verify passes with a gradient of {name} {how}"
            elif was_wrong and not _says_wrong(lines, name):
                yield f"the module's own verify does not say that the gradient of {name} is wrong"


def _pieces(bench: Bench) -> Iterator[str]:
    """Where the spec says none, a module takes pieces of any size, if it has what adds them up."""
    module = bench.module
    rows, is_there = getattr(module, "MICRO_BATCH_SIZE", 0), hasattr(module, "_gradient_in_pieces")
    if type(rows) is not int or rows < 0 or (rows > 0) != is_there:
        there = "with" if is_there else "without"
        yield f"MICRO_BATCH_SIZE is {rows!r}, {there} a function that adds pieces up"
    elif rows and bench.case.has_loss:
        yield from _in_pieces(bench)


def _in_pieces(bench: Bench) -> Iterator[str]:
    """Loss, gradient and products with second derivatives over pieces of two rows, and over all at once."""
    whole, pieces = _with_pieces(bench, sys.maxsize), _with_pieces(bench, _PIECE)
    rounding = float(np.finfo(bench.dtype).eps) ** 0.25
    for what, one in whole.items():
        if np.isfinite(one).all() and not same(one, pieces[what], rounding):
            yield f"the {what} over pieces of {_PIECE} rows is not that of all rows"
    if hasattr(bench.module, "_KEPT") and _memory(bench, _PIECE) >= _memory(bench, sys.maxsize):
        yield f"a gradient over pieces of {_PIECE} rows takes as much memory as one of all rows"


def _memory(bench: Bench, rows: int) -> int:
    """How many numbers of working memory a gradient takes, in pieces of so many rows."""
    module, kept, most = bench.module, bench.module._KEPT, bench.module.MICRO_BATCH_SIZE
    before = vars(kept).pop("work", None)
    module.MICRO_BATCH_SIZE = rows
    try:
        module.loss_and_grad(bench.params(), *bench.data())
        return int(getattr(kept, "work", np.empty(0)).size)
    finally:
        module.MICRO_BATCH_SIZE = most
        vars(kept).pop("work", None)
        if before is not None:
            kept.work = before


def _sets_in_pieces(bench: Bench) -> Iterator[str]:
    """The same of several sets, where a module takes pieces of them: thrice as many points as in the case."""
    if not hasattr(bench.module, "SET_ROWS") or not bench.case.has_loss:
        return
    pairs = list(zip(bench.case.tensors, bench.data(), strict=True))
    data = [np.concatenate([a, _smaller(a), a[::-1]]) if _has_points(t) else a for t, a in pairs]
    rows = sum({t.axes[0]: 3 * len(a) for t, a in pairs if _has_points(t)}.values())
    rounding = float(np.finfo(bench.dtype).eps) ** 0.25
    whole = _with_pieces(bench, sys.maxsize, "SET_ROWS", data)
    for most in (1, 2):  # of three shares
        found = _with_pieces(bench, -(-most * rows // 3), "SET_ROWS", data)
        for what, one in whole.items():
            if np.isfinite(one).all() and not same(one, found[what], rounding):
                yield f"the {what} over pieces of {most} of 3 shares of all sets is not that of all points"
        yield from _steps_of_sets(bench, -(-most * rows // 3), data)


def _steps_of_sets(bench: Bench, rows: int, data: Sequence[Array]) -> Iterator[str]:
    """A step in such pieces, and an epoch of one: the update by the gradient of these, to the last bit."""
    module, before = bench.module, bench.module.SET_ROWS
    if not hasattr(module, "_train_step_of_sets"):
        return
    steps: Mapping[str, Callable[..., float]] = {
        "train_step": module.train_step,
        "train_epoch": partial(module.train_epoch, batch_size="full"),
    }
    module.SET_ROWS = rows
    try:
        expected = bench.params()
        state = module.init_state(expected)
        value, gradient = module.loss_and_grad(expected, *data)
        module.update(expected, gradient, state)
        for name, step in steps.items():
            params = bench.params()
            found = module.init_state(params)
            told = step(params, found, *data)
            alike = [same(module.flatten(params), module.flatten(expected), 0.0), same(told, value, 1e-6)]
            alike += [same(one, other, 0.0) for one, other in zip(found, state, strict=True)]
            if math.isfinite(value) and not all(alike):
                yield f"{name} over pieces of sets is not an update by the gradient of these"
    finally:
        module.SET_ROWS = before


def _has_points(tensor: DataTensor) -> bool:
    return bool(tensor.axes) and isinstance(tensor.axes[0], str)


def _smaller(array: Array) -> Array:
    """Half of what are numbers; labels in another order."""
    return np.roll(array, 1) if array.dtype.kind == "i" else array * array.dtype.type(0.5)


def _with_pieces(
    bench: Bench, rows: int, fact: str = "MICRO_BATCH_SIZE", given: Sequence[Array] = ()
) -> dict[str, Any]:
    """What pieces of so many rows give: only what is run by Python asks how many these are."""
    module, before = bench.module, getattr(bench.module, fact)
    setattr(module, fact, rows)
    try:
        params, data = bench.params(), given or bench.data()
        found = {"loss": module.loss(params, *data)}
        found["loss of loss_and_grad"], gradient = module.loss_and_grad(params, *data)
        found["gradient"] = module.flatten(gradient).copy()
        along = np.cos(np.arange(module.SIZE)).astype(bench.dtype)
        for name, kind in bench.case.further:
            if kind in ("hvp", "gauss_newton"):
                found[f"answer of {name}"] = getattr(module, name)(params, along, *data)
        return found
    finally:
        setattr(module, fact, before)


def _told(bench: Bench) -> Iterator[str]:
    """It passes, prints a line for every parameter and one in all, and draws points by the seed."""
    module, case, blocks = bench.module, bench.case, bench.case.blocks
    defaults = {name: p.default for name, p in inspect.signature(module.verify).parameters.items()}
    if defaults != {"points": 3, "seed": 0}:
        yield f"the module's own verify takes {defaults} where its caller says nothing"
    told: list[list[str]] = []
    has_slopes = case.trains and any(
        np.any(g) for g in module.loss_and_grad(bench.params(), *bench.data())[1]
    )
    for seed in (0, 0, 1):
        lines, verdict, points = _watched(module, seed)
        told.append(lines)
        if not verdict:
            yield "the module's own verify fails"
        if len(points) != 1:
            yield f"the module's own verify with points=1 looks at {len(points)} gradients"
        if any(np.unique(theta).size < theta.size for theta in points):
            yield "the module's own verify draws parameters that are alike"
        words = [line.split()[:2] for line in lines]
        given = {t.name for t in case.tensors}
        names = [*(b.name for b in blocks), *(name for name in case.gradients if name in given)]
        if any([name, "agrees"] not in words and [name, "is"] not in words for name in names):
            yield "the module's own verify does not say of every gradient that it agrees, or is zero"
        elif has_slopes and not any(word == "agrees" for _, word in words):
            yield "the module's own verify says that every gradient is zero"
        if not (lines and lines[-1].startswith(f"{case.name}: ")):
            yield "the module's own verify ends without a verdict"
        elif "WRONG" in lines[-1]:
            yield "the module's own verify says that a gradient is wrong, and passes"
    if told[0] != told[1] or (blocks and told[0] == told[2]):
        yield "the module's own verify does not draw its points by the seed"


def _watched(module: Any, seed: int) -> tuple[list[str], bool, list[np.ndarray]]:
    """What its own verify prints and gives, and at which parameters it asked for gradients."""
    right, asked, printed = module._gradient, list[np.ndarray](), io.StringIO()

    def gradient(theta: np.ndarray, *arguments: Any) -> Any:
        asked.append(theta.copy())
        return right(theta, *arguments)

    module._gradient = gradient
    try:
        with redirect_stdout(printed):
            verdict = bool(module.verify(points=1, seed=seed))
    finally:
        module._gradient = right
    return printed.getvalue().splitlines(), verdict, asked


def _tried(place: int, size: int) -> Iterator[str]:
    """All changes of a first small block, of others the one that is hardest to see."""
    if place == 0:
        yield from ("of the opposite sign", "lost", "that is NaN")
    yield "1 % off" if size <= _SMALL_BLOCK else "lost"


def _verdict(module: Any) -> tuple[list[str], bool]:
    """What its own verify prints, and whether it passes."""
    with redirect_stdout(io.StringIO()) as printed:
        verdict = bool(module.verify(points=1))
    return printed.getvalue().splitlines(), verdict


def _says_wrong(lines: list[str], name: str) -> bool:
    rows = [line.split()[:2] for line in lines]
    return [name, "wrong"] in rows and "WRONG" in lines[-1]


@contextmanager
def wrong_gradient(module: Any, block: slice, change: Callable[[float], float]) -> Iterator[list[bool]]:
    """Inside it the largest entry of a block is changed; the list says whether it ever mattered."""
    right = module._gradient
    changed: list[bool] = []

    def wrong(theta: Any, grad: Any, *rest: Any) -> Any:
        value = right(theta, grad, *rest)
        entry = block.start + int(np.argmax(np.abs(grad[block])))
        if np.abs(grad[entry]) > 1e-3 * np.abs(grad).max():
            changed.append(True)
        grad[entry] = change(grad[entry])
        return value

    module._gradient = wrong
    try:
        yield changed
    finally:
        module._gradient = right
