"""The Python interface: read, derive, generate, load, build, verify, train."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.errors import ModuleError, SpecError
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.report.derivation import Derivation
    from symgrad.spec.model import Spec
    from symgrad.training.checkpoint import Checkpoint
    from symgrad.training.run import Run
    from symgrad.verifier.report import Report

__all__ = ["build", "derive", "generate", "load", "load_checkpoint", "read", "train", "verify"]


def derive(spec: Spec) -> Derivation:
    """The equations of a spec, its gradients and its update rules, as mathematics.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.report.derivation import derivation_of

    return derivation_of(spec)


def generate(spec: Spec, path: str | os.PathLike[str]) -> Path:
    """Write the training module of a spec to a file, replacing it whole or not at all.

    Raises:
        SpecError: the spec does not describe a network.
        ModuleError: the file cannot be written.
    """
    from symgrad.pipeline import module_text

    text, file = module_text(spec), Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(file, text)
    except OSError as error:
        raise ModuleError(
            f"cannot be written: {error.strerror}", at=str(file), remedy="name another file"
        ) from None
    return file


def _write_whole(file: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        mode = file.stat().st_mode if file.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path: str | os.PathLike[str]) -> ModuleType:
    """Load an emitted module from its file.

    Raises:
        ModuleError: it cannot be loaded or lacks one of the stable names.
    """
    from symgrad.compiler.load import load as load_module

    return load_module(path)


def build(spec: Spec) -> ModuleType:
    """Generate the module into the user's cache folder and load it.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.compiler.cache import cached_module
    from symgrad.pipeline import module_text

    return cached_module(spec, module_text(spec))


def verify(spec: Spec, module: ModuleType | None = None, *, points: int = 3, seed: int = 0) -> Report:
    """Judge a module against its spec; without one, the module symgrad generates.

    Raises:
        ModuleError: the module was made from another spec.
    """
    from symgrad.compiler.load import double_precision_twin
    from symgrad.spec.expand import expand
    from symgrad.verifier import verify as judge

    module = build(spec) if module is None else module
    return judge(expand(spec), module, twin=double_precision_twin(module), points=points, seed=seed)


def train(
    spec: Spec,
    module: ModuleType | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> Run:
    """Train the spec's network on its data, or on the file `data`; write what was learnt into `out`.

    Raises:
        DataError: the data does not fit the spec.
        DivergenceError: the loss stopped being a finite number.
    """
    from symgrad.training.train import train as run_training

    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    module = build(spec) if module is None else module
    return run_training(spec, module, data=data, out=out, epochs=epochs, seed=seed, progress=progress)


def load_checkpoint(path: str | os.PathLike[str], module: ModuleType) -> Checkpoint:
    """What training wrote: parameters, optimiser state and standardization, for a module of the same spec.

    Raises:
        DataError: the file is no checkpoint, or one of another spec.
    """
    from symgrad.training.checkpoint import load_checkpoint as load_saved

    return load_saved(path, module)
