"""What calls are given: the number of arguments of a language function, the shapes of a loss."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from symgrad.calculus.axes import Axes, Axis, show_axes
from symgrad.elaborate.broadcasting import first_of_last
from symgrad.errors import Position, ShapeError, SpecError
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.elaborate.operands import EquationBuilder, Value
    from symgrad.spec.language.syntax import Call, Node
    from symgrad.spec.model import FunctionSpec


def arguments_of(call: Call, number: int) -> tuple[Node, ...]:
    """The arguments of a call that must have so many and no keywords.

    Raises:
        SpecError: it has not.
    """
    if len(call.arguments) == number and not call.keywords:
        return call.arguments
    given = len(call.arguments) + len(call.keywords)
    raise SpecError(
        f"{call.function} takes {number} argument{'s' if number > 1 else ''}, got {given}",
        at=call.at,
        remedy=f"write {call.function}({', '.join(('x', 'y', 'z')[:number])})",
    )


CALLED_AT = " called at "


@contextmanager
def located_at(call: Call, function: FunctionSpec) -> Iterator[None]:
    """Errors inside a function name the call: that of a library function is all the user can see."""
    try:
        yield
    except SpecError as error:
        at, problem = error.at, error.problem
        if isinstance(at, Position) and at.source.startswith("<library:"):
            at, problem = call.at, f"{function.shown}: {problem}"
        elif CALLED_AT not in problem:
            problem += f", in {function.shown}{CALLED_AT}{call.at}"
        raise type(error)(problem, at=at, remedy=error.remedy) from None


def check_loss(
    call: Call, function: FunctionSpec, values: Mapping[str, Value], builder: EquationBuilder
) -> None:
    """A prediction and its target have the same shape, unless the target holds labels of classes.

    Raises:
        ShapeError: they have not, naming both.
    """
    a, b = function.arguments[:2]
    first, second = values[a], values[b]
    has_classes = library.losses[function.name].task == "classes"
    labels = builder.labels(second) if has_classes else None
    _check_class_weights(call, first, values.get("class_weights"))
    expected = second.axes if labels is None else (*second.axes, Axis(None, labels.classes))
    if len(first.axes) == len(expected) and all(map(Axis.fits, first.axes, expected)):
        return
    held = show_axes(second.axes) if labels is None else f"labels {show_axes(second.axes)}"
    raise ShapeError(
        f"{call.function}: {a} is {show_axes(first.axes)} and {b} is {held}",
        at=call.at,
        remedy=_same_shape(first.axes, expected) if labels is None else f"{a} must be {show_axes(expected)}",
    )


def _same_shape(first: Axes, second: Axes) -> str:
    """The remedy where two shapes differ: what to write where one of them has a last axis of 1 too many."""
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    if len(longer) == len(shorter) + 1 and longer[-1].size == 1 and all(map(Axis.fits, longer, shorter)):
        return f"give both the same shape: write {first_of_last(longer)} behind {show_axes(longer)}"
    return "give both the same shape"


def _check_class_weights(call: Call, scores: Value, weights: Value | None) -> None:
    if weights is None or not weights.axes:
        return
    if len(weights.axes) != 1 or not all(map(Axis.fits, weights.axes, scores.axes[-1:])):
        raise ShapeError(
            f"{call.function}: class_weights is {show_axes(weights.axes)}, scores {show_axes(scores.axes)}",
            at=call.at,
            remedy=f"give one weight per class: {show_axes(scores.axes[-1:])}",
        )
