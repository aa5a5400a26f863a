"""What the numbers of inputs are read for: as quantities that a network takes, or to say what is there and
how much it counts. Only the first mean the same once training has brought them to mean 0 and deviation 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from symgrad.spec import library
from symgrad.spec.intervals import interval
from symgrad.spec.language.builtins import UNIFORM
from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.language.syntax import Binary, Call, Compare, Index, Name, Negate
from symgrad.spec.language.trees import calls, children
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import FunctionSpec, Model

_MEASURING = (SIZE, UNIFORM)
"""Calls that ask for the size of a tensor alone."""


@dataclass(frozen=True)
class _Value:
    """What a value is made of: inputs, parameters (it is `learned`), targets, and the numbers of places."""

    inputs: frozenset[str] = frozenset()
    learned: bool = False
    of_target: bool = False
    of_place: bool = False

    def __or__(self, other: _Value) -> _Value:
        return _Value(
            self.inputs | other.inputs,
            self.learned or other.learned,
            self.of_target or other.of_target,
            self.of_place or other.of_place,
        )


_NOTHING = _Value()
_PLACE = _Value(of_place=True)


def taken_as_they_are(model: Model) -> frozenset[str]:
    """The inputs that would say something else once they are scaled.

    These are lengths and masks that a layer is told, what is compared with the number of a place, as in
    `j < n[i]`, arguments of the library that cannot be negative, as weights, and what such are made of
    without parameters; and what a network never takes, though something reads it: it is only compared with
    something, or only joins what was computed with a target already, as the weights of rows do in
    `mean(w * (y - t)**2)`.
    """
    found = _Reading(model)
    while found.goes_on():
        pass
    return frozenset(found.signs | (found.read - found.quantities))


class _Reading:
    """One way through the equations of a model, by what was known of their values the last time."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.functions = {function.name: function for function in model.functions}
        self.own = {function.name for function in model.spec.functions}
        self.known = {t.name: _Value(frozenset((t.name,))) for t in model.spec.inputs}
        self.known |= {t.name: _Value(of_target=True) for t in model.spec.targets}
        self.known |= {p.name: _Value(learned=True) for p in model.parameters}
        self.read: set[str] = set()
        self.quantities: set[str] = set()
        self.signs: set[str] = set()

    def goes_on(self) -> bool:
        """Read all equations again; whether more is known of their values than before, as of recurrences."""
        before = dict(self.known)
        self.quantities, self.signs = set(), set()
        for carried in self.model.carried:
            start = self._formula(carried.start.formula, filter(None, carried.start.indices))
            self.known[carried.name] = start | self.known.get(carried.source, _NOTHING)
        for equation in self.model.equations:
            self.known[equation.name] = self._formula(equation.formula, equation.index_names)
        for result in (self.model.loss, self.model.evaluation, self.model.prediction):
            if result is not None:
                self._formula(result, ())
        for hiding in self.model.hiding:
            self._is_sign(self.known.get(hiding.tensor, _NOTHING))
        return self.known != before

    def _formula(
        self, formula: Node, indices: Iterable[str], given: Mapping[str, _Value] | None = None
    ) -> _Value:
        """The value of a formula, where `given` are those of the arguments of its function."""
        bound = (bound_names(call) for call in calls(formula) if call.function in REDUCTIONS)
        names = dict.fromkeys((*indices, *(name for of in bound for name in of)), _PLACE)
        return self._value(formula, {**names, **(given or {})})

    def _value(self, node: Node, local: Mapping[str, _Value]) -> _Value:
        match node:
            case Name(name):
                return local.get(name) or self._of_tensor(name)
            case Index(name):  # of a tensor, whatever an index is called
                found = local.get(name, _PLACE)
                return self._of_tensor(name) if found == _PLACE else found
            case Compare(left=left, right=right):
                compared = self._value(left, local) | self._value(right, local)
                if compared.of_place:
                    self._is_sign(compared)
                return _NOTHING
            case Call():
                return self._call(node, local)
        return self._joined([self._value(child, local) for child in children(node)], node)

    def _of_tensor(self, name: str) -> _Value:
        found = self.known.get(name, _NOTHING)
        self.read |= found.inputs
        return found

    def _call(self, call: Call, local: Mapping[str, _Value]) -> _Value:
        if call.function in _MEASURING:
            return _NOTHING
        if call.function in REDUCTIONS:
            return self._joined([self._value(node, local) for node in call.arguments[:1]], call)
        if call.function == "spread":
            return self._value(call.arguments[0], local)
        function = self.functions.get(call.function)
        if function is None:
            return self._joined([self._value(node, local) for node in children(call)], call)
        names = (*function.arguments, *(name for name, _ in function.defaults))
        given = {name: self._value(node, local) for name, node in zip(names, call.arguments, strict=False)}
        given |= {name: self._value(node, local) for name, node in call.keywords}
        self._check_ranges(function, given)
        return self._formula(function.formula, (), dict.fromkeys(names, _NOTHING) | given)

    def _check_ranges(self, function: FunctionSpec, given: Mapping[str, _Value]) -> None:
        """Arguments of the library that are never negative are no quantities around 0."""
        entry = None if function.name in self.own else library.functions.get(function.name)
        for name, text in entry.ranges if entry is not None else ():
            if not interval(text).holds(-1):
                self._is_sign(given.get(name, _NOTHING))

    def _is_sign(self, value: _Value) -> None:
        if not value.learned:
            self.signs |= value.inputs

    def _joined(self, parts: Sequence[_Value], node: Node) -> _Value:
        """What parts make together: an input is a quantity where it meets what is learned without a target.

        A term that is added to a loss, as a regulariser, meets nothing that this is computed from.
        """
        is_sum = isinstance(node, Binary) and node.operator in ("+", "-")
        for number, part in enumerate(parts):
            others = (other for at, other in enumerate(parts) if at != number)
            is_loss = is_sum and part.learned and part.of_target
            if not is_loss and any(other.learned and not other.of_target for other in others):
                self.quantities |= part.inputs
        whole = reduce(_Value.__or__, parts, _NOTHING)
        return whole if _counts_places(node, parts) else _Value(whole.inputs, whole.learned, whole.of_target)


def _counts_places(node: Node, parts: Collection[_Value]) -> bool:
    """Whether what is made of the number of a place is still one, as `j - 1` is, and `j - n[i]`."""
    match node:
        case Negate() | Binary("+" | "-") | Call("max" | "min"):
            return True
        case Binary("*" | "/" | "//" | "%"):
            return sum(1 for part in parts if part.inputs or part.of_place) == 1
    return False
