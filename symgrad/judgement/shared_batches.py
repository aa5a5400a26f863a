"""Whether ranks can share the batches of a spec, asked before anything is judged or compiled for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.loading.cache import cached_module, kept_text
from symgrad.compiler.loading.load import load
from symgrad.judgement.gate import checked_text, emitted
from symgrad.training.preparing import check_module, check_shared, unshared

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.spec.model import Spec


def demand_shared(spec: Spec, file: Path | None = None) -> None:
    """Refuse a spec with a loss where ranks cannot share the rows of a batch.

    The module says so itself where its `file` is given, or one is kept.

    Raises:
        SpecError: they cannot, or the spec does not describe a network.
        ModuleError: the module in the file is not this spec's, or an older one.
    """
    if spec.loss is None:
        return
    if file is not None:
        module = load(file)
        check_module(module, spec)
        check_shared(module, spec)
    elif kept_text(spec) is not None:
        check_shared(cached_module(spec, checked_text), spec)
    elif (coupling := emitted(spec).coupling) is not None:
        raise unshared(spec, str(coupling), coupling.equation)
