"""The case of a model: data and parameters at which the behaviours of its module can be told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.spec.intervals import interval
from symgrad.spec.language.trees import names_in
from symgrad.spec.reads import draws, predicted_from, writes_on
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.hyper_values import own_hyper
from symgrad.verifier.sampling.samples import Sample, draw
from symgrad.verifier.sampling.spec_fans import scale_of
from symgrad.verifier.trials.behaviour_case import (
    BehaviourCase,
    DataTensor,
    DrawnHyper,
    DrawnParameter,
    Fit,
)
from symgrad.verifier.trials.subject import FaultError, Subject
from symgrad.verifier.trials.trial import calmed, is_calm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.spec.model import HyperParameter, Model, NetworkFunction, TensorSpec
    from symgrad.verifier.interpretation.array_library import Array

ROWS = 7
_EPOCHS = 3
_SMALLER = 0.75
_SEEDS = (0, 4)


def case_of(model: Model, subject: Subject, seed: int, rows: int = ROWS) -> BehaviourCase:
    """The case of a model, for a module whose number type is the subject's, with at least 7 rows."""
    spec, axis = model.spec, model.batch_axis
    sample = draw(model, "", seed, batch=rows if axis else None)
    sample, calm = _calmed(model, subject, sample)
    train, found = spec.train, interpret(model, sample.arrays, DOUBLE)
    blocks = _blocks(model, subject)
    return BehaviourCase(
        name=spec.name,
        network=network_sha256(model),
        dtype=spec.dtype,
        inputs=_tensors(model, spec.inputs, sample.inputs),
        targets=_tensors(model, spec.targets, sample.targets),
        blocks=blocks,
        states=tuple(name for name, _ in model.optimizer.state),
        batch=axis,
        task=model.task,
        vector=subject.vector(sample.parameters),
        has_loss=model.loss is not None,
        looks_ahead=model.optimizer.look_ahead is not None,
        gradients=tuple(spec.gradients),
        full_batch=bool(model.optimizer.full_batch),
        plans_epochs="epochs" in names_in(model.schedule),
        work=found.work,
        piece=train.micro_batches.rows if train.micro_batches else None,
        fit=Fit(train.epochs, train.batch_size if axis else "full", train.seed, train.shuffle),
        hyper=tuple(_hyper(hyper, own_hyper(model)) for hyper in model.hyper),
        no_hyper=("nothing", *_left_out(model)),
        is_calm=calm,
        frozen=model.frozen,
        further=tuple((asked.function, asked.kind) for asked in spec.derive),
        writes_on=writes_on(model),
        goes_on=bool(model.carried),
        seed=(train.seed,) if draws(model) else (),
        predicted=("prediction",) if model.prediction is not None else model.outputs,
        networks=tuple(
            (n.function, _taken(model, n, {**found.tensors, **sample.arrays})) for n in model.networks
        ),
        one_by_one=_ends_of_shapes(blocks),
        spare=tuple(t.name for t in spec.inputs if t.name not in predicted_from(model)),
    )


def _ends_of_shapes(blocks: Sequence[DrawnParameter]) -> tuple[int, ...]:
    """The places of the first and the last of each shape: what symgrad emits treats all of them alike."""
    places = [*enumerate(blocks)]
    first, last = ({block.shape: n for n, block in some} for some in (reversed(places), places))
    return tuple(sorted({*first.values(), *last.values()}))


def _calmed(model: Model, subject: Subject, sample: Sample) -> tuple[Sample, bool]:
    """The sample, nearer to 0 if need be, and whether training is calm from there and from first values."""
    if model.loss is None or not model.parameters:
        return sample, True
    batches = list(_batches(model, sample))
    try:
        nearer = calmed(subject, sample, batches)
        if nearer is None:
            return sample, False
        sample = nearer
        starts = [subject.blocks(subject.call("init_params", seed), "init_params") for seed in _SEEDS]
        return sample, all(is_calm(subject, subject.vector(start), batches) for start in starts)
    except FaultError:
        return sample, True  # the behaviours will say what is wrong


def _batches(model: Model, sample: Sample) -> Iterator[list[Array]]:
    """What the epochs that are tried step through."""
    axis, tensors = model.batch_axis, (*model.spec.inputs, *model.spec.targets)
    sizes = (ROWS,) if not axis or model.optimizer.full_batch else (1, 3)
    for size in sizes:
        for start in [*range(0, ROWS, size)] * _EPOCHS:
            rows = slice(start, start + size)
            pairs = zip(tensors, sample.data, strict=True)
            yield [a[rows] if t.axes[:1] == (axis,) else a for t, a in pairs]


def _tensors(
    model: Model, specs: Sequence[TensorSpec], arrays: Mapping[str, Array]
) -> tuple[DataTensor, ...]:
    """Their axes as numbers, but for the free ones."""
    sizes: Mapping[str | int, int] = dict(model.spec.axes)
    return tuple(
        DataTensor(t.name, tuple(sizes.get(a, a) for a in t.axes), t.classes, t.ignore, arrays[t.name])
        for t in specs
    )


def _taken(model: Model, network: NetworkFunction, tensors: Mapping[str, Array]) -> tuple[DataTensor, ...]:
    """What a network by itself takes: what a call of it is given."""
    declared = {t.name: t for t in _tensors(model, (*model.spec.inputs, *model.spec.targets), tensors)}
    pairs = zip(network.arguments, network.like, strict=True)
    return tuple(
        declared.get(like, _unsaid(tensors[like]))._replace(
            name=f"{argument} of {network.function}", ignore=None
        )
        for argument, like in pairs
    )


def _unsaid(numbers: Array) -> DataTensor:
    """A tensor of which the spec does not say the sizes."""
    return DataTensor("", ("",) * np.ndim(numbers), None, None, np.asarray(numbers, np.float64))


def _left_out(model: Model) -> Iterator[str]:
    """The hyper-parameters that are 0, which no step computes with."""
    names = [name for name, _ in model.optimizer.hyper]
    names += [hyper.name for group in model.groups for hyper in group.hyper]
    yield from (name for name in dict.fromkeys(names) if name not in own_hyper(model))


def _hyper(hyper: HyperParameter, numbers: Mapping[str, float]) -> DrawnHyper:
    """Another value that makes smaller steps of most rules, and such as lie outside of its interval."""
    allowed, value = interval(hyper.allowed or "(-inf, inf)", numbers), numbers[hyper.name]
    beyond = (allowed.least, allowed.least - 1, allowed.most, allowed.most + 1, math.nan)
    refused = tuple(number for number in beyond if not allowed.holds(number))
    other = _SMALLER * value
    return DrawnHyper(hyper.name, value, other if allowed.holds(other) else value, refused)


def _blocks(model: Model, subject: Subject) -> tuple[DrawnParameter, ...]:
    """The parameters in the module's own order."""
    declared = {decl.name: decl for decl in model.parameters}
    return tuple(
        DrawnParameter(
            name,
            tuple(subject.shapes[name]),
            declared[name].init.distribution,
            scale_of(model, declared[name], subject.shapes[name]),
        )
        for name in subject.fields()
    )
