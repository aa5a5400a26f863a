"""The train block: parts of data, ends of training and columns that are never, or hardly ever, meant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.language.builtins import is_derivative
from symgrad.spec.language.syntax import Compare
from symgrad.spec.language.trees import calls, values_in, walk
from symgrad.spec.model import DataSpec, Model, Spec, TensorSpec
from symgrad.spec.numbers import number
from symgrad.spec.sense.input_roles import taken_as_they_are

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALLEST_PART = 1e-6
"""A smaller part of all rows is none of a million."""
MANY_BYTES = 2**34


def check_training(model: Model) -> None:
    """Refuse a part that has no row, and columns that cannot fill their tensor.

    Raises:
        SpecError: for the first of them.
    """
    spec = model.spec
    part = spec.train.validation
    if isinstance(part, float) and not SMALLEST_PART <= part <= 1 - SMALLEST_PART:
        held_out, rest = ("no rows", "all") if part < 0.5 else ("all rows", "none")
        problem = f"a validation part of {part:.12g} holds out {held_out} and trains on {rest}"
        raise SpecError(problem, at=spec.place_of("train", "validation"), remedy="write 0.2, for example")
    tensors = {tensor.name: tensor for tensor in (*spec.inputs, *spec.targets)}
    for data in spec.train.sources:
        for name, columns in data.columns:
            if name in tensors:  # what is none is told with the columns that there are
                _check_columns(spec, data, tensors[name], columns)


def _check_columns(spec: Spec, data: DataSpec, tensor: TensorSpec, columns: tuple[str, ...]) -> None:
    name = tensor.name
    if not columns:
        problem = f"'columns' names none for '{name}'"
        remedy = f"write {name}: [...] with its columns, or leave it out: it then takes what the others leave"
        raise SpecError(problem, at=data.at, remedy=remedy)
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        problem = f"the column '{twice}' stands twice in '{name}'"
        raise SpecError(problem, at=data.at, remedy="name each column once")
    wanted, array = _entries_of_a_row(spec, tensor), data.path.lower().endswith((".npz", ".npy"))
    # Fewer may be of words, which give an entry for each; labels may come one-hot, a column for each class.
    if wanted is not None and not array and len(columns) > wanted * (tensor.classes or 1):
        problem = (
            f"'{name}' has {wanted} entries in a row and {len(columns)} column{'s'[len(columns) == 1 :]}"
        )
        raise SpecError(problem, at=data.at, remedy="name one column for each entry")


def _entries_of_a_row(spec: Spec, tensor: TensorSpec) -> int | None:
    """How many columns fill a tensor without its first axis; unknown where an axis is free."""
    sizes = [axis if isinstance(axis, int) else dict(spec.axes).get(axis) for axis in tensor.axes[1:]]
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def doubtful_training(model: Model) -> Iterator[SpecWarning]:
    """Ends that come at once or never, little left to train on, targets as inputs, batches beyond memory."""
    yield from _ends(model.spec)
    yield from _shared_columns(model.spec)
    yield from _batches(model.spec)
    if model.spec.train.standardize:
        numbers = {t.name for t in model.spec.inputs if t.classes is None} - taken_as_they_are(model)
        yield from _by_standardised(model, numbers)
        yield from _compared_standardised(model.spec, numbers)
    yield from _decay_that_ends(model)
    part = model.spec.train.validation
    if isinstance(part, float) and part > 0.9:
        at = model.spec.place_of("train", "validation")
        problem = f"a validation part of {part:g} leaves {1 - part:.2g} of the rows to train on"
        yield SpecWarning(problem, at=at, remedy="write 0.2, for example")


def _ends(spec: Spec) -> Iterator[SpecWarning]:
    stop, at = spec.train.stop, spec.place_of("train", "stop")
    epochs = spec.train.epochs + (spec.train.finish.iterations if spec.train.finish else 0)
    if stop.patience is not None and stop.tolerance is None and stop.patience >= epochs:
        problem = f"a patience of {stop.patience} never ends a training of {epochs} epochs"
        yield SpecWarning(problem, at=at, remedy=f"write a number below {epochs}, or more epochs")
    if stop.tolerance is not None and stop.tolerance > 1000:
        problem = f"a tolerance of {stop.tolerance:g} takes nearly every epoch for the last"
        yield SpecWarning(problem, at=at, remedy="it is a change of the loss, such as 1e-4")
    if stop.time_limit is not None and stop.time_limit < 1e-3:
        problem = f"a time limit of {stop.time_limit:g} s ends training after its first epoch"
        yield SpecWarning(problem, at=at, remedy="it counts seconds, such as 60")


def _decay_that_ends(model: Model) -> Iterator[SpecWarning]:
    """Steps that make weights smaller, and then iterations on a loss that knows nothing of it."""
    finish, decay = model.spec.train.finish, dict(model.optimizer.hyper).get("weight_decay")
    rate = None if decay is None else number(decay, {})
    if finish and rate and model.spec.train.epochs:
        problem = f"the steps decay weights by {rate:g}, and {finish.name} minimises the loss alone"
        remedy = "write the penalty into the loss, as in mse(y, t) + 0.01 * l2(W), and weight_decay=0"
        yield SpecWarning(problem, at=finish.at, remedy=remedy)


def _shared_columns(spec: Spec) -> Iterator[SpecWarning]:
    """Columns of both an input and a target; all alike are an autoencoder's, a series' are of other times."""
    for data in (data for data in spec.train.sources if data.ahead is None):
        columns = dict(data.columns)
        for target in spec.targets:
            for tensor in spec.inputs:
                mine, its = columns.get(target.name, ()), columns.get(tensor.name, ())
                shared = [column for column in mine if column in its]
                if shared and (mine != its or len(mine) == 1):
                    problem = f"the column '{shared[0]}' is the target '{target.name}' and in the input"
                    remedy = f"leave it out of '{tensor.name}': it would be learnt by heart"
                    yield SpecWarning(f"{problem} '{tensor.name}'", at=data.at, remedy=remedy)


def _by_standardised(model: Model, numbers: set[str]) -> Iterator[SpecWarning]:
    """Derivatives by inputs that training standardises, which are not those by the data."""
    functions = {f.name for f in model.functions}
    formulas = [*(e.formula for e in model.equations), *([] if model.loss is None else [model.loss])]
    for call in (call for formula in formulas for call in calls(formula)):
        if is_derivative(call, functions):
            for name in sorted(set[str]().union(*map(values_in, call.arguments[1:])) & numbers):
                problem = f"a derivative by '{name}', which `standardize: true` makes (x - mean)/deviation: "
                problem += "it is not that by the numbers in the data, and an equation of it is another one"
                remedy = f"leave standardize out, and scale in the formula: ({name} - 5) / 3"
                yield SpecWarning(problem, at=call.at, remedy=remedy)


def _compared_standardised(spec: Spec, numbers: set[str]) -> Iterator[SpecWarning]:
    """Conditions on inputs that training standardises, where `x > 5` is another place than in the data."""
    formulas = [*(e.formula for e in spec.equations), *([] if spec.loss is None else [spec.loss])]
    for node in (node for formula in formulas for node in walk(formula) if isinstance(node, Compare)):
        for name in sorted(values_in(node) & numbers):
            problem = (
                f"a condition on '{name}', which `standardize: true` makes (x - mean)/deviation: it parts "
            )
            problem += "other numbers than it does in the data"
            remedy = f"leave standardize out, and scale in the formula: ({name} - 5) / 3"
            yield SpecWarning(problem, at=node.at, remedy=remedy)


def _batches(spec: Spec) -> Iterator[SpecWarning]:
    """Inputs and targets of which a batch takes more than memory may have; free axes twice in one of them."""
    sizes, rows = dict(spec.axes), spec.train.batch_size
    for tensor in (*spec.inputs, *spec.targets):
        known = [axis if isinstance(axis, int) else sizes.get(axis, 1) for axis in tensor.axes]
        size = (
            math.prod(known) * (rows if isinstance(rows, int) else 1) * (4 if spec.dtype == "float32" else 8)
        )
        if size > MANY_BYTES:
            problem = f"a batch of '{tensor.name}' takes {size / 2**30:.0f} GiB"
            yield SpecWarning(
                problem, at=tensor.at, remedy="expected fewer entries in a row, or smaller batches"
            )
        free = [axis for axis in tensor.axes if isinstance(axis, str) and axis not in sizes]
        twice = next((axis for axis in free if free.count(axis) > 1), None)
        if twice is not None:
            problem = f"'{tensor.name}' has the axis '{twice}' twice: n rows then have n entries each"
            remedy = "give the second axis another name, unless it is meant and every batch is full"
            yield SpecWarning(problem, at=tensor.at, remedy=remedy)
