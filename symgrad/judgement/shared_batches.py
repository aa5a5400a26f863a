"""Whether ranks can share the batches of a spec, asked before anything is judged or compiled for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.loading.cache import cached_module, kept_text
from symgrad.judgement.gate import checked_text, emitted
from symgrad.training.preparing import check_shared, unshared

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


def demand_shared(spec: Spec) -> None:
    """Refuse a spec with a loss, whose module is not given, where ranks cannot share the rows of a batch.

    A module that is kept says so itself.

    Raises:
        SpecError: they cannot, or the spec does not describe a network.
    """
    if spec.loss is None:
        return
    if kept_text(spec) is not None:
        check_shared(cached_module(spec, checked_text), spec)
    elif (coupling := emitted(spec).coupling) is not None:
        raise unshared(spec, str(coupling), coupling.equation)
