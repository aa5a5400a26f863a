"""How a training ends: `finish: lbfgs(max_iterations=500)` in its train block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.hyper import WHOLE
from symgrad.spec.model import FinishSpec
from symgrad.spec.numbers import number
from symgrad.spec.other_names import meant
from symgrad.spec.ranges import check_ranges
from symgrad.spec.reading.derive_block import with_derivatives
from symgrad.spec.reading.located import call_at

if TYPE_CHECKING:
    from symgrad.spec.language.syntax import Call
    from symgrad.spec.model import Spec
    from symgrad.spec.reading.document import Document
    from symgrad.spec.reading.schema import TrainBlock


def finish_spec(train: TrainBlock, document: Document) -> FinishSpec | None:
    """What comes after the epochs.

    Raises:
        SpecError: there is no such way to end, a setting that it does not have or could not, nothing to do at
            all, or an average, which would be of the epochs alone.
    """
    if train.finish is None:
        if not train.epochs:
            at, remedy = document.place(("train", "epochs")).value, "write epochs: 10, or add finish: lbfgs()"
            raise SpecError("no epochs, and nothing that comes after them", at=at, remedy=remedy)
        return None
    call = call_at(document, ("train", "finish"), train.finish, "a finish", "lbfgs(max_iterations=500)")
    entry = library.finishes.get(call.function)
    if entry is None:
        remedy = meant(call.function, library.finishes, f"there are {', '.join(library.finishes)}")
        if call.function in library.optimizers:
            remedy = f"write optimizer: {call.function}(); a finish is one of {', '.join(library.finishes)}"
        raise SpecError(f"unknown finish '{call.function}'", at=call.at, remedy=remedy)
    for key in ("schedule", "clip_norm", "clip_value", "per_parameter", "optimizer"):
        if not train.epochs and key in train.model_fields_set:
            at = document.place(("train", key)).key
            raise SpecError(
                f"{key} is of the steps of epochs, of which there are none",
                at=at,
                remedy=f"drop {key}, or write epochs: 10",
            )
    if train.average is not None:
        problem = "a moving average would be of the epochs, and finish goes on from the parameters themselves"
        at = document.place(("train", "average")).value
        raise SpecError(problem, at=at, remedy="drop average, or drop finish")
    return FinishSpec(call.function, _settings(call, entry), call.at)


def _settings(call: Call, entry: library.Finish) -> tuple[tuple[str, float], ...]:
    """The numbers of a call. Raises SpecError for what they cannot be."""
    given = bind(call, entry.signature)
    check_ranges(call, entry.own_ranges, given)
    found = []
    for name, node in given.items():
        value = number(node, {})
        if value is None or (name in WHOLE and value != int(value)):
            expected = "a whole number" if name in WHOLE else "a number"
            problem = f"{call.function}: {name} is {unparse(node)}"
            raise SpecError(problem, at=node.at, remedy=f"expected {expected}")
        found.append((name, value))
    return tuple(found)


def refuse_as_optimizer(call: Call) -> None:
    """Raise SpecError where an optimiser is one that ends trainings: no rule for the steps of batches."""
    if call.function in library.finishes:
        problem = f"{call.function} makes whole iterations on all rows: it has no step for a batch"
        remedy = f"write finish: {unparse(call)}, with epochs: 0 where no epochs shall go before it"
        raise SpecError(problem, at=call.at, remedy=remedy)


def with_needed(spec: Spec) -> Spec:
    """The spec with the further derivative that its finish asks of a module."""
    finish = spec.train.finish
    needs = library.finishes[finish.name].needs if finish else ""
    if not needs or finish is None:
        return spec
    asked = with_derivatives(spec, [needs])
    derive = tuple(replace(d, at=finish.at) if d not in spec.derive else d for d in asked.derive)
    return replace(asked, derive=derive)
