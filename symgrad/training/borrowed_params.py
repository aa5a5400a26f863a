"""First values of parameters from a checkpoint of a network that is equal in part, for fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, did_you_mean
from symgrad.runtime.array_archives import arrays_of, read_archive

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import ModuleType

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Borrowed:
    """Parameters to start from, and in words which of them were taken and which were not."""

    params: Any
    note: str


def borrow(path: str | os.PathLike[str], names: Mapping[str, str], module: ModuleType, seed: int) -> Borrowed:
    """The module's first values, those replaced that a checkpoint has by the same name in the same shape.

    `names` says which parameter of the checkpoint another one of the module is: `{"W1": "encoder_W"}`.

    Raises:
        DataError: there is no such checkpoint or it is damaged, `names` names what is not there or does not
            fit, or nothing can be taken.
    """
    at = str(path)
    try:
        saved = arrays_of(read_archive(path), "params")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", at=at, remedy="name a checkpoint") from error
    except ValueError as error:
        raise DataError(str(error), at=at, remedy="name another checkpoint") from error
    params = module.init_params(seed=seed)
    _check_names(at, names, params._fields, saved)
    taken, left = [], []
    for name, values in params._asdict().items():
        source = names.get(name, name)
        why = _misfit(saved.get(source), values)
        if why and name in names:
            raise DataError(
                f"'{source}' cannot be '{name}': {why}", at=at, remedy="leave it out of the names"
            )
        if why:
            left.append(f"{name} ({why})")
        else:
            values[...] = saved[source]
            taken.append(name if source == name else f"{name} (its {source})")
    if not taken:
        problem = f"no parameter fits: {', '.join(left)}"
        raise DataError(problem, at=at, remedy="say with names which parameter is which")
    unused = [name for name in saved if name not in {names.get(n, n) for n in params._fields}]
    note = f"from {at}: {', '.join(taken)}"
    note += f"; from first values: {', '.join(left)}" if left else ""
    return Borrowed(params, note + (f"; not used: {', '.join(unused)}" if unused else ""))


def _check_names(at: str, names: Mapping[str, str], own: tuple[str, ...], saved: Mapping[str, Any]) -> None:
    for name, source in names.items():
        for asked, known, where in ((name, own, "the module"), (source, tuple(saved), "the checkpoint")):
            if asked not in known:
                remedy = did_you_mean(asked, known) or f"expected one of {', '.join(known)}"
                raise DataError(f"{where} has no parameter '{asked}'", at=at, remedy=remedy)


def _misfit(found: NDArray[Any] | None, values: NDArray[Any]) -> str:
    """Why an array cannot be taken for another; nothing where it can."""
    if found is None:
        return "not in it"
    if found.shape != values.shape:
        return f"of shape {list(values.shape)}, there {list(found.shape)}"
    with np.errstate(over="ignore"):
        is_good = found.dtype.kind == "f" and np.isfinite(found.astype(values.dtype)).all()
    return "" if is_good else f"it holds what is no number in {values.dtype}"
