"""Losses in formulas: what a bare one is applied to, and how its values at all samples become one number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.language.syntax import Call, Name, Node, Number
from symgrad.spec.language.trees import calls, names_in, substitute, transform
from symgrad.spec.other_names import known_as, meant
from symgrad.spec.ranges import check_ranges, spans
from symgrad.spec.taken_names import tensors_named

if TYPE_CHECKING:
    from symgrad.spec.library import Function
    from symgrad.spec.model import Spec

Task = Literal["values", "binary", "classes", "sign"]
REDUCTIONS = ("mean", "sum", "batchmean", "none")
KEYWORDS = ("reduction", "weights")
"""What every call of a loss may give besides the loss's own arguments."""
KEYWORD_RANGES = (("weights", "[0, inf)"),)


def applied_loss(spec: Spec, outputs: tuple[str, ...]) -> Node | None:
    """The loss of a spec; one named without arguments is applied to the output and the target.

    Raises:
        SpecError: an unknown loss, or a bare one where there are several outputs or targets.
    """
    loss = spec.loss
    if isinstance(loss, Name) and (loss.id not in library.losses or loss.id in tensors_named(spec)):
        return _named_loss(spec, loss)
    if isinstance(loss, Name):
        loss = Call(loss.id, (), (), loss.at)
    if not isinstance(loss, Call) or loss.function not in library.losses or loss.arguments:
        return loss
    given = names_in(loss)
    targets = [t.name for t in spec.targets if t.name not in given]
    if len(outputs) != 1 or len(targets) != 1:
        raise SpecError(
            f"'{loss.function}' alone needs one output and one target, "
            f"this spec has {len(outputs)} and {len(targets)}",
            at=loss.at,
            remedy=f"say which: {loss.function}(y, t)",
        )
    return replace(loss, arguments=(Name(outputs[0], loss.at), Name(targets[0], loss.at)))


def _named_loss(spec: Spec, loss: Name) -> Node:
    """A loss that is one of the tensors, or a slip of the pen."""
    if loss.id in tensors_named(spec):
        return loss
    layer = known_as(loss.id, library.layers)
    if layer and not known_as(loss.id, library.losses):
        remedy = f"give it an equation, as L: {layer}(...), and let the loss be mean(L)"
        raise SpecError(f"'{layer}' is a layer, which stands in equations alone", at=loss.at, remedy=remedy)
    remedy = meant(loss.id, library.losses, f"there are {', '.join(library.losses)}")
    raise SpecError(f"unknown loss '{loss.id}'", at=loss.at, remedy=remedy)


@dataclass(frozen=True)
class Scoring:
    """How predictions are judged: what is predicted, if not the output itself, against which target."""

    task: Task = "values"
    prediction: Node | None = None
    target: str | None = None


def scoring_of(spec: Spec, loss: Node | None, outputs: tuple[str, ...], after_targets: set[str]) -> Scoring:
    """Decided by the first library loss that stands in the loss.

    Where there are several targets, by the first that says how its target is predicted, or is of an output:
    an output is never scored against the target of another.
    """
    for call in calls(loss) if loss is not None else ():
        entry = library.losses.get(call.function)
        if entry is None:
            continue
        values = bind(call, entry.signature, extra=KEYWORDS)
        prediction = substitute(entry.predicted, values) if entry.predicted is not None else None
        if prediction is not None and names_in(prediction) & after_targets:
            prediction = None
        judged = values[entry.signature.arguments[0]]
        is_output = isinstance(judged, Name) and judged.id in outputs
        if prediction is None and not is_output and len(spec.targets) > 1:
            continue
        against = values[entry.signature.arguments[1]]
        is_target = isinstance(against, Name) and any(t.name == against.id for t in spec.targets)
        target = against.id if isinstance(against, Name) and is_target else None
        return Scoring(cast("Task", entry.task), prediction, target)
    return Scoring()


def reduced_losses(node: Node, spec: Spec) -> Node:
    """`mse(y, t, reduction=sum)` becomes `sum(mse(y, t))`, and the like for every loss in a formula.

    With `weights` w, one for each sample or entry, the mean of the losses l is Σ w l / Σ w. Labels count
    with the weights c of their classes and ignored ones not at all, so that it is Σ w l / Σ w c; as in
    PyTorch, c is 1 where the targets are rows of probabilities. A mean over nothing is 0.

    Raises:
        SpecError: an unknown reduction, or a wrong call of a loss.
    """

    def change(node: Node) -> Node:
        entry = library.losses.get(node.function) if isinstance(node, Call) else None
        return _reduced(node, entry, spec) if isinstance(node, Call) and entry is not None else node

    return transform(node, change)


def _reduced(call: Call, entry: Function, spec: Spec) -> Node:
    values = bind(call, entry.signature, extra=KEYWORDS)
    check_ranges(call, KEYWORD_RANGES, values, spans(spec.constants))
    reduction = _reduction(values.get("reduction", Name(entry.reduction, call.at)))
    weights, count = values.get("weights"), _count(call, entry, values, spec)
    loss = replace(call, keywords=tuple((k, v) for k, v in call.keywords if k not in KEYWORDS))
    if reduction == "none":
        if weights is not None:
            remedy = "multiply the values by the weights instead"
            raise SpecError("reduction=none takes no weights", at=weights.at, remedy=remedy)
        return loss
    if weights is None and (count is None or reduction == "sum"):
        return Call(reduction, (loss,), (), call.at)
    one = Number(Fraction(1), call.at)
    counted = () if count is None or reduction == "sum" else (count,)
    return Call(f"weighted_{reduction}", (loss, weights or one, *counted), (), call.at)


def _reduction(node: Node) -> str:
    if isinstance(node, Name) and node.id in REDUCTIONS:
        return node.id
    problem = f"reduction must be {', '.join(REDUCTIONS[:-1])} or {REDUCTIONS[-1]}"
    raise SpecError(problem, at=node.at, remedy="write reduction=sum")


def _count(call: Call, entry: Function, values: dict[str, Node], spec: Spec) -> Node | None:
    """For how many each label counts, where that is not 1."""
    target = values[entry.signature.arguments[1]]
    named = [t for t in spec.targets if isinstance(target, Name) and t.name == target.id]
    if not named or named[0].classes is None:
        return None
    default = dict(entry.signature.defaults).get("class_weights")
    class_weights = values.get("class_weights")
    if class_weights == default and named[0].ignore is None:
        return None
    arguments = (target,) if class_weights is None else (target, class_weights)
    return Call("label_weight", arguments, (), call.at)
