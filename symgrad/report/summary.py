"""A network at a glance: its layers with their parameters and operations, and the memory it takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.arguments import whole
from symgrad.calculus.axes import show_axes
from symgrad.compiler.planning.cost import Cost, CostModel
from symgrad.compiler.planning.needed_steps import plan_of_step
from symgrad.compiler.planning.residuals import BYTES, memory_use
from symgrad.compiler.planning.trained_spans import trained_size
from symgrad.displayed import Displayed
from symgrad.errors import SpecError
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import shown_equations
from symgrad.plain_text import plain_text
from symgrad.report.derived import Derived
from symgrad.report.tensor_table import entry_count, parameter_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.program import Equation, Program, Tensor
    from symgrad.pipeline import Stages
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class SummaryRow:
    """A named tensor: its equation and shape, the entries of the parameters first read there, its operations.

    Operations of what is computed on the way to it alone are counted with it.
    """

    name: str
    formula: str
    shape: str
    parameters: tuple[tuple[str, int], ...]
    flops: int


@dataclass(frozen=True, repr=False)
class Summary(Displayed):
    """A network at a glance. It prints as a plain table; `table()` is for a terminal.

    Operations and `workspace_bytes` are those of one step with free axes of these `sizes`. Of the entries of
    `parameters`, some are `trained`, and some are those of the model's `states`. `state_bytes` are the
    optimiser's, who keeps them from step to step.
    """

    name: str
    dtype: str
    sizes: tuple[tuple[str, int], ...]
    given: tuple[tuple[str, str], ...]
    rows: tuple[SummaryRow, ...]
    parameters: int
    trained: int
    states: int
    backward_flops: int
    update_flops: int
    parameter_bytes: int
    state_bytes: int
    workspace_bytes: int

    @property
    def forward_flops(self) -> int:
        """Operations of the network and its loss."""
        return sum(row.flops for row in self.rows)

    @property
    def step_flops(self) -> int:
        """Operations of a whole step of training."""
        return self.forward_flops + self.backward_flops + self.update_flops

    def table(self) -> Group:
        """For a rich console: a line for each named tensor, then sums."""
        given = ", ".join(f"{name} {shape}" for name, shape in self.given)
        return Group(
            Text(f"{self.name}: {self._counted_parameters()}, {self.dtype}", style="bold"),
            *([Text(f"from {given}")] if given else []),
            self._layers(),
            *map(Text, self._sums()),
        )

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON can hold it."""
        rows = [{**asdict(row), "parameters": dict(row.parameters)} for row in self.rows]
        found = {**asdict(self), "sizes": dict(self.sizes), "given": dict(self.given), "rows": rows}
        return found | {"forward_flops": self.forward_flops, "step_flops": self.step_flops}

    def __str__(self) -> str:
        return plain_text(self.table(), 110)

    def _counted_parameters(self) -> str:
        """How many there are, and how many of them are trained, frozen and in states, where some are."""
        counted, kept = _counted(self.parameters, "parameter"), self.parameters - self.trained
        frozen = [f"{kept - self.states:,} frozen"] if kept > self.states else []
        parts = [f"{self.trained:,} trained", *frozen]
        parts += [f"{self.states:,} in states"] if self.states else []
        return f"{counted} ({', '.join(parts)})" if kept else counted

    def _layers(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("tensor", no_wrap=True)
        table.add_column("shape")
        table.add_column("parameters")
        table.add_column("entries", justify="right", no_wrap=True)
        table.add_column("FLOP", justify="right", no_wrap=True)
        table.add_column("equation")
        for row in self.rows:
            entries = sum(count for _, count in row.parameters)
            names = ", ".join(name for name, _ in row.parameters)
            table.add_row(
                row.name, row.shape, names, f"{entries:,}" if names else "", f"{row.flops:,}", row.formula
            )
        return table

    def _sums(self) -> Iterator[str]:
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes)
        yield (
            f"a step{f' with {sizes}' if sizes else ''}: {self.step_flops:,} FLOP = {self.forward_flops:,} "
            f"forward + {self.backward_flops:,} backward + {self.update_flops:,} update"
        )
        yield (
            f"memory: parameters {_bytes(self.parameter_bytes)}, state of the optimiser "
            f"{_bytes(self.state_bytes)}, workspace of a step {_bytes(self.workspace_bytes)}"
        )


