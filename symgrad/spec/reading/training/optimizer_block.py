"""The user's own optimiser: equations over theta, g, t, hyper-parameters, states and quantities of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, did_you_mean
from symgrad.spec.expansion.entrywise import check_entrywise, written_out
from symgrad.spec.language.trees import is_number, names_in, signed_number
from symgrad.spec.model import OptimizerSpec
from symgrad.spec.reading.located import check_key, formula_at, numbers_at

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.reading.document import Document, Key
    from symgrad.spec.reading.schema import OptimizerBlock

_GIVEN = ("theta", "g", "t")
_FULL_BATCH = "it says full_batch: true"


def own_optimizer(block: OptimizerBlock, document: Document, key: Key) -> OptimizerSpec:
    """The optimiser in the mapping at `key`.

    Raises:
        SpecError: for a name used twice, an unknown name, an update that leaves theta alone, and one that
            sets what nothing reads.
    """
    hyper = numbers_at(document, (*key, "hyper"), block.hyper)
    _check_names(block, document, key)
    state = tuple((name, _start(block, name, document, (*key, "state", name))) for name in block.state)
    look_ahead = _look_ahead(block, document, (*key, "gradient_at"))
    update = _updates(block, document, (*key, "update"))
    _check_all_read(block, update, document, (*key, "update"))
    _check_all_updated(block, document, key)
    at = document.place(key).value
    full_batch = _FULL_BATCH if block.full_batch else ""
    return OptimizerSpec("custom", hyper, state, update, at, look_ahead, full_batch)


def _check_names(block: OptimizerBlock, document: Document, key: Key) -> None:
    for kind, names in (("hyper", block.hyper), ("state", block.state)):
        for name in names:
            at = document.place((*key, kind, name)).key
            if name in _GIVEN:
                problem = f"'{name}' has a meaning of its own in an optimiser"
                raise SpecError(problem, at=at, remedy="theta, g and t are given: choose another name")
            if kind == "state" and name == "step":
                problem = "a state cannot be called 'step', the module counts its steps by that name"
                raise SpecError(problem, at=at, remedy="choose another name")
            if kind == "state" and name in block.hyper:
                problem = f"'{name}' is both a hyper-parameter and a state"
                raise SpecError(problem, at=at, remedy="choose another name")


def _start(block: OptimizerBlock, name: str, document: Document, key: Key) -> Node:
    """The first value of a state: a number, or a formula over hyper-parameters."""
    check_key(document, key)
    formula = written_out(formula_at(document, key, block.state[name]), block.hyper)
    if not is_number(formula) and not block.hyper:
        problem = f"the state '{name}' does not start from a number"
        raise SpecError(problem, at=formula.at, remedy="expected one such as 0.1")
    if not is_number(formula):
        check_entrywise(formula, tuple(block.hyper), "a state's first value")
    return signed_number(formula)


def _look_ahead(block: OptimizerBlock, document: Document, key: Key) -> Node | None:
    if block.gradient_at is None:
        return None
    known = ("theta", "t", *block.hyper, *block.state)
    formula = written_out(formula_at(document, key, block.gradient_at), known)
    check_entrywise(formula, known, "gradient_at")
    if "theta" not in names_in(formula):
        problem = "the gradient would be taken at a point that has nothing to do with theta"
        raise SpecError(problem, at=formula.at, remedy="write theta + delta * v, for example")
    return formula


def _updates(block: OptimizerBlock, document: Document, key: Key) -> tuple[tuple[str, Node], ...]:
    """The equations; each may use what those above it set."""
    known = [*_GIVEN, *block.hyper, *block.state]
    found = []
    for name, text in block.update.items():
        _check_target(name, block, document, (*key, name))
        formula = written_out(formula_at(document, (*key, name), text), (*known, *block.update))
        _check_order(formula, known, block.update)
        check_entrywise(formula, known, "an optimiser's update")
        found.append((name, formula))
        known.append(name)
    return tuple(found)


def _check_target(name: str, block: OptimizerBlock, document: Document, key: Key) -> None:
    at = document.place(key).key
    if name == "t" or name in block.hyper:
        what = "t, the number of the step" if name == "t" else f"the hyper-parameter '{name}'"
        remedy = "choose another name" if name == "t" else "make it a state, or choose another name"
        raise SpecError(f"the update sets {what}", at=at, remedy=remedy)
    check_key(document, key)


def _check_order(formula: Node, known: Collection[str], targets: Collection[str]) -> None:
    early = sorted((names_in(formula) & set(targets)) - set(known))
    if early:
        remedy = f"set it above, or let it keep its value from step to step: state: {{{early[0]}: 0}}"
        raise SpecError(f"'{early[0]}' is read before it is set", at=formula.at, remedy=remedy)


def _check_all_updated(block: OptimizerBlock, document: Document, key: Key) -> None:
    if "theta" not in block.update:
        at = document.place((*key, "update")).value
        raise SpecError(
            "the update leaves theta alone", at=at, remedy="add theta: theta - eta * g, for example"
        )
    for name in block.state:
        if name not in block.update:
            at = document.place((*key, "state", name)).key
            remedy = "update it, or make it a hyper-parameter"
            raise SpecError(f"the state '{name}' is never updated", at=at, remedy=remedy)


def _check_all_read(
    block: OptimizerBlock, update: tuple[tuple[str, Node], ...], document: Document, key: Key
) -> None:
    """Refuse a quantity of the step that no equation below it reads: most likely a misspelt state."""
    kept = ("theta", *block.state)
    for number, (name, _) in enumerate(update):
        if name not in kept and not any(name in names_in(formula) for _, formula in update[number + 1 :]):
            at: Position = document.place((*key, name)).key
            remedy = did_you_mean(name, kept) or f"read it in an equation below, or set {' or '.join(kept)}"
            raise SpecError(f"the update sets '{name}', which nothing below it reads", at=at, remedy=remedy)
