"""The train block: from the schema to a `TrainSpec`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.language.syntax import Call, Node, Number
from symgrad.spec.model import (
    CheckpointSpec,
    DataSpec,
    MicroBatches,
    OptimizerSpec,
    StepsAtOnce,
    StopSpec,
    TrainSpec,
)
from symgrad.spec.other_names import HYPER_PARAMETERS
from symgrad.spec.reading.located import call_at, formula_at
from symgrad.spec.reading.schema import (
    DataBlock,
    MemoryBlock,
    OptimizerBlock,
    PointsBlock,
    SetsBlock,
    SpecBlock,
    TrainBlock,
)
from symgrad.spec.reading.training.batch_sizes import BatchSizes, batch_sizes, check_set, sets_of_points
from symgrad.spec.reading.training.finishing import finish_spec, refuse_as_optimizer
from symgrad.spec.reading.training.optimizer_block import own_optimizer
from symgrad.spec.reading.training.points_block import points_spec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from symgrad.spec.model import AxisSpec
    from symgrad.spec.reading.document import Document, Key


def train_spec(block: SpecBlock, document: Document) -> TrainSpec:
    """How the spec is to be trained.

    Raises:
        SpecError: for formulas outside the language and columns of unknown tensors.
    """
    train = block.train
    axes = {name: tensor.axes for name, tensor in (*block.inputs.items(), *block.targets.items())}
    sizes = batch_sizes(block, axes, document)
    train = train.model_copy(update={"batch_size": sizes.first})
    split = train.validation
    if isinstance(split, DataBlock | PointsBlock | SetsBlock):
        validation: float | DataSpec | None = _data(split, axes, document, ("train", "validation"))
    else:
        validation = split
    return TrainSpec(
        data=_data(train.data, axes, document, ("train", "data")) if train.data else None,
        validation=validation,
        standardize=train.standardize,
        optimizer=_optimizer(train, sizes, document),
        schedule=_schedule(train.schedule, document),
        batch_size=sizes.first,
        shuffle=train.shuffle,
        epochs=train.epochs,
        stop=StopSpec(**vars(train.stop)),
        clip_norm=train.clip_norm,
        seed=train.seed,
        clip_value=train.clip_value,
        micro_batches=_micro_batches(train, document),
        steps_at_once=_steps_at_once(train, document),
        missing=train.missing,
        categorical=tuple(train.categorical),
        unseen=train.unseen,
        checkpoint=CheckpointSpec(train.checkpoint.epochs, train.checkpoint.minutes, train.checkpoint.keep),
        monitor=train.monitor,
        metrics=tuple(train.metrics),
        freeze=tuple(train.freeze),
        average=train.average,
        per_parameter=tuple(_per_parameter(train, document)),
        finish=finish_spec(train, document),
        set_batches=sizes.others,
        shard=train.shard,
    )


def _data(
    block: DataBlock | PointsBlock | SetsBlock,
    axes: Mapping[str, Sequence[AxisSpec]],
    document: Document,
    key: Key,
) -> DataSpec:
    if not isinstance(block, SetsBlock):
        return _one_set(block, tuple(axes), document, key)
    sets = sets_of_points(axes)
    for name, own in block.sets.items():
        check_set(name, sets, document.place((*key, "sets", name)).key)
        if isinstance(own, DataBlock) and own.window is not None:
            at = document.place((*key, "sets", name, "window")).key
            remedy = "give windows as rows, in an NPZ file"
            raise SpecError("data of several sets are not cut into windows", at=at, remedy=remedy)
    missing = [name for name in sets if name not in block.sets]
    if missing:
        problem, at = f"no data for the points of '{missing[0]}'", document.place((*key, "sets")).key
        raise SpecError(problem, at=at, remedy=f"add {missing[0]}: {missing[0]}.csv, for example")
    files = tuple(
        (n, _one_set(block.sets[n], tuple(t), document, (*key, "sets", n))) for n, t in sets.items()
    )
    return DataSpec("", (), document.place(key).value, sets=files)


def _one_set(
    block: DataBlock | PointsBlock, tensors: tuple[str, ...], document: Document, key: Key
) -> DataSpec:
    if isinstance(block, PointsBlock):
        return DataSpec("", (), document.place(key).value, points=points_spec(block, tensors, document, key))
    return _file(block, tensors, document, key)


def _file(block: DataBlock, tensors: tuple[str, ...], document: Document, key: Key) -> DataSpec:
    for name in block.columns:
        if name not in tensors:
            at = document.place((*key, "columns", name)).key
            remedy = did_you_mean(name, tensors) or f"expected {' or '.join(tensors)}"
            raise SpecError(f"columns for '{name}', which is no input or target", at=at, remedy=remedy)
    columns = tuple((name, tuple(columns)) for name, columns in block.columns.items())
    for name, said, rows in (
        ("step", "a step from window to window", "bytes"),
        ("ahead", "rows ahead", "rows"),
    ):
        if getattr(block, name) is not None and block.window is None:
            at, remedy = document.place((*key, name)).key, f"say how many {rows} a window has too: window: 32"
            raise SpecError(f"{said}, and no window", at=at, remedy=remedy)
    at = document.place(key).value
    dialect = block.header, block.delimiter, block.decimal
    return DataSpec(block.path, columns, at, *dialect, block.window, block.step, block.ahead)


def _schedule(text: str | None, document: Document) -> Node | None:
    return None if text is None else formula_at(document, ("train", "schedule"), text)


def _micro_batches(train: TrainBlock, document: Document) -> MicroBatches | None:
    size, whole = train.micro_batch_size, train.batch_size
    if size is None or isinstance(whole, dict):  # that of the first set stands there
        return None
    at = document.place(("train", "micro_batch_size")).value
    if whole != "full" and size > whole:
        remedy = f"a batch is divided into micro-batches: expected at most {whole}"
        raise SpecError(f"a micro-batch of {size} rows in a batch of {whole}", at=at, remedy=remedy)
    return MicroBatches(size, at)


def _steps_at_once(train: TrainBlock, document: Document) -> StepsAtOnce | None:
    if train.steps_at_once is None:
        return None
    asked, at = train.steps_at_once, document.place(("train", "steps_at_once")).value
    if isinstance(asked, MemoryBlock):
        return StepsAtOnce(None, asked.megabytes, at)
    return StepsAtOnce(None if asked == "auto" else asked, None, at)


def _optimizer(train: TrainBlock, sizes: BatchSizes, document: Document) -> Call | OptimizerSpec:
    key: Key = ("train", "optimizer")
    if isinstance(train.optimizer, OptimizerBlock):
        own = own_optimizer(train.optimizer, document, key)
        _check_batches("this optimiser", own.full_batch, sizes, document)
        return own
    if key not in document.places:
        return Call("sgd", (), (), document.place(key).value)
    call = call_at(document, key, train.optimizer, "an optimiser", "adam(learning_rate=0.001)")
    refuse_as_optimizer(call)
    entry = library.optimizers.get(call.function)
    if entry is None:
        return call
    _check_batches(entry.name, entry.full_batch, sizes, document)
    names = dict(entry.signature.defaults)
    keywords = tuple((_canonical(keyword, names), value) for keyword, value in call.keywords)
    return replace(call, keywords=keywords)


def _per_parameter(
    train: TrainBlock, document: Document
) -> Iterator[tuple[str, tuple[tuple[str, Number], ...]]]:
    """Numbers of the optimiser for some parameters, with the optimiser's own words."""
    known = _hyper_parameters(train)
    for pattern, settings in train.per_parameter.items():
        places = [document.place(("train", "per_parameter", pattern, name)).value for name in settings]
        numbers = (Number(Fraction(repr(n)), at) for n, at in zip(settings.values(), places, strict=True))
        names = (_canonical(name, known) for name in settings)
        yield pattern, tuple(zip(names, numbers, strict=True))


def _hyper_parameters(train: TrainBlock) -> Collection[str]:
    """The optimiser's own words, none where there is no such optimiser."""
    if isinstance(train.optimizer, OptimizerBlock):
        return train.optimizer.hyper
    entry = library.optimizers.get(train.optimizer.partition("(")[0].strip())
    return () if entry is None else dict(entry.signature.defaults)


def _canonical(keyword: str, names: Collection[str]) -> str:
    """The optimiser's own word for a hyper-parameter."""
    alias = HYPER_PARAMETERS.get(keyword, keyword)
    return alias if keyword not in names and alias in names else keyword


def _check_batches(optimizer: str, reason: str, sizes: BatchSizes, document: Document) -> None:
    """Refuse mini-batches, the default too, where every step needs all rows."""
    smallest = next((size for size in (sizes.first, *dict(sizes.others).values()) if size != "full"), None)
    if reason and smallest is not None:
        given: Key = ("train", "batch_size")
        key = given if given in document.places else ("train", "optimizer")
        batches = f"mini-batches of {smallest}{'' if key == given else ', the default'}"
        problem = f"{optimizer} cannot learn from {batches}: {reason}"
        raise SpecError(problem, at=document.place(key).value, remedy="write batch_size: full")
