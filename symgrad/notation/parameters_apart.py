"""Which parameters a step does not treat as all others, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.numbers import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.model import HyperParameter, Model


def numbers_apart(
    model: Model, written: Callable[[str], str] = str, value: Callable[[HyperParameter], str] | None = None
) -> Iterator[str]:
    """`weight_decay = 0 for b1, b2`, a line for each hyper-parameter of a group."""
    for group in model.groups:
        names = ", ".join(map(written, group.parameters))
        for hyper in group.hyper:
            yield f"{hyper.of} = {(value or shown_value)(hyper)} for {names}"


def shown_value(hyper: HyperParameter) -> str:
    """Its number in the spec."""
    found = number(hyper.value, {})
    return "?" if found is None else f"{found:g}"


def called_value(hyper: HyperParameter) -> str:
    """What a module calls it, or 0 where that leaves it out."""
    return f'HYPER["{hyper.name}"]' if number(hyper.value, {}) else "0"


def left_alone(model: Model, written: Callable[[str], str] = str) -> str:
    """The frozen parameters that are no states of the model; empty where there are none."""
    return ", ".join(written(name) for name in model.frozen if name not in model.states)


def renewed(model: Model, written: Callable[[str], str] = str) -> str:
    """What a step makes of the states of the model; empty where there are none."""
    return ", ".join(f"{written(n.state)} ← {written(n.equation)}" for n in model.next_values)
