"""What an emitted module says of itself: its opening, and the constants that the runtime reads."""

from __future__ import annotations

from pprint import pformat
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from symgrad.calculus.axes import show_axes
from symgrad.compiler.kernels import shared_turns
from symgrad.compiler.kernels.kernels import BLOCK
from symgrad.compiler.planning import row_blocks
from symgrad.compiler.planning.least_sizes import least_sizes
from symgrad.compiler.planning.trained_spans import spans_of, trained_size
from symgrad.compiler.targets.numba.beside import step_functions
from symgrad.compiler.targets.numba.records import Definition, FactText, FieldText, Manner, Opening
from symgrad.compiler.targets.numba.signatures import Signatures, as_tuple
from symgrad.elaborate.optimizer import counts_epochs, never_zero
from symgrad.notation.equations import Writing
from symgrad.notation.parameters_apart import called_value, left_alone, numbers_apart, renewed
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import hyper_symbols, look_ahead_rule, update_rule
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.passes.dividing.pieces_of_batches import Coupling
from symgrad.passes.dividing.separability import RowWeight
from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.spec.numbers import number
from symgrad.spec.reads import predicted_from, stopped_in, stops_gradients
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Program, Tensor
    from symgrad.compiler.planning.plan import Plan
    from symgrad.compiler.targets.numba.lowered_model import LoweredModel
    from symgrad.compiler.targets.numba.records import ArgumentText
    from symgrad.spec.model import ConstantSpec, HyperParameter, Model

_TABLES: Mapping[Manner, str] = {
    "kernel": "KERNELS",
    "driver": "DRIVERS",
    "section": "DRIVER_SECTIONS",
    "update": "UPDATES",
}


def opening_of(model: Model, shown: Program, update: Program) -> Opening:
    """The module's docstring. `shown` is the program as mathematics."""
    spec = model.spec
    return Opening(
        name=spec.name,
        version=VERSION,
        sha256=spec.sha256,
        is_standardized=spec.train.standardize,
        tensors=tuple(_described(t, model.states) for t in (*shown.declared, *shown.handed_on)),
        forward_equations=tuple(_written(shown, is_gradient=False)),
        gradient_equations=tuple(_written(shown, is_gradient=True)),
        look_ahead_rule=look_ahead_rule(update),
        update_rule=update_rule(update),
        hyper_symbols=tuple((TEXT.spell(s), name) for name, s in hyper_symbols(update).items()),
        apart=tuple(numbers_apart(model, value=called_value)),
        frozen=left_alone(model),
        renewed=renewed(model),
        epochs=spec.train.epochs,
        finish=str(spec.train.finish or ""),
    )


def _written(program: Program, *, is_gradient: bool) -> Iterator[str]:
    hidden = hidden_tensors(program)
    writing = Writing(program, hidden)
    for equation in shown_equations(program, hidden):
        if (program.tensor[equation.target].kind == "cotangent") == is_gradient:
            yield writing.matrix(equation)


def _described(tensor: Tensor, states: Collection[str]) -> str:
    labels = f" labels 0..{tensor.classes - 1}" if tensor.classes is not None else ""
    labels += f", {tensor.ignore} for none" if tensor.ignore is not None else ""
    labels += f", {tensor.carried}" if tensor.carried is not None else ""
    kind = "state" if tensor.name in states else tensor.kind
    return f"{tensor.name}: {kind} {show_axes(tensor.axes)}{labels}"


def facts_of(
    model: Model,
    plans: Sequence[Plan],
    update: Program,
    calls: Signatures,
    axes: Sequence[str],
    given: Sequence[ArgumentText],
) -> tuple[FactText, ...]:
    """What a reader wants to know first; `axes` are the free ones; steps go by the first plan. `given` is all
    that callers give: the data, then what networks by themselves take.
    """
    spec, plan, program = model.spec, plans[0], plans[0].program
    parameters = program.of_kind("parameter")
    expected = spec.train.epochs if counts_epochs(update) else 0
    return (
        FactText("SPEC_NAME", _quoted(spec.name)),
        FactText("SPEC_SHA256", _quoted(spec.sha256)),
        FactText("NETWORK_SHA256", _quoted(network_sha256(model)), "of what forward and predict compute"),
        FactText("SYMGRAD_VERSION", _quoted(VERSION)),
        FactText("DTYPE", f"np.{spec.dtype}"),
        FactText("TASK", _quoted(model.task)),
        FactText("EPOCHS", str(expected), "how many the learning rate expects; 0: it does not ask"),
        FactText("INPUTS", as_tuple(_quoted(a.name) for a in calls.inputs)),
        FactText(
            "PREDICTED_FROM", as_tuple(map(_quoted, predicted_from(model))), "inputs that predict asks for"
        ),
        FactText("PREDICTED", as_tuple(map(_quoted, program.prediction)), "what that gives"),
        FactText("TARGETS", as_tuple(_quoted(a.name) for a in calls.targets)),
        FactText("FREE_AXES", as_tuple(map(_quoted, axes))),
        FactText("AXES", _dictionary((a.name, a.axes) for a in given)),
        FactText("CLASSES", _dictionary((a.name, a.classes) for a in given), "how many labels there are"),
        FactText("CONSTANTS", _constants(spec.constants, program), "at the front of every workspace"),
        FactText("SHAPES", _dictionary((p.name, as_tuple(str(a.size) for a in p.axes)) for p in parameters)),
        FactText("SIZE", str(plan.parameter_count), "entries of all parameters"),
        *_frozen(model, parameters, draws=calls.draws),
        *_drawing(model, calls),
        *_blocks(plans),
        FactText(
            "HYPER", _dictionary((h.name, _float(h)) for h in model.hyper), "numbers that a call may change"
        ),
    )


