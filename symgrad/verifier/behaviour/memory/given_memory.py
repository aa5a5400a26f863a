"""Answers that are written into the memory of an earlier one, where a caller gives it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, kept, refusal, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.verifier.interpretation.array_library import Array


def given_memory(bench: Bench) -> Iterator[str]:
    """Gradients of rows in the memory of an earlier answer are those in new memory; no other is touched."""
    for name, kind in bench.case.further:
        if kind == "per_sample":
            function = partial(getattr(bench.module, name), bench.params())
            data, others = bench.data(), _turned(bench)
            expected, beside, answer = kept(function(*others)), function(*data), function(*data)
            known = kept(beside)
            answer[0].base.fill(np.nan)
            again = function(*others, out=answer)
            if not (same(again, expected, 1e-6) and same(answer, expected, 1e-6)):
                yield f"{name} gives another answer in the memory of an earlier one"
            if not all(np.shares_memory(a, b) for a, b in zip(again, answer, strict=True)):
                yield f"{name} does not answer in the memory that it is given"
            if not same(beside, known):
                yield f"{name} with the memory of one answer changes another"
            yield from _bad(bench, name, function, answer)


def _turned(bench: Bench) -> list[Array]:
    """The data, their rows the other way around."""
    axis = bench.case.batch
    pairs = zip(bench.case.tensors, bench.data(), strict=True)
    return [array[::-1].copy() if tensor.axes[:1] == (axis,) else array for tensor, array in pairs]


def _bad(bench: Bench, name: str, function: Callable[..., Any], answer: Any) -> Iterator[str]:
    """What is no answer for as many rows, or lies where params or data do, is refused."""
    data, params = bench.data(), bench.params()
    more = [
        np.concatenate([array, array[:1]]) if tensor.axes[:1] == (bench.case.batch,) else array
        for tensor, array in zip(bench.case.tensors, data, strict=True)
    ]
    for what, given, wanted, kind in (
        ("a list", data, list(answer), TypeError),
        ("copies", data, type(answer)(*map(np.copy, answer)), ValueError),
        ("parameters", data, params, ValueError),
        ("lists", data, type(answer)(*(array.tolist() for array in answer)), ValueError),
        ("an answer for fewer rows", more, answer, ValueError),
    ):
        if wrong := refusal(kind, "out:", function, *given, out=wanted):
            yield f"{name}: out as {what} {wrong}"
    memory = answer[0].base[: bench.case.vector.size]
    if memory.size == bench.case.vector.size:
        inside = bench.module.unflatten(memory)
        if wrong := refusal(ValueError, "out:", getattr(bench.module, name), inside, *data, out=answer):
            yield f"{name}: parameters in the memory that it is given {wrong}"
