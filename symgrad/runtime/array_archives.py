"""Archives of arrays (NPZ) with a checksum, never pickled."""

import io
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.runtime.whole_files import replace_file


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """The SHA-256 of arrays: of their names, types, shapes and contents."""
    found = sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def write_archive(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays and, under the key `sha256`, their checksum. Raises OSError."""
    content, named = io.BytesIO(), dict[str, Any](arrays, sha256=np.array(_digest(arrays)))
    np.savez(content, **named)
    replace_file(Path(path), content.getbuffer())


def read_archive(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays, as they were written. Raises OSError, and ValueError for any other file."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # whatever reading a damaged file may raise
            raise ValueError(f"it is damaged, or no checkpoint: {error}") from None
    if str(arrays.pop("sha256", "")) != _digest(arrays):
        raise ValueError("it is damaged: its checksum is not that of its arrays")
    return arrays


def arrays_of(arrays: dict[str, np.ndarray], group: str) -> dict[str, np.ndarray]:
    """The arrays whose keys begin with `group.`, by the rest of their keys."""
    return {
        key.removeprefix(f"{group}."): array for key, array in arrays.items() if key.startswith(f"{group}.")
    }


def _difference(found: dict[str, np.ndarray], wanted: dict[str, tuple[int, ...]]) -> str:
    """In which names and shapes the arrays of a checkpoint are not those wanted; empty where they are."""
    differences = [f"{name} is missing in it" for name in wanted if name not in found]
    differences += [f"{name} is not in the module" for name in found if name not in wanted]
    differences += [
        f"{name} has the shape {list(found[name].shape)} in it, {list(shape)} in the module"
        for name, shape in wanted.items()
        if name in found and found[name].shape != shape
    ]
    return ", ".join(differences)
