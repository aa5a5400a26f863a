"""The derive block: which derivatives beyond the gradient a module shall compute."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from symgrad.errors import Position, SpecError, did_you_mean
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Call, Name
from symgrad.spec.model import FURTHER_FUNCTIONS, FurtherDerivative, FurtherKind
from symgrad.spec.reading.located import call_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from symgrad.spec.model import Spec
    from symgrad.spec.reading.document import Document

_TAKES: Mapping[str, tuple[int | Literal["any"], str]] = {
    "hvp": (0, "hvp"),
    "gauss_newton": ("any", "gauss_newton, or gauss_newton(y) of the tensor that the loss is convex in"),
    "per_sample": (0, "per_sample"),
    "jacobian": (2, "jacobian(y, x), the derivatives of y by x"),
    "hessian": (1, "hessian(W), the second derivatives of the loss by a parameter"),
}
"""How many tensors each kind names, and how it is written."""

_SEVERAL = ("jacobian", "hessian")
"""Kinds of which a module may have several, of other tensors."""

INPUT_GRADIENT = "input_gradient"
"""Asks for what `gradients` does: `input_gradient(x)`; alone, for the gradient by every input of numbers."""

_OTHER_WORDS = {
    "gradient": "loss_and_grad gives the gradient, and gradients: [x] that by inputs and equations",
    "grad": "loss_and_grad gives the gradient, and gradients: [x] that by inputs and equations",
    "per_sample_grad": "write per_sample",
    "hessian_vector_product": "write hvp",
    "ggn": "write gauss_newton",
}


def with_derive_block(spec: Spec, texts: Sequence[str], document: Document) -> Spec:
    """The spec with the derivatives that its derive block asks for.

    Raises:
        SpecError: an unknown kind, one that stands twice, or a call that does not name what it should.
    """
    found: dict[str, FurtherDerivative] = {}
    for number, text in enumerate(texts):
        call = call_at(document, ("derive", number), text, "a further derivative", "hvp or jacobian(y, x)")
        if call.function == INPUT_GRADIENT:
            named = _inputs_named(spec, call)
            if repeated := next((name for name in named if name in spec.gradients), None):
                problem = f"the gradient by '{repeated}' is asked for twice"
                raise SpecError(problem, at=call.at, remedy="name it once, here or in gradients")
            spec = _with_gradients(spec, named, call.at)
            continue
        asked = _derivative(call)
        key = _key(asked)
        if key in found:
            problem, remedy = f"'{key}' stands twice in derive", "a module has one function of a name"
            raise SpecError(problem, at=asked.at, remedy=remedy)
        found[key] = asked
    return replace(spec, derive=_with_functions(found.values()))


def with_derivatives(spec: Spec, texts: str | Sequence[str]) -> Spec:
    """The spec that asks for these derivatives too, one or several; errors are placed in their texts.

    Raises:
        SpecError: an unknown kind, or a call that does not name what it should.
    """
    found = {_key(asked): asked for asked in spec.derive}
    for text in [texts] if isinstance(texts, str) else texts:
        at = Position(f"derive {text}", 1, 1)
        node = parse_formula(text, at)
        call = Call(node.id, (), (), node.at) if isinstance(node, Name) else node
        if not isinstance(call, Call):
            raise SpecError(f"'{text}' is no derivative", at=at, remedy="write hvp or 'jacobian(y, x)'")
        if call.function == INPUT_GRADIENT:
            new = [name for name in _inputs_named(spec, call) if name not in spec.gradients]
            spec = _with_gradients(spec, new, call.at)
            continue
        asked = _derivative(call)
        found.setdefault(_key(asked), asked)
    return replace(spec, derive=_with_functions(found.values()))


def _inputs_named(spec: Spec, call: Call) -> list[str]:
    """What `input_gradient` names; without names, every input of numbers."""
    names = _names(call)
    if names is None:
        raise SpecError(
            f"'{INPUT_GRADIENT}' does not take this", at=call.at, remedy=f"write {INPUT_GRADIENT}(x)"
        )
    return [*names] or [tensor.name for tensor in spec.inputs if tensor.classes is None]


def _with_gradients(spec: Spec, names: Sequence[str], at: Position) -> Spec:
    places = tuple(("gradients", name, at) for name in names)
    return replace(spec, gradients=(*spec.gradients, *names), places=(*spec.places, *places))


def _names(call: Call) -> tuple[str, ...] | None:
    """The arguments of a call, where they are different names."""
    names = tuple(argument.id for argument in call.arguments if isinstance(argument, Name))
    is_named = len({*names}) == len(call.arguments) and not call.keywords
    return names if is_named else None


def _derivative(call: Call) -> FurtherDerivative:
    kinds = get_args(FurtherKind)
    if call.function not in kinds:
        known = (*kinds, INPUT_GRADIENT)
        remedy = _OTHER_WORDS.get(call.function) or did_you_mean(call.function, known)
        problem = f"'{call.function}' is no derivative that derive knows"
        raise SpecError(problem, at=call.at, remedy=remedy or f"expected one of {', '.join(known)}")
    count, example = _TAKES[call.function]
    names = _names(call)
    if names is None or count not in ("any", len(names)):
        raise SpecError(f"'{call.function}' does not take this", at=call.at, remedy=f"write {example}")
    kind = cast("FurtherKind", call.function)
    return FurtherDerivative(kind, names, FURTHER_FUNCTIONS[kind], call.at)


def _key(asked: FurtherDerivative) -> str:
    """What a module has once."""
    return str(asked) if asked.kind in _SEVERAL else asked.kind


def _with_functions(asked: Iterable[FurtherDerivative]) -> tuple[FurtherDerivative, ...]:
    """The same with the names of their functions: those of several of a kind say what they are of.

    Raises:
        SpecError: two would have the same.
    """
    found = tuple(asked)
    count = Counter(each.kind for each in found)
    named: dict[str, FurtherDerivative] = {}
    for each in found:
        base = FURTHER_FUNCTIONS[each.kind]
        function = base if count[each.kind] == 1 else f"{base}_{'_by_'.join(each.of)}"
        if function in named:
            problem = f"'{named[function]}' and '{each}' would both be the function '{function}'"
            raise SpecError(problem, at=each.at, remedy="name one of their tensors otherwise")
        named[function] = replace(each, function=function)
    return tuple(named.values())
