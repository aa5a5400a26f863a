"""The user's own optimiser: equations over theta, g, t, hyper-parameters and states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec.entrywise import check_entrywise
from symgrad.spec.located import formula_at, numbers_at
from symgrad.spec.model import OptimizerSpec

if TYPE_CHECKING:
    from symgrad.errors import Position
    from symgrad.spec.document import Document, Key
    from symgrad.spec.schema import OptimizerBlock

_GIVEN = ("theta", "g", "t")


def own_optimizer(block: OptimizerBlock, document: Document, key: Key) -> OptimizerSpec:
    """The optimiser in the mapping at `key`.

    Raises:
        SpecError: for a name used twice, an unknown name, or an update that leaves theta alone.
    """
    hyper = numbers_at(document, (*key, "hyper"), block.hyper)
    state = numbers_at(document, (*key, "state"), block.state)
    own = (*block.hyper, *block.state)
    _check_names(block, document, key)
    for name in block.update:
        _check_target(name, tuple(block.state), document.place((*key, "update", name)).key)
    update = tuple((n, formula_at(document, (*key, "update", n), text)) for n, text in block.update.items())
    for _, formula in update:
        check_entrywise(formula, (*_GIVEN, *own), "an optimizer's update")
    _check_all_updated(block, document, key)
    return OptimizerSpec("custom", hyper, state, update, document.place(key).value)


def _check_names(block: OptimizerBlock, document: Document, key: Key) -> None:
    for kind, names in (("hyper", block.hyper), ("state", block.state)):
        for name in names:
            at = document.place((*key, kind, name)).key
            if name in _GIVEN:
                problem = f"'{name}' has a meaning of its own in an optimizer"
                raise SpecError(problem, at=at, remedy="theta, g and t are given: choose another name")
            if kind == "state" and name in block.hyper:
                problem = f"'{name}' is both a hyper-parameter and a state"
                raise SpecError(problem, at=at, remedy="choose another name")


def _check_target(name: str, states: tuple[str, ...], at: Position) -> None:
    targets = ("theta", *states)
    if name not in targets:
        remedy = did_you_mean(name, targets) or f"expected {' or '.join(targets)}"
        raise SpecError(f"the update sets '{name}', which is no state", at=at, remedy=remedy)


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
