"""`save` and `load`: what is written comes back, and is used on data as they stand; nothing else is taken."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, refusal, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.verifier.interpretation.array_library import Array

_EPOCH = 7
_OPEN = Path("/proc/self/fd")
"""Where a system lists the files that a process has open."""
_RIGHTS = 0o640
_WHERE = {"binary": 0.5, "sign": 0.0}
"""From which prediction on a decision is the second of both."""


def checkpoints(bench: Bench) -> Iterator[str]:
    """What `save` writes `load` gives back, its `predict` and `labels` say what the module does."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.npz"
        yield from _comes_back(bench, file)
        yield from _predicts(bench, file)
        yield from _refused(bench, file)
        yield from _of_another_optimizer(bench, file)
        yield from _lasts(bench, file)


def _lasts(bench: Bench, file: Path) -> Iterator[str]:
    """Once `save` returns, all is on the disk and closed, with the rights that files there have."""
    module, params, synced = bench.module, bench.params(), list[tuple[int, int]]()
    if not _OPEN.is_dir():
        return
    file.unlink(missing_ok=True)
    module.save(file, params)
    os.umask(mask := os.umask(0))
    if file.stat().st_mode & 0o777 != 0o666 & ~mask:
        yield "save gives a new file other rights than new files have"
    file.chmod(_RIGHTS)
    before, sync = len([*_OPEN.iterdir()]), os.fsync

    def fsync(handle: Any) -> None:
        found = os.fstat(handle)
        synced.append((found.st_ino, found.st_size))
        sync(handle)

    with _changed(os, "fsync", fsync):
        module.save(file, params)
        module.load(file)
    if len([*_OPEN.iterdir()]) != before:
        yield "save and load leave files open"
    if (file.stat().st_ino, file.stat().st_size) not in synced:
        yield "save returns before all of the file is on the disk"
    if file.parent.stat().st_ino not in [number for number, _ in synced]:
        yield "save returns before the folder is on the disk"
    if file.stat().st_mode & 0o777 != _RIGHTS:
        yield "save gives a file other rights than it had"


def _comes_back(bench: Bench, file: Path) -> Iterator[str]:
    module, params, state = bench.module, bench.params(), bench.state()
    state.step[0] = 5
    for number, array in enumerate(state[1:]):
        array[:] = np.linspace(number, number + 1, array.size)
    module.save(file, params, state, epoch=_EPOCH, preparation={"a": [0.1]}, mine=np.arange(2))
    found = module.load(file)
    if not same((found.params, found.state), (params, state)):
        yield "load gives other parameters or another state than was saved"
    if found.epoch != _EPOCH or found.preparation != {"a": [0.1]}:
        yield f"load gives the epoch {found.epoch} and {found.preparation}, not what was saved"
    if found.more.keys() != {"mine"} or not same(found.more["mine"], np.arange(2)):
        yield f"load gives {', '.join(found.more) or 'nothing'} beside what is its own, not what was saved"
    if params and not np.shares_memory(module.flatten(found.params), found.params[0]):
        yield "load gives parameters that cannot be trained"
    with np.load(file, allow_pickle=False) as archive:
        named = {f"params.{b.name}": p for b, p in zip(bench.case.blocks, params, strict=True)}
        wrong = [key for key, array in named.items() if key not in archive or not same(archive[key], array)]
        if wrong or "mine" not in archive or str(archive["network_sha256"]) != bench.case.network:
            yield f"save writes something else under {', '.join([*wrong, 'network_sha256 or mine'])}"
    module.save(file, params)
    if module.load(file).state is not None or module.load(file).epoch != 0:
        yield "load gives a state, or an epoch but 0, where none was saved"


def _of_another_optimizer(bench: Bench, file: Path) -> Iterator[str]:
    """States that are not this optimiser's are not taken; the parameters beside them are."""
    module, params, state = bench.module, bench.params(), bench.state()
    module.save(file, params, state)
    with np.load(file, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files if key != "sha256"}
    key = f"state.{state._fields[-1]}"
    others = {
        "a state more": arrays | {f"state.{_unused(state._fields)}": np.zeros(1)},
        "a state too few": {name: array for name, array in arrays.items() if name != key},
        "a state of another shape": arrays | {key: np.zeros((2, *arrays[key].shape))},
    }
    for what, given in others.items():
        np.savez(file, **_signed(given))
        try:
            found = module.load(file)
        except ValueError as error:
            yield f"load of a checkpoint with {what} is refused: {error}"
            continue
        if found.state is not None or not same(found.params, params):
            yield f"load of a checkpoint with {what} does not give its parameters alone"


def _predicts(bench: Bench, file: Path) -> Iterator[str]:
    module, case = bench.module, bench.case
    inputs = bench.data()[: len(case.inputs)]
    learnt, prepared = _learnt(bench, inputs)
    module.save(file, bench.params(), preparation=learnt)
    found, expected = module.load(file), module.predict(bench.params(), *prepared)
    if not same(found.predict(*inputs), expected):
        yield "a checkpoint's predict standardises inputs otherwise"
    if case.task not in ("classes", *_WHERE):
        wrong = refusal(ValueError, "labels:", found.labels, *inputs)
        if wrong:
            yield f"a checkpoint's labels, of a network that predicts numbers, {wrong}"
        return
    numbers = expected.argmax(-1) if case.task == "classes" else (expected > _WHERE[case.task]).astype(int)
    if case.task != "classes" and numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]  # one label for each row
    if not np.array_equal(found.labels(*inputs), 2 * numbers - 1 if case.task == "sign" else numbers):
        yield "a checkpoint's labels are not the classes that are predicted"
    names = [f"class {n}" for n in range(expected.shape[-1] if case.task == "classes" else 2)]
    module.save(
        file,
        bench.params(),
        preparation=learnt | {"targets": {t.name: {"classes": names} for t in case.targets}},
    )
    if module.load(file).labels(*inputs).tolist() != np.array(names)[numbers].tolist():
        yield "a checkpoint's labels do not have the names of the classes"


