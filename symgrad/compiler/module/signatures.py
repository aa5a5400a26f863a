"""The lists of arguments that the emitted module's functions hand to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.compiler.module.records import ArgumentText, ModuleText


MOST_ARGUMENTS = 16
"""Of data, sizes and states together. Numba cannot put one function into another for calls that Python
spells differently, those of more than 30 arguments."""


@dataclass(frozen=True)
class CallTexts:
    """Pieces of calls and signatures, each as it is written; the names of the fields are the template's.

    `point` is where the gradient of a step is taken, `step_vectors` are what a step needs of the parameters'
    size, `time` is what a schedule looks at. `gathering` are calls that lay the rows of one batch
    side by side, and `gathered` are then the arguments of a step.
    """

    joins_drivers: bool
    data: str
    data_count: int
    inputs: str
    extents: str
    other_extents: str
    batched: tuple[ArgumentText, ...]
    ignored: tuple[ArgumentText, ...]
    forward_arguments: str
    data_arguments: str
    step_arguments: str
    flat_data: str
    gathering: tuple[str, ...]
    rows_axis: str
    gathered: str
    state_arguments: str
    entries_of_state: str
    point: str
    gradient_memory: str
    step_vectors: str
    kept_step_vectors: str
    time: str
    time_options: str
    given_time: str
    checked_time: str
    is_scored: str
    new_work: str


def call_texts(module: ModuleText) -> CallTexts:
    """What is passed where, from the records of a module."""
    arguments = (*module.inputs, *module.targets)
    data, inputs = _listed(a.variable for a in arguments), _listed(a.variable for a in module.inputs)
    batched = tuple(a for a in arguments if a.is_batched)
    other_extents = _listed(e for e in module.extents if e != module.batch_axis)
    extents = _listed(module.extents)
    data_arguments = _listed([data, "work", extents])
    gradient_memory = ("grad", "piece") if module.micro_batch_size else ("grad",)
    step_memory = [*(() if module.carrying else gradient_memory), *(("ahead",) if module.look_ahead else ())]
    new_work = "np.empty(_work_size(*extents))"
    return CallTexts(
        joins_drivers=len(arguments) + len(module.extents) + len(module.states) <= MOST_ARGUMENTS,
        data=data,
        data_count=len(arguments),
        inputs=inputs,
        extents=extents,
        other_extents=other_extents,
        batched=batched,
        ignored=tuple(a for a in module.targets if a.ignore is not None),
        forward_arguments=_listed([inputs, "work", extents]),
        data_arguments=data_arguments,
        step_arguments=_listed([data, "order", "rows", "work", other_extents])
        if module.micro_batch_size
        else data_arguments,
        flat_data=_listed(f"{a.variable}.reshape(-1)" if a.is_batched else a.variable for a in arguments),
        gathering=tuple(
            f"_gather({a.variable}, order, start, {module.batch_axis}, {a.row_size or 1}, rows[{place}])"
            for place, a in enumerate(batched)
        ),
        rows_axis=repr(_batch_axis(module)) if module.batch_axis else "",
        gathered=", ".join([*(_of_one_batch(a, batched) for a in arguments), "work", extents]),
        state_arguments=_listed(["step", *(name for name, _ in module.states)]),
        entries_of_state=_listed(f"state[{place}]" for place in range(1 + len(module.states))),
        gradient_memory=_listed(gradient_memory),
        step_vectors=_listed(["theta", *step_memory]),
        kept_step_vectors=_listed(["theta", *(f'_kept("{name}", SIZE)' for name in step_memory)]),
        point="ahead" if module.look_ahead else "theta",
        is_scored="name == SCORED" if module.scored else "name in TARGETS",
        new_work=f"_with_constants({new_work})" if module.constants else new_work,
        **_time_texts(counts_epochs=bool(module.epochs)),
    )


def _batch_axis(module: ModuleText) -> str:
    """The axis of batches by its name in the spec."""
    return module.free_axes[module.extents.index(module.batch_axis)]


def _time_texts(*, counts_epochs: bool) -> dict[str, str]:
    if not counts_epochs:
        return {
            "time": "epoch",
            "time_options": "epoch=0",
            "given_time": "epoch=epoch",
            "checked_time": '_whole("epoch", epoch, 0)',
        }
    return {
        "time": "epoch, epochs",
        "time_options": "epoch=0, epochs=EPOCHS",
        "given_time": "epoch=epoch, epochs=epochs",
        "checked_time": '_whole("epoch", epoch, 0), _whole("epochs", epochs, 1)',
    }


def _of_one_batch(argument: ArgumentText, batched: tuple[ArgumentText, ...]) -> str:
    if not argument.is_batched:
        return argument.variable
    return f"view(rows[{batched.index(argument)}], 0, ({argument.batch_shape}))"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(text for text in texts if text)
