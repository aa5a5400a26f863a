"""Safetensors: parameters by the names of the spec, with what was learnt of the data in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from symgrad.errors import DataError
from symgrad.exchange.learnt import Learnt
from symgrad.training.dataset.preparation import Preparation
from symgrad.version import VERSION

if TYPE_CHECKING:
    import os

    from symgrad.pipeline import Stages


def content(stages: Stages, learnt: Learnt) -> tuple[bytes, None]:
    """The content of a safetensors file, with `spec`, `spec_sha256`, `symgrad` and `preparation`, JSON."""
    spec = stages.model.spec
    metadata = {
        "spec": spec.name,
        "spec_sha256": spec.sha256,
        "symgrad": VERSION,
        "preparation": json.dumps(learnt.preparation.to_json()),
    }
    arrays = {name: np.array(array, spec.dtype, order="C") for name, array in learnt.params.items()}
    return save(arrays, metadata), None


def read_safetensors(path: str | os.PathLike[str]) -> Learnt:
    """What a safetensors file holds: arrays by name, and the preparation where symgrad wrote it.

    Raises:
        DataError: there is no such file, or it is none of these.
    """
    at = str(path)
    try:
        with safe_open(Path(path), framework="numpy") as file:
            arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # no dict
            found: dict[str, Any] = json.loads((file.metadata() or {}).get("preparation", "{}"))
        return Learnt(arrays, Preparation.from_json({"inputs": {}, "targets": {}, **found}))
    except FileNotFoundError as missing:
        raise DataError("there is no such file", at=at) from missing
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as problem:
        raise DataError(f"is no safetensors file that can be read: {problem}", at=at) from problem