def _learnt(bench: Bench, inputs: list[Array]) -> tuple[dict[str, Any], list[Array]]:
    """What might have been learnt about the data, and the inputs prepared by it."""
    learnt: dict[str, Any] = {"inputs": {}}
    prepared = list(inputs)
    for place, (tensor, array) in enumerate(zip(bench.case.inputs, inputs, strict=True)):
        if tensor.classes is None and array.ndim:
            shape = array.shape[1:]
            mean = np.linspace(-0.25, 0.5, int(np.prod(shape))).reshape(shape)
            deviation = 1 + np.abs(mean)
            learnt["inputs"][tensor.name] = {"mean": mean.tolist(), "deviation": deviation.tolist()}
            prepared[place] = ((array.astype(np.float64) - mean) / deviation).astype(bench.dtype)
    return learnt, prepared


def _refused(bench: Bench, file: Path) -> Iterator[str]:
    """A damaged file, and a checkpoint of other equations or other shapes."""
    module, params = bench.module, bench.params()
    load = partial(module.load, file)
    with _changed(module, "NETWORK_SHA256", "0" * 64):
        module.save(file, params)
    if wrong := refusal(ValueError, f"{file}: ", load):
        yield f"load: a checkpoint of another network {wrong}"
    if params:
        module.save(file, params)
        shapes = {**module.SHAPES, bench.case.blocks[0].name: (1, *bench.case.blocks[0].shape)}
        with _changed(module, "SHAPES", shapes):
            if wrong := refusal(ValueError, f"{file}: ", load):
                yield f"load: a checkpoint of other shapes {wrong}"
    yield from _not_saved(bench, file)
    for what, arrays, words in _damaged(bench, file):
        np.savez(file, **arrays)
        if wrong := refusal(ValueError, f"{file}: {words}", load):
            yield f"load: a checkpoint {what} {wrong}"
    if _UNPICKLED:
        _UNPICKLED.clear()
        yield "load runs what is pickled in a file"
    module.save(file, params)
    file.write_bytes(file.read_bytes()[:-20])
    if wrong := refusal(ValueError, f"{file}: ", load):
        yield f"load: a checkpoint that was cut {wrong}"


def _not_saved(bench: Bench, file: Path) -> Iterator[str]:
    """What is no set of parameters, has a key with a meaning, or cannot be put in place is not written."""
    module, params = bench.module, bench.params()
    taken = file.with_name("taken") / file.name
    taken.mkdir(parents=True)
    if wrong := refusal(OSError, "", module.save, taken, params):
        yield f"save where a folder has this name {wrong}"
    if [*taken.parent.iterdir()] != [taken]:
        yield "save that cannot put a file in its place leaves a part of it"
    for key in ("params.mine", "sha256"):
        if wrong := refusal(ValueError, f"{key}: ", module.save, file, params, **{key: np.zeros(1)}):
            yield f"save under the key {key} {wrong}"
    if wrong := refusal(TypeError, "params: ", module.save, file, None):
        yield f"save of no parameters {wrong}"
    if params and (wrong := refusal((TypeError, ValueError), "", module.save, file, params[:-1])):
        yield f"save of a parameter too few {wrong}"


def _damaged(bench: Bench, file: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Checkpoints that must not be taken: what they are, their arrays, and how the refusal begins."""
    bench.module.save(file, bench.params(), mine=np.arange(4))
    with np.load(file, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    other = "whose checksum is another one's"
    yield other, arrays | {"epoch": arrays["epoch"] + 1}, ""
    yield other, arrays | {"mine": arrays["mine"].reshape(2, 2)}, ""
    yield "with something pickled in it", arrays | {"mine": np.array([_Pickled()], object)}, ""
    arrays.pop("sha256")
    yield "without its epoch", _signed({k: a for k, a in arrays.items() if k != "epoch"}), "it is no check"
    another = f"params.{_unused([b.name for b in bench.case.blocks])}"
    yield "with a parameter more", _signed(arrays | {another: np.zeros(1)}), "a checkpoint of another"
    version = {"format_version": arrays["format_version"] + 1}
    yield "of another format", _signed(arrays | version), "a checkpoint of format"
    for fact in ("format_version", "epoch"):
        yield f"with two numbers as its {fact}", _signed(arrays | {fact: np.repeat(arrays[fact], 2)}), ""
    for block in bench.case.blocks[:1]:
        key = f"params.{block.name}"
        whole = arrays[key].astype(np.int64)
        yield "with whole numbers", _signed(arrays | {key: whole}), key
        far = arrays[key].copy()
        far.flat[0] = np.nan
        yield "with a number that is not finite", _signed(arrays | {key: far}), key


def _unused(names: Sequence[str]) -> str:
    """A name that is none of these."""
    return "_".join(["more", *names])


def _signed(arrays: dict[str, Any]) -> dict[str, Any]:
    """Arrays with the checksum that is theirs."""
    found = sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return arrays | {"sha256": np.array(found.hexdigest())}


_UNPICKLED: list[None] = []


class _Pickled:
    """Leaves a trace where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _leave_trace, ()


def _leave_trace() -> None:
    _UNPICKLED.append(None)


@contextmanager
def _changed(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
