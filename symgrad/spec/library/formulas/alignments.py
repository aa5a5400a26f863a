"""Losses over all ways in which a sequence of labels can lie along the steps of scores."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Boolean
from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerHiding, all_given
from symgrad.spec.library.settings.hidden_places import hidden_by, seen_demands

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.spec.language.syntax import Call
    from symgrad.spec.library.layer_entries import Arguments

_PLACES = "size(labels, 1)"
_ONE_MORE = LayerDemand(
    "size(x, 2) == classes + 1",
    "x is of {size(x, 2)} scores, for {classes} labels",
    "expected one more than there are labels, for the blank, which no label counts",
)
_A_SCORE = tuple(
    LayerDemand(
        condition, "the blank {blank} is none of the {size(x, 2)} scores", "expected the place of one, from 0"
    )
    for condition in ("blank >= 0", "blank <= classes")
)
_ROWS = LayerDemand(
    "size(labels, 0) == size(x, 0)",
    "labels are of {size(labels, 0)} rows, x of {size(x, 0)}",
    "expected as many rows of both",
)
_COUNTED = LayerDemand(
    "size(label_lengths, 0) == size(x, 0)",
    "label_lengths is of {size(label_lengths, 0)} rows, x of {size(x, 0)}",
    "expected as many rows of both",
)


def _form(chosen: Collection[str]) -> LayerForm:
    """With the options that are chosen.

    `ends[n,t,u]` is the logarithm of the chance of all ways through the steps up to t that give the labels up
    to u and end with that one; `blanks[n,t,u]` of those that give u labels and end with a blank. A label that
    is the same as the one before it needs a blank between.
    """

    def going_on(value: str, before: str) -> str:
        return f"where(t < lengths[n], {value}, {before})" if "lengths" in chosen else value

    new = "where(same[n,u] > 0, -inf, before[n,t,u])"
    blank = "logsumexp(where(k == 0, blanks[n,t-1,u], before[n,t,u]), k=2)"
    label = f"logsumexp(where(k == 0, ends[n,t-1,u], where(k == 1, blanks[n,t-1,u], {new})), k=3)"
    return LayerForm(
        parts=(
            ("P", "log_softmax(x)"),
            ("R[n, t, c:classes]", "where(c < blank, P[n,t,c], P[n,t,c+1])"),
            (f"Q[n, t, u:{_PLACES}]", "R[n,t,labels[n,u]]"),
            ("hot", "onehot(labels)"),
            (f"same[n, u:{_PLACES}]", "sum(where(j == u - 1, hot[n,j,c] * hot[n,u,c], 0), j, c)"),
            (
                f"before[n, t, u:{_PLACES} + 1]",
                "where(u == 0, -inf, sum(where(j == u - 1, ends[n,t-1,j], 0), j))",
            ),
            (
                f"blanks[n, t, u:{_PLACES} + 1]",
                going_on(f"P[n,t,blank] + {blank}", "blanks[n,t-1,u]"),
            ),
            (f"ends[n, t, u:{_PLACES}]", going_on(f"Q[n,t,u] + {label}", "ends[n,t-1,u]")),
            ("blanks[n, -1, u]", "where(u == 0, 0, -inf)"),
            ("ends[n, -1, u]", "-inf"),
            ("B", "blanks[:, -1]"),
            ("E", "ends[:, -1]"),
            *_last(chosen),
            ("chance[n]", "logsumexp(where(k == 0, on_blank[n], on_label[n]), k=2)"),
        ),
        indices="[n]",
        formula="where(chance[n] < -1e30, 0, -chance[n])" if "zero_infinity" in chosen else "-chance[n]",
        demands=(
            _ONE_MORE,
            *_A_SCORE,
            _ROWS,
            *seen_demands("x", 1, {"lengths"} & {*chosen}),
            *((_COUNTED,) if "label_lengths" in chosen else ()),
        ),
        hiding=(
            *hidden_by("x", 1, {"lengths"} & {*chosen}),
            *((LayerHiding("label_lengths", _PLACES),) if "label_lengths" in chosen else ()),
        ),
    )


def _last(chosen: Collection[str]) -> Iterator[tuple[str, str]]:
    """The chances behind the last label of a row: of ways that end with a blank, and with that label."""
    if "label_lengths" not in chosen:
        yield "on_blank", "B[:, -1]"
        yield "on_label", "E[:, -1]"
        return

    def counted(place: str, chance: str) -> str:
        seen = f"where({place} - 1 < count[n], where(count[n] <= {place}, {chance}, -inf), -inf)"
        return f"logsumexp({seen}, u)"

    yield "count[n]", f"max(min(label_lengths[n], {_PLACES}), 0)"
    yield "on_blank[n]", counted("u", "B[n,u]")
    yield "on_label[n]", counted("(u + 1)", "E[n,u]")


def _checked(call: Call, values: Arguments) -> Arguments:
    """Nothing else, where what is infinite is 0 or is not.

    Raises:
        SpecError: zero_infinity is not true or false.
    """
    if not isinstance(values["zero_infinity"], Boolean):
        problem = f"{call.function}: zero_infinity: expected true or false"
        raise SpecError(
            problem, at=values["zero_infinity"].at, remedy="write zero_infinity=true, for example"
        )
    return {}


_OPTIONS = ("lengths", "label_lengths", "zero_infinity")
_PLAIN = _form(())

ALIGNMENTS = (
    Layer(
        "ctc(x, labels, lengths=false, label_lengths=false, blank=0, zero_infinity=false)",
        "connectionist temporal classification, Graves et al. 2006",
        "minus the log of the chance of a row's labels, [batch]; x are scores, [batch, steps, scores], of "
        "which a row has `lengths`, and of labels, [batch, places], `label_lengths`; labels do not count the "
        "blank, so there is a score more; infinite, with slope 0, where steps are too few, or 0; "
        "mean(L / max(label_lengths, 1)) is PyTorch's mean",
        takes=("batch", "steps", "scores"),
        operands=("x", "labels", "lengths", "label_lengths"),
        others_take=(("labels", ("batch", "places")), ("lengths", ("batch",)), ("label_lengths", ("batch",))),
        takes_labels="labels",
        unnamed=4,
        settings=_checked,
        parts=_PLAIN.parts,
        indices=_PLAIN.indices,
        formula=_PLAIN.formula,
        demands=_PLAIN.demands,
        forms=tuple(
            (all_given(chosen), _form(chosen))
            for number in range(len(_OPTIONS), 0, -1)
            for chosen in combinations(_OPTIONS, number)
        ),
        symbol="L",
    ),
)