def _frozen(model: Model, parameters: Sequence[Tensor], *, draws: bool) -> Iterator[FactText]:
    """Which parameters training leaves as they are, where it does; the size of states."""
    if model.frozen:
        whose = "no update" if model.states else "no step"
        yield FactText("FROZEN", as_tuple(map(_quoted, model.frozen)), f"parameters that {whose} changes")
    if model.states or draws:
        yield FactText("STATES", as_tuple(map(_quoted, model.states)), "those that steps compute anew")
    if model.frozen or draws:
        size = trained_size(parameters, model.frozen)
        yield FactText("TRAINED_SIZE", str(size), "entries of the others, and of each state")


def _drawing(model: Model, calls: Signatures) -> Iterator[FactText]:
    """What numbers are drawn by, where they are."""
    if calls.draws:
        yield FactText("SEED", str(model.spec.train.seed), "what training draws by")
        yield FactText("KEY", "(0, 0, 0)", "what inference draws by: a seed, the steps and the rows before")


def _blocks(plans: Sequence[Plan]) -> Iterator[FactText]:
    """How many rows a sum over rows takes at a time, where one does."""
    if any(plan.blocks for plan in plans):
        yield FactText(
            BLOCK.name, str(row_blocks.BLOCK_ROWS), "rows added up by themselves, in a sum over many rows"
        )


def told(lowered: LoweredModel, calls: Signatures, definitions: Sequence[Definition]) -> tuple[FactText, ...]:
    """What only the runtime asks for."""
    model, plan, updates = lowered.model, lowered.plan, (lowered.update, *lowered.groups)
    apart = ((h.name, h.value) for group in model.groups for h in group.hyper)
    left_out = [n for n, value in dict([*model.optimizer.hyper, *apart]).items() if not number(value, {})]
    divisors = {name for update in updates for name in _divisors(model, update)}
    kept_above_0 = [h.name for h in model.hyper if h.name in divisors]
    spec = model.spec
    full_batch = model.optimizer.full_batch
    scored = (model.scored or "") if len(spec.targets) > 1 else ""
    ignored = _dictionary((a.name, a.ignore) for a in calls.arguments)
    return (
        FactText("BATCH_AXIS", _quoted(model.batch_axis), "the axis of rows; empty: there is none"),
        FactText("BY_COLUMNS", str(bool(plan.column_axis)), "whether it lies innermost in memory"),
        FactText("FULL_BATCH", _quoted(full_batch), "why every step needs all rows, where it does"),
        FactText("MICRO_BATCH_SIZE", str(lowered.piece_rows), "rows of a piece of a batch; 0: all"),
        *_by_rows(lowered),
        *_shared(lowered),
        *_in_parts(lowered),
        FactText("STEP_MEMORY", as_tuple(map(_quoted, calls.step_memory)), "vectors like theta for a step"),
        FactText("RANGES", _dictionary((h.name, _quoted(h.allowed)) for h in model.hyper if h.allowed)),
        FactText("NEVER_ZERO", as_tuple(map(_quoted, kept_above_0)), "since something is divided by it"),
        FactText("LEFT_OUT", as_tuple(map(_quoted, left_out)), "0 in the spec, so that no step computes it"),
        FactText(
            "GRADIENTS", as_tuple(map(_quoted, spec.gradients)), "what else the loss is differentiated by"
        ),
        *_of_sets(lowered.set_rows),
        *_stopped(model),
        *_trained(lowered, calls),
        *(step_functions.told(lowered.stepping) if lowered.stepping else ()),
        FactText("IGNORED", ignored, "labels that mean: none"),
        FactText("LEAST_SIZES", _dictionary(least_sizes(plan.program).items()), "of free axes, where over 1"),
        FactText("SCORED", _quoted(scored), "what predictions are scored against, where targets are several"),
        *_tables(definitions),
        FactText("JOINS_DRIVERS", str(calls.joins_drivers), "whether they become parts of their callers"),
    )


def _by_rows(lowered: LoweredModel) -> Iterator[FactText]:
    """What inference may compute some rows at a time, and what it then makes of their losses."""
    found = lowered.inference_by_rows
    yield FactText("PREDICTS_BY_ROWS", str(found.prediction), "whether predict takes every row by itself")
    if lowered.program.loss:
        weight, how = found.loss, ""
        if weight is not None:
            how = "sum" if weight.adds_up else "weighted" if weight.total else "mean"
        means = "how losses of some rows each make up that of inference; empty: they do not"
        yield FactText("LOSS_BY_ROWS", _quoted(how), means)


