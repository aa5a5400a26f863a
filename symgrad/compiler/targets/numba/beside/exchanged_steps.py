"""What ranks compile that share batches whose rows know of each other: a step of own rows, in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Give,
    Instruction,
    Literal,
    Verbatim,
    When,
)
from symgrad.compiler.kernels.statements import KEY
from symgrad.compiler.targets.numba.lowered_model import WHOLE_ROWS
from symgrad.compiler.targets.numba.network import VALUE, driver
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import as_tuple, listed
from symgrad.compiler.targets.numba.spelling import CALLERS, NUMBA
from symgrad.compiler.targets.numba.steps import GATHERED, gathering, is_finite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.compiler.targets.numba.lowered_model import LoweredShares
    from symgrad.compiler.targets.numba.signatures import Signatures
    from symgrad.passes.dividing.exchanges import RankExchange


def shares_of_step(calls: Signatures, shares: LoweredShares) -> Iterator[Definition | Driver]:
    """What a rank does of a step whose batch several share, share by share, and what ranks tell each other
    behind each.
    """
    views, loss = shares.drivers.views, shares.drivers.program.loss or ""
    doc = ("How many numbers the workspace holds where ranks share a step.",)
    yield Definition(
        "_share_work_size", listed(calls.extents), doc, (f"return {NUMBA.text(views.work_size)}",)
    )
    names, last = shares.planned.compiled, len(shares.planned.compiled)
    arguments = listed(["theta", "grad", calls.loss, WHOLE_ROWS.name])
    parts = zip(names, shares.bodies, shares.planned.shares, strict=True)
    for number, (name, body, share) in enumerate(parts, 1):
        given = Verbatim(f"{NUMBA.text(views.view(loss))}[0]") if number == last else Literal(0.0)
        told = ", ".join(exchange.tensor for exchange in share.exchanges)
        end = "gives their part of the loss" if number == last else f"ranks then tell each other {told}"
        doc_of_part = f"Part {number} of {last} of a step, on `batch` of the `whole` batch's rows; {end}."
        yield from driver(name, arguments, doc_of_part, body, after=(Give((given,)),))
    yield _share_of_step(calls, names)
    yield _told_sums(calls, shares)


def _share_of_step(calls: Signatures, names: tuple[str, ...]) -> Driver:
    """All parts, with the rows of this rank gathered before the first."""
    call = f"theta, grad, {calls.gathered_piece}, {WHOLE_ROWS.name}"
    gather: tuple[Instruction, ...] = (
        Assign(GATHERED, Literal(0.0)),
        *(Add(GATHERED, found) for found in gathering(calls)),
        Assign(VALUE, GATHERED),
        When(is_finite(GATHERED), (Assign(VALUE, Applied(names[0], (Verbatim(call),))),)),
    )
    body: tuple[Instruction, ...] = (
        *([Assign(KEY, Verbatim("(step[1], step[0], before)"))] if calls.draws else []),
        Assign(VALUE, Literal(0.0)),
        When(Verbatim("part == 1"), gather),
        *(
            When(Verbatim(f"part == {number}"), (Assign(VALUE, Applied(name, (Verbatim(call),))),))
            for number, name in enumerate(names[1:], 2)
        ),
        Give((Applied("float", (VALUE,)),)),
    )
    doc = "A part of a step of some rows, with so many `before` them: the last one gives the loss of these."
    given = ["theta, grad, step, before", calls.data, "order, start", calls.batch_axis, "rows", "work"]
    own = listed([*given, *calls.other_extents, WHOLE_ROWS.name, "part"])
    return Driver("_share_of_step", own, doc, body)


def _told_sums(calls: Signatures, shares: LoweredShares) -> Definition:
    """Where what ranks tell each other lies behind each part but the last."""
    doc = (
        "What ranks tell each other behind each part of a step but the last: how the whole is made of what",
        "they have, and where that lies.",
    )
    lines = []
    for number, share in enumerate(shares.planned.shares[:-1], 1):
        found = (f"    {_told(shares, exchange)},  # {exchange.tensor}" for exchange in share.exchanges)
        lines += [f"(  # behind part {number}", *found, "),"]
    arguments = listed(["grad", "work", calls.batch_axis, *calls.other_extents])
    return Definition("_told_sums", arguments, doc, ("return (", *(f"    {line}" for line in lines), ")"))


def _told(shares: LoweredShares, exchange: RankExchange) -> str:
    view = CALLERS.text(shares.drivers.views.view(exchange.tensor))
    return as_tuple((f'"{exchange.reduction}"', view))
