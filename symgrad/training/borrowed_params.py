"""First values of parameters from those of another network, equal in part or of another library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.errors import DataError, ModuleError, did_you_mean, how_to_install
from symgrad.runtime.array_archives import _digest, arrays_of, read_archive

if TYPE_CHECKING:
    import os
    from types import ModuleType

    from numpy.typing import DTypeLike, NDArray

ParamsSource: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any]"
TRANSPOSED = ".T"
"""Behind the name of a matrix: rows and columns change places, as in PyTorch's weights of linear layers."""


@dataclass(frozen=True)
class Borrowed:
    """Parameters to start from, and in words which of them were taken and which were not."""

    params: Any
    note: str


def check_source(
    source: ParamsSource, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike
) -> None:
    """Raise what `borrow` would for a module of these parameters, before there is one."""
    _found(source, names, shapes, dtype)


def borrow(
    source: ParamsSource,
    names: Mapping[str, str],
    module: ModuleType,
    seed: int,
) -> Borrowed:
    """The module's first values, those replaced that the source has by the same name in the same shape.

    The source is a checkpoint, a safetensors file, or arrays by name, such as a `state_dict` of PyTorch.
    `names` says what a parameter is called there: `{"W1": "encoder_W"}`, and `{"W1": "0.weight.T"}` where it
    is transposed.

    Raises:
        DataError: there is no such file or it is damaged, `names` names what is not there or does not
            fit, or nothing can be taken.
        ModuleError: the package safetensors is missing.
    """
    params = module.init_params(seed=seed)
    arrays, note = _found(source, names, module.SHAPES, module.DTYPE)
    for name, values in arrays.items():
        getattr(params, name)[...] = values
    return Borrowed(params, note)


def _found(
    source: ParamsSource, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike
) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a source that fit parameters of these shapes, and in words which do."""
    at, saved = _saved(source)
    _check_names(at, names, tuple(shapes), saved)
    arrays, taken, left = {}, [], []
    for name, shape in shapes.items():
        there = names.get(name, name)
        found = _called(there, saved)
        why = _misfit(found, shape, np.dtype(dtype))
        if why and name in names:
            raise DataError(
                f"'{there}' cannot be '{name}': {why}", at=at, remedy="name another, or leave it out"
            )
        if found is None or why:
            left.append(f"{name} ({why})")
        else:
            arrays[name] = found
            taken.append(name if there == name else f"{name} (its {there})")
    if not taken:
        problem = f"no parameter fits: {', '.join(left)}; it has {', '.join(saved) or 'none'}"
        remedy = "say which is which, with --rename W1=OTHER or names={'W1': 'OTHER'}"
        raise DataError(problem, at=at, remedy=remedy)
    asked = {names.get(name, name) for name in shapes}
    unused = [name for name in saved if not asked & {name, name + TRANSPOSED}]
    note = f"from {at}: {', '.join(taken)}"
    note += f"; from first values: {', '.join(left)}" if left else ""
    return arrays, note + (f"; not used: {', '.join(unused)}" if unused else "")


def _saved(source: ParamsSource) -> tuple[str, dict[str, NDArray[Any]]]:
    """What the source is called, and its arrays by name."""
    if isinstance(source, Mapping):
        return "the arrays given", {str(name): _array(values) for name, values in source.items()}
    at = str(source)
    try:
        if Path(source).suffix == ".safetensors":
            return at, read_safetensors(source)
        return at, arrays_of(read_archive(source), "params")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", at=at, remedy="name a checkpoint") from error
    except ValueError as error:
        raise DataError(str(error), at=at, remedy="name another checkpoint") from error


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays in a safetensors file.

    Raises OSError, ValueError for what is no such file or was damaged, and ModuleError where the package is
    missing.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ModuleNotFoundError:
        remedy = how_to_install("safetensors")
        raise ModuleError("safetensors is missing", at=str(path), remedy=remedy) from None
    try:
        content = Path(path).read_bytes()
        arrays: dict[str, NDArray[Any]] = load(content)
    except SafetensorError as error:
        raise ValueError(f"is no safetensors file that can be read: {error}") from None
    except (TypeError, ValueError, KeyError) as error:  # numbers that NumPy has not, such as bfloat16
        raise ValueError(f"holds numbers that cannot be read: {error}") from None
    said = _metadata(content)
    if "symgrad" in said and said.get("sha256", _digest(arrays)) != _digest(arrays):
        raise ValueError("it is damaged: its checksum is not that of its arrays")
    return arrays


def _metadata(content: bytes) -> dict[str, str]:
    """What the header of a safetensors file says besides its arrays; the file has been read before."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return found


def _array(values: Any) -> NDArray[Any]:
    """An array, or a tensor of PyTorch wherever that lies."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _called(name: str, saved: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    """The array of a name, turned where the name says so."""
    if name in saved or not name.endswith(TRANSPOSED):
        return saved.get(name)
    plain = saved.get(name.removesuffix(TRANSPOSED))
    return None if plain is None else plain.T


def _check_names(at: str, names: Mapping[str, str], own: tuple[str, ...], saved: Mapping[str, Any]) -> None:
    for name, source in names.items():
        there = source if source in saved else source.removesuffix(TRANSPOSED)
        for asked, known, where in ((name, own, "the module"), (there, tuple(saved), "the checkpoint")):
            if asked not in known:
                remedy = did_you_mean(asked, known) or f"expected one of {', '.join(known)}"
                raise DataError(f"{where} has no parameter '{asked}'", at=at, remedy=remedy)


def _misfit(found: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Why an array cannot be a parameter's; nothing where it can."""
    if found is None:
        return "not in it"
    if found.shape != shape:
        return f"of shape {list(shape)}, there {list(found.shape)}"
    with np.errstate(over="ignore"):
        is_good = found.dtype.kind == "f" and np.isfinite(found.astype(dtype)).all()
    return "" if is_good else f"it holds what is no number in {dtype}"
