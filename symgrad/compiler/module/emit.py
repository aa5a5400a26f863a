"""From a plan to the text of a module."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import chain
from pprint import pformat
from typing import TYPE_CHECKING

import jinja2
import numpy as np

from symgrad.calculus.axes import show_axes
from symgrad.compiler.kernels.function_bodies import FunctionBodies
from symgrad.compiler.kernels.update_kernels import (
    look_ahead_body,
    rest_body,
    share_body,
    state_names,
    update_body,
)
from symgrad.compiler.module.records import (
    ArgumentText,
    CarryingText,
    ConstantText,
    FitText,
    KernelText,
    ModuleText,
    ParameterText,
    ResultText,
)
from symgrad.compiler.module.signatures import call_texts
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.plan import Product, size_of
from symgrad.compiler.targets.numba.approximations import PRECISIONS
from symgrad.compiler.targets.numba.elementary import functions_of
from symgrad.compiler.targets.numba.own_names import OWN_NAMES
from symgrad.compiler.targets.numba.spelling import CALLERS, NUMBA, called_in
from symgrad.notation.equations import Writing
from symgrad.notation.update_rules import look_ahead_rule, update_rule
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.shipped import template_folder
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program, Tensor
    from symgrad.compiler.kernels.function_bodies import NamedKernel
    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.planning.plan import Plan
    from symgrad.elaborate.first_values import FirstValues
    from symgrad.elaborate.optimizer import Update
    from symgrad.spec.model import ConstantSpec, Model, TrainSpec


def emit(model: Model, shown: Program, plan: Plan, update: Update, starts: Mapping[str, FirstValues]) -> str:
    """The text of the module. `shown` is the program as mathematics, `plan` the one that is computed."""
    module = _module_text(model, shown, plan, update, starts)
    return _template().render(module=module, calls=call_texts(module))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "numba"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # the output is Python, from names the reader has checked
    )
    return environment.get_template("module.py.j2")


def _module_text(
    model: Model, shown: Program, plan: Plan, update: Update, starts: Mapping[str, FirstValues]
) -> ModuleText:
    drivers = FunctionBodies(plan, OWN_NAMES)
    program, spec = plan.program, model.spec
    bodies = {phase.name: drivers.body(phase) for phase in plan.phases}
    kernels = tuple(drivers.kernels.values())
    rows = model.batch_axis
    step = update_body(update, OWN_NAMES)
    look_ahead = look_ahead_body(update, OWN_NAMES) if update.look_ahead else ()
    shares, rest = _shares_and_rest(plan, update)
    called = called_in(
        chain(*(k.kernel.body for k in kernels), *bodies.values(), step, look_ahead, shares, rest)
    )
    equations = {kind: tuple(_shown(shown, kind)) for kind in ("forward", "gradient")}
    return ModuleText(
        name=spec.name,
        sha256=spec.sha256,
        version=VERSION,
        dtype=spec.dtype,
        task=model.task,
        epochs=spec.train.epochs if update.counts_epochs else 0,
        fit=_fit(spec.train, has_rows=bool(rows)),
        is_standardized=spec.train.standardize,
        micro_batch_size=spec.train.micro_batches.rows if spec.train.micro_batches else 0,
        tensors=tuple(map(_described, program.declared)),
        forward_equations=equations["forward"],
        gradient_equations=equations["gradient"],
        look_ahead_rule=look_ahead_rule(update),
        update_rule=update_rule(update),
        parameters=_parameters(drivers, starts),
        parameter_count=plan.parameter_count,
        inputs=tuple(_argument(t, drivers, rows) for t in program.of_kind("input")),
        targets=tuple(_argument(t, drivers, rows) for t in program.of_kind("target")),
        scored=model.scored if model.scored and len(spec.targets) > 1 else "",
        constants=tuple(_constant(c, program) for c in spec.constants),
        free_axes=drivers.extents,
        extents=tuple(drivers.extent_names.values()),
        batch_axis=drivers.extent_names[rows] if rows else "",
        by_columns=bool(plan.column_axis),
        work_size=NUMBA.text(drivers.views.work_size),
        has_products=any(isinstance(step, Product) for phase in plan.phases for step in phase.steps),
        kernels=tuple(map(_kernel, kernels)),
        forward=_lines(bodies["forward"]),
        prediction=_lines(bodies["prediction"]),
        loss=_lines(bodies["loss"]),
        gradient=_lines(bodies["gradient"]),
        loss_view=NUMBA.text(drivers.views.view(program.loss)) if program.loss else "",
        outputs=tuple(_result(name, name, drivers) for name in program.outputs),
        predictions=tuple(_result(name, name, drivers) for name in program.prediction),
        input_gradients=tuple(_input_gradient(name, drivers) for name in spec.gradients),
        states=tuple((state_names(update, OWN_NAMES)[name], repr(start)) for name, start in update.states),
        look_ahead=_lines(look_ahead),
        update=_lines(step),
        carrying=_carrying(update, _lines(shares), _lines(rest)) if shares else None,
        full_batch=update.full_batch,
        precision=PRECISIONS[spec.dtype],
        llvm_functions=tuple(name for name in ("maximum", "minimum", "formed_first") if name in called),
        functions=functions_of(called, spec.dtype),
    )


def _fit(train: TrainSpec, has_rows: bool) -> FitText:
    batch_size = train.batch_size if has_rows else "full"
    return FitText(str(train.epochs), _quoted(batch_size), str(train.seed), _quoted(train.shuffle))


def _quoted(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _lines(instructions: tuple[Instruction, ...]) -> tuple[str, ...]:
    return tuple(NUMBA.lines(instructions))


def _kernel(named: NamedKernel) -> KernelText:
    lines, exact = _lines(named.kernel.body), named.kernel.exact
    return KernelText(named.name, ", ".join(named.arguments), named.doc, lines, exact)


def _shares_and_rest(plan: Plan, update: Update) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """How a step takes gradients in while they are formed, and what is left of it; maybe nothing."""
    accumulation = accumulation_of(update)
    if accumulation is None or not plan.program.carried:
        return (), ()
    return share_body(update, accumulation, OWN_NAMES), rest_body(update, accumulation, OWN_NAMES)


def _carrying(update: Update, shares: tuple[str, ...], rest: tuple[str, ...]) -> CarryingText | None:
    accumulation = accumulation_of(update)
    if accumulation is None:
        return None
    states = list(state_names(update, OWN_NAMES))
    is_theta = accumulation.target == "theta"
    target = "theta" if is_theta else f"state[{1 + states.index(accumulation.target)}]"
    return CarryingText(accumulation.target, target, shares, rest)


def _shown(program: Program, part: str) -> list[str]:
    wanted, hidden = part == "gradient", hidden_tensors(program)
    writing = Writing(program, hidden)
    return [
        writing.matrix(e)
        for e in shown_equations(program, hidden)
        if (program.tensor[e.target].kind == "cotangent") == wanted
    ]


def _input_gradient(name: str, drivers: FunctionBodies) -> ResultText:
    program = drivers.program
    gradient = next(g.name for g in program.gradients if g.of == name)
    places = {t.name: n for n, t in enumerate((*program.of_kind("input"), *program.of_kind("target")))}
    return replace(_result(name, gradient, drivers), place=places.get(name, -1))


def _described(tensor: Tensor) -> str:
    labels = f" labels 0..{tensor.classes - 1}" if tensor.classes is not None else ""
    labels += f", {tensor.ignore} for none" if tensor.ignore is not None else ""
    return f"{tensor.name}: {tensor.kind} {show_axes(tensor.axes)}{labels}"


def _argument(tensor: Tensor, drivers: FunctionBodies, batch_axis: str) -> ArgumentText:
    axes = [str(a.size) if a.size is not None else repr(a.name) for a in tensor.axes]
    return ArgumentText(
        name=tensor.name,
        variable=drivers.names[tensor.name],
        axes=f"({', '.join(axes)}{',' if len(axes) == 1 else ''})",
        classes=str(tensor.classes),
        ignore=tensor.ignore,
        comment=show_axes(tensor.axes),
        is_batched=bool(tensor.axes) and tensor.axes[0].name == batch_axis != "",
        row_size=" * ".join(NUMBA.text(drivers.views.size(a.extent)) for a in tensor.axes[1:]),
        batch_shape=_tuple_text([*map(NUMBA.text, drivers.views.shape_in_memory(tensor.name))]),
    )


def _tuple_text(parts: list[str]) -> str:
    """What stands in the brackets of a tuple: `64, batch`, and `64,` of one."""
    return f"{', '.join(parts)}{',' if len(parts) == 1 else ''}"


def _constant(constant: ConstantSpec, program: Program) -> ConstantText:
    name, axes = constant.name, program.tensor[constant.name].axes
    rows = pformat(np.reshape(constant.values, constant.shape).tolist(), width=90, compact=True)
    below_the_first = "\n" + " " * len(f'    "{name}": np.array(')
    return ConstantText(name, show_axes(axes), rows.replace("\n", below_the_first))


def _result(name: str, tensor: str, drivers: FunctionBodies) -> ResultText:
    axes = drivers.program.tensor[tensor].axes
    view, is_by_columns = CALLERS.text(drivers.views.view(tensor)), drivers.plan.is_by_columns(tensor)
    return ResultText(
        name=name,
        view=f"np.moveaxis({view}, -1, 0)" if is_by_columns else view,
        comment=show_axes(axes),
        as_scalar="" if axes else ".reshape(())",
        is_by_columns=is_by_columns,
    )


def _parameters(drivers: FunctionBodies, starts: Mapping[str, FirstValues]) -> tuple[ParameterText, ...]:
    found = []
    for tensor in drivers.program.of_kind("parameter"):
        place = drivers.plan.places[tensor.name]
        size = size_of(tensor.axes)[1]
        shape = ", ".join(str(a.size) for a in tensor.axes)
        found.append(
            ParameterText(
                name=tensor.name,
                comment=show_axes(tensor.axes),
                start=place.offset,
                end=place.offset + size,
                shape=f"({shape}{',' if len(tensor.axes) == 1 else ''})",
                initial=_drawn(starts[tensor.name], size),
            )
        )
    return tuple(found)


def _drawn(start: FirstValues, size: int) -> str:
    """`rng.normal(0.0, 0.1, 64)`, or one number for all entries."""
    match start.distribution:
        case "normal":
            return f"rng.normal(0.0, {start.scale!r}, {size})"
        case "uniform":
            return f"rng.uniform({-start.scale!r}, {start.scale!r}, {size})"
    return repr(start.scale)
