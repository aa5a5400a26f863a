"""Safetensors: parameters by the names of the spec, with what was learnt of the data in the metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save

from symgrad.runtime.array_archives import _digest
from symgrad.version import VERSION

if TYPE_CHECKING:
    from symgrad.exchange.learnt import Learnt
    from symgrad.pipeline import Stages


def content(stages: Stages, learnt: Learnt) -> tuple[bytes, None]:
    """The content of a safetensors file, with `spec`, `spec_sha256`, `symgrad` and `preparation`, JSON.

    `sha256` is of the arrays: of names, types, shapes and contents, as in a checkpoint.
    """
    spec = stages.model.spec
    metadata = {
        "spec": spec.name,
        "spec_sha256": spec.sha256,
        "symgrad": VERSION,
        "preparation": json.dumps(learnt.preparation.to_json()),
    }
    arrays = {name: np.array(array, spec.dtype, order="C") for name, array in learnt.params.items()}
    return save(arrays, metadata | {"sha256": _digest(arrays)}), None