def _shared(lowered: LoweredModel) -> Iterator[FactText]:
    """Why ranks cannot share a batch, where they cannot; else how its loss is made of theirs."""
    if lowered.program.loss:
        sharing = lowered.sharing
        coupling = sharing if isinstance(sharing, Coupling) else None
        reason = str(coupling) if coupling else ""
        yield FactText("COUPLED", _quoted(reason), "why ranks cannot share a batch, where they cannot")
        if coupling and coupling.equation:
            yield FactText("COUPLED_BY", _quoted(coupling.equation), "the equation that this is said of")
        if not isinstance(sharing, Coupling):
            means = "whether losses of ranks add up; else theirs is the mean"
            adds_up = not isinstance(sharing, RowWeight) or sharing.adds_up
            yield FactText("ADDS_UP", str(adds_up), means)
            places = as_tuple(f"({part}, {b.first}, {b.last})" for part, b in lowered.buckets)
            said = "by which part of a step of ranks the gradient is finished, from where to where"
            yield FactText("BUCKETS", places, said)


def _in_parts(lowered: LoweredModel) -> Iterator[FactText]:
    """How long parts of a pass are, where threads take some."""
    if lowered.has_turns:
        yield FactText("PART", str(shared_turns.PART), "entries of a pass that a thread takes at a time")


def _of_sets(rows: int) -> Iterator[FactText]:
    """How many points of several sets are computed at once, where these go in pieces."""
    if rows:
        yield FactText(
            "SET_ROWS", str(rows), "points of all sets that are computed at once, where all are given"
        )


def _stopped(model: Model) -> Iterator[FactText]:
    """What has a gradient that stop_gradient keeps something of, where a formula has that."""
    if stops_gradients(model):
        named = (*(p.name for p in model.parameters), *model.spec.gradients)
        through = stopped_in(model)
        names = as_tuple(_quoted(name) for name in named if name in through)
        yield FactText("STOPPED", names, "what reaches the loss through stop_gradient")


def _trained(lowered: LoweredModel, calls: Signatures) -> Iterator[FactText]:
    """Where states keep what, where somebody asks: a moving average, and ranks that share batches."""
    model, program = lowered.model, lowered.program
    has_average = model.optimizer.average is not None
    if has_average and program.loss:
        yield FactText("AVERAGE", f'"{calls.states[-1]}"', "the state that is the moving average")
    if lowered.is_shared or (program.loss and has_average):
        parameters = program.of_kind("parameter")
        names = [p.name for p in parameters if p.name not in model.frozen]
        spans = spans_of(parameters, model.frozen, names)
        places = as_tuple(f"({span.first}, {span.size}, {span.kept})" for span in spans)
        said = "where what training changes begins in all, how much it is, where in a state"
        yield FactText("TRAINED", places, said)


def _divisors(model: Model, update: Program) -> Iterator[str]:
    """The hyper-parameters that something is divided by, by the names that callers know."""
    found = never_zero(update)
    for tensor, hyper in zip(update.of_kind("hyper"), model.hyper, strict=True):
        if tensor.name in found:
            yield hyper.name


def _tables(definitions: Sequence[Definition]) -> Iterator[FactText]:
    """The functions that are compiled in each manner; sections where there are some."""
    for manner, name in _TABLES.items():
        names = [d.name for d in definitions if d.manner == manner]
        text = as_tuple(names)
        if len(text) > 90:
            lines = fill(text[1:-1], 100, initial_indent="    ", subsequent_indent="    ")
            text = f"(\n{lines},\n)"
        if names or manner != "section":
            yield FactText(name, text)


def fields_of(
    program: Program, states: Iterable[str], *, draws: bool
) -> tuple[tuple[FieldText, ...], tuple[FieldText, ...]]:
    """The fields of Params and State."""
    parameters = tuple(FieldText(t.name, show_axes(t.axes)) for t in program.of_kind("parameter"))
    said = "behind it the seed of what is drawn" if draws else ""
    return parameters, (FieldText("step", said), *(FieldText(name, "") for name in states))


def _constants(constants: Sequence[ConstantSpec], program: Program) -> str:
    return _dictionary((c.name, _numbers(c), show_axes(program.tensor[c.name].axes)) for c in constants)


def _numbers(constant: ConstantSpec) -> str:
    """The numbers as nested lists, a line for each row of a matrix."""
    rows = pformat(np.reshape(constant.values, constant.shape).tolist(), width=90, compact=True)
    below_the_first = "\n" + " " * len(f'    "{constant.name}": np.array(')
    return f"np.array({rows.replace(chr(10), below_the_first)})"


def _float(hyper: HyperParameter) -> str:
    return repr(number(hyper.value, {}))


def _dictionary(items: Iterable[tuple[object, ...]]) -> str:
    """An entry a line, each with its comment; those without a value are left out."""
    lines = [
        f'    "{name}": {value},{"".join(f"  # {c}" for c in comment)}'
        for name, value, *comment in items
        if value is not None
    ]
    return "\n".join(["{", *lines, "}"]) if lines else "{}"


def _quoted(text: str) -> str:
    """A string as Python writes it, between double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