def summarize(spec: Spec, stages: Stages, sizes: Mapping[str, int] | None = None) -> Summary:
    """The summary of a spec, whose `stages` they are, with free axes of these sizes.

    Without them, rows are those of the spec's batch where it has a size, and every other free axis is 1 long.

    Raises:
        SpecError: a size is given for what is no free axis.
    """
    plan = stages.plan
    sizes = _sizes(stages, sizes or {})
    every = plan.program.all_sizes(sizes)
    cost = CostModel(plan_of_step(plan, stages.model.frozen), every, spec.dtype)
    trains = bool(stages.derived.gradients and stages.derived.of_kind("parameter"))
    width, states = BYTES[spec.dtype], stages.update.of_kind("state") if trains else ()
    parameters = stages.derived.of_kind("parameter")
    trained = trained_size(parameters, stages.model.frozen)
    vectors = sum(1 for state in states if state.axes)
    return Summary(
        name=spec.name,
        dtype=spec.dtype,
        sizes=tuple(sizes.items()),
        given=tuple((t.name, _shape(t)) for t in stages.derived.of_kind("input")),
        rows=_rows(stages, cost),
        parameters=parameter_count(stages.derived),
        trained=trained,
        states=sum(entry_count(t) for t in parameters if t.name in stages.model.states),
        backward_flops=sum(c.flops for c in cost.phase("gradient")),
        update_flops=(cost.update(stages.update, trained) if trains else Cost()).flops,
        parameter_bytes=plan.parameter_count * width,
        state_bytes=vectors * trained * width,
        workspace_bytes=memory_use(plan, spec.dtype).workspace.of(every),
    )


def _sizes(stages: Stages, given: Mapping[str, int]) -> dict[str, int]:
    model, program = stages.model, stages.plan.program
    free = sorted(program.size_names - program.derived_sizes.keys())
    for name, size in given.items():
        if name not in free:
            problem = f"'{name}' is no axis whose size is free"
            raise SpecError(
                problem, at=model.spec.name, remedy=f"free are {', '.join(free)}" if free else "leave it out"
            )
        whole(f"the size of {name}", size, 1)
    return usual_sizes(stages) | dict(given)


def usual_sizes(stages: Stages) -> dict[str, int]:
    """The sizes of free axes in a step of training, 1 where nothing says any."""
    model, program = stages.model, stages.derived
    batch = model.spec.train.batch_size
    own = {model.batch_axis: batch} if isinstance(batch, int) else {}
    return {name: own.get(name, 1) for name in sorted(program.size_names - program.derived_sizes.keys())}


def _rows(stages: Stages, cost: CostModel) -> tuple[SummaryRow, ...]:
    """A row for each value that has a name, and the loss."""
    derived = Derived(stages, stages.derived)
    program, writing = derived.program, derived.writing(TEXT)
    lines = {e.target: e for e in shown_equations(program, derived.hidden)}
    flops, seen = _flops_by_name(stages.plan.program, _named(program, lines), cost), set[str]()
    rows = []
    for name in _named(program, lines):
        new = [
            t for t in program.of_kind("parameter") if t.name in program.needed([name]) and t.name not in seen
        ]
        seen |= {t.name for t in new}
        rows.append(
            SummaryRow(
                name,
                writing.matrix(lines[name]),
                _shape(program.tensor[name]),
                tuple((t.name, entry_count(t)) for t in new),
                flops[name],
            )
        )
    return tuple(rows)


def _named(program: Program, lines: Mapping[str, Equation]) -> list[str]:
    needed = program.needed([*program.outputs, *([program.loss] if program.loss else [])])
    return [
        name
        for name in lines
        if name in needed and (program.tensor[name].kind == "value" or name == program.loss)
    ]


def _flops_by_name(program: Program, names: list[str], cost: CostModel) -> dict[str, int]:
    """The operations of every equation of the forward pass, counted for the first name that needs it."""
    flops, counted = dict.fromkeys(names, 0), set[str]()
    equations = [e for name in cost.plan.before_gradient for e in cost.equations(name)]
    for name in names:
        needed = program.needed([name])
        own = [e for e in equations if e.target not in counted and (e.target in needed or name == names[-1])]
        counted |= {e.target for e in own}
        flops[name] = sum(map(cost.flops, own))
    return flops


def _shape(tensor: Tensor) -> str:
    return show_axes(tensor.axes) if tensor.axes else "a number"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _bytes(number: int) -> str:
    """A size in the unit that suits it, 1 kB being 1,000 bytes."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} B"
