"""The content of a report, in one style of mathematics: what every format lays out in its own way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import letters
from symgrad.explain.equal_blocks import (
    EqualBlock,
    equal_gradients,
    exchange,
    runs_alike,
    with_equal_blocks,
)
from symgrad.explain.reasons import owner, reason_of
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.parameters_apart import left_alone, numbers_apart, renewed
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import (
    composed_rule,
    look_ahead_rule,
    reading_note,
    rule_of_step,
    update_rule,
)
from symgrad.notation.visibility import shown_equations
from symgrad.report.content import FormulaRow, Page, Section
from symgrad.report.notations import NOTATIONS
from symgrad.report.tensor_table import parameter_count, tensor_rows
from symgrad.report.views.finish_view import finish_section
from symgrad.report.views.sections import requested_legend, requested_sections
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from symgrad.calculus.program import Equation
    from symgrad.notation.equations import Writing
    from symgrad.notation.typesetting.style import Style
    from symgrad.report.derived import Derived

LEGEND = (
    "Products with ⊙, quotients, powers and functions act entry by entry; ᵀ exchanges rows and columns.",
    "softmax and logsumexp run along the last axis; Σ over {rows} sums over the rows of the data.",
    "In the second line of an equation every entry has its indices, which count from 0.",
    "A line with += adds for every value of every index in it.",
)
COLUMNS_LEGEND = (
    "The samples of a batch are the columns of a matrix. A vector is a column, and beside a matrix it stands "
    "in each of its columns.",
    "softmax and logsumexp run down each column, onehot gives a column for each label. "
    "1 with an axis below it is a column of so many ones; Σ over {rows} sums over the samples.",
)
PRODUCTS_LEGEND = (
    "A product of tensors of more than two axes is one of matrices, of their last two, for each place along "
    "the others; ᵀ exchanges these two. rowsum sums along the last axis, […,None] stands along it."
)
STACKS_LEGEND = "Tensors of three and more axes stand as in the spec, samples first."
REWRITE_NAMES_NOTE = "These lines keep the names of the spec, and samples as rows."
DELTA_LEGEND = "δ(a, b) is 1 where a is b, and 0 elsewhere."
GRADIENT_NOTE = "dX is the derivative of the loss with respect to X, and has the shape of X."
COMPOSED_NOTE = "The rule above with each parameter's own gradient; states bear the parameter's name."
INFERENCE_NOTE = "As inference computes them."
TRAINING_NOTE = "As training computes it, with what differs there."
NEXT_NOTE = "What a step of training makes of the states, from what it finds."
EVALUATION_NOTE = "The loss as inference has it; no gradient is taken of it."
REWRITE_NOTE = (
    "Each is an exact law that makes the computation stable or shorter. "
    "Names not seen above are intermediate results that were removed."
)


def page_of(derived: Derived, style: Style) -> Page:
    """The content of the report, its formulas spelled in a style."""
    writing = derived.writing(style)
    parts, differ = _parts(writing), writing.program.evaluation is not None
    sections = [
        Section("equations", "Equations", INFERENCE_NOTE if differ else "", _rows(parts["forward"], writing)),
        Section("equations", "Loss", TRAINING_NOTE if differ else "", _rows(parts["loss"], writing)),
        Section("equations", "Next values of states", NEXT_NOTE, _rows(parts["next"], writing)),
        Section("equations", "Evaluation", EVALUATION_NOTE, _rows(parts["evaluation"], writing)),
        Section("equations", "Prediction", "", _rows(parts["prediction"], writing)),
        Section(
            "equations",
            "Gradients",
            derived.convention.note or GRADIENT_NOTE,
            _gradient_rows(parts["gradient"], writing),
        ),
    ]
    if derived.program.gradients and derived.program.of_kind("parameter"):
        sections += _update_sections(derived, style)
    sections += requested_sections(derived, style)
    sections.append(Section("rewrites", "Rewrites", _rewrite_note(derived.convention), _rewrites(writing)))
    facts = (
        *_notation_fact(derived.convention),
        ("precision", derived.spec.dtype),
        ("parameters", f"{parameter_count(derived.program):,}"),
        ("symgrad", VERSION),
        ("spec SHA-256", derived.spec.sha256),
    )
    shown = tuple(s for s in sections if s.rows)
    return Page(derived.spec.name, facts, legend(derived), tensor_rows(derived, style), shown)


def _notation_fact(convention: Convention) -> tuple[tuple[str, str], ...]:
    name = convention.name
    return (("notation", f"{name}; {NOTATIONS[name].about}"),) if name != "rows" else ()


def legend(derived: Derived) -> tuple[str, ...]:
    """How the page is to be read."""
    ignores = any(tensor.ignore is not None for tensor in derived.program.declared)
    own = (*_of_matrices(derived), *([DELTA_LEGEND] if ignores else []))
    return (*own, *requested_legend(derived))


def _of_matrices(derived: Derived) -> tuple[str, ...]:
    has_stacks = any(len(t.axes) > 2 for t in derived.program.tensors)
    if derived.convention.samples == "rows":
        lines = (LEGEND[0], *([PRODUCTS_LEGEND] if has_stacks else []), *LEGEND[1:])
    else:
        lines = (LEGEND[0], *COLUMNS_LEGEND, *([STACKS_LEGEND] if has_stacks else []), *LEGEND[2:])
    named = [axis for axis in derived.program.free_axes if axis.name == derived.stages.model.batch_axis]
    rows = str(letters(named[:1], derived.program.names)[0]) if named else "n"
    return tuple(line.format(rows=rows) for line in lines)


def _parts(writing: Writing) -> dict[str, list[Equation]]:
    """The shown equations by what they are for."""
    program = writing.program
    kinds = {
        "forward": program.needed(program.outputs),
        "loss": program.needed((program.loss,) if program.loss else ()),
        "next": program.needed(found.equation for found in program.next_values),
        "evaluation": program.needed((program.evaluation,) if program.evaluation else ()),
    }
    parts: dict[str, list[Equation]] = {kind: [] for kind in (*kinds, "prediction", "gradient")}
    for equation in shown_equations(program, writing.hidden):
        name = equation.target
        if program.tensor[name].kind == "cotangent":
            parts["gradient"].append(equation)
        else:
            parts[next((k for k, names in kinds.items() if name in names), "prediction")].append(equation)
    return parts


def _rows(equations: Sequence[Equation], writing: Writing) -> tuple[FormulaRow, ...]:
    return tuple(_folded(equations, writing, lambda equation: _row(equation, writing)))


def _folded(
    equations: Sequence[Equation], writing: Writing, row: Callable[[Equation], FormulaRow]
) -> Iterator[FormulaRow]:
    """A row for every equation; one for a whole block that is another but for names."""
    for found in with_equal_blocks(writing.program, equations, writing.hidden):
        yield _row_of_block(found, writing) if isinstance(found, EqualBlock) else row(found)


def _row_of_block(block: EqualBlock, writing: Writing) -> FormulaRow:
    first, last = (block.equations[place].target for place in (0, -1))
    ends = " to ".join(_in_words(block.first[place].target, writing) for place in (0, -1))
    found = exchange({old: new for old, new in block.names.items() if old not in writing.hidden})
    words = [f"{_in_words(new, writing)} for {_in_words(old, writing)}" for old, new in found.others.items()]
    if found.old:
        words.append(f"{found.new} for {found.old} as the first number of {'other ' * bool(words)}names")
    return FormulaRow(writing.between(first, last), label=f"as {ends}, with {', '.join(words)}")


def _in_words(tensor: str, writing: Writing) -> str:
    return TEXT.spell(writing.indices.tensor(tensor))


def _row(equation: Equation, writing: Writing, label: str = "", through: tuple[str, ...] = ()) -> FormulaRow:
    matrix, index = writing.matrix(equation), writing.index(equation)
    return FormulaRow(matrix, index if index != matrix else "", label, through)


def _gradient_rows(equations: Sequence[Equation], writing: Writing) -> tuple[FormulaRow, ...]:
    words = replace(writing, style=writing.style.within_words)

    def row(equation: Equation) -> FormulaRow:
        reason = reason_of(equation, writing.program, writing.hidden)
        through = tuple(_through(e, words) for e in reason.through)
        return _row(equation, writing, reason.origin, through)

    return tuple(_folded(equations, writing, row))


def _through(equation: Equation, writing: Writing) -> str:
    """An equation that the chain rule went through; by its name alone, where it is a derivative, and long."""
    tensor = writing.program.tensor[equation.target]
    if tensor.is_slope or tensor.by:
        return writing.between(equation.target, equation.target)
    return writing.matrix(equation)


def _update_sections(derived: Derived, style: Style) -> list[Section]:
    update = derived.update
    rule = tuple(FormulaRow(line) for line in (*look_ahead_rule(update, style), *update_rule(update, style)))
    composed = [FormulaRow(line) for line in rule_of_step(update, style)]
    composed += _composed_rows(derived, style)
    model, written = derived.stages.model, derived.convention.written
    alone, anew = left_alone(model, written), renewed(model, written)
    left = f" Training leaves {alone} as before." if alone else ""
    left += f" No gradient passes through states, and each step ends with {anew}." if anew else ""
    apart = "".join(f" With {line}." for line in numbers_apart(model, written))
    return [
        Section("updates", "Update rule", f"{reading_note(update)}{apart}".strip(), rule),
        Section("updates", "Update of every parameter", COMPOSED_NOTE + left, tuple(composed)),
        *finish_section(derived.spec.train, style),
    ]


def _composed_rows(derived: Derived, style: Style) -> Iterator[FormulaRow]:
    """The update of every parameter that is trained; of equal blocks that of the first."""
    stages, writing = derived.stages, derived.writing(style)
    trained = {g.of: g.name for g in derived.program.gradients if g.of not in stages.model.frozen}
    parameters = [t.name for t in derived.program.of_kind("parameter") if t.name in trained]
    gradients = _parts(writing)["gradient"]
    alike = equal_gradients(derived.program, gradients, writing.hidden)
    known: dict[tuple[str, int], str] = {}
    for run in runs_alike(
        (p, known.setdefault((alike.get(trained[p], p), id(stages.update_of(p))), p)) for p in parameters
    ):
        (first, shown), (last, shown_last) = run[0], run[-1]
        written = derived.convention.written
        if first == shown:
            lines = composed_lines(derived, first, trained[first], style)
            yield from (FormulaRow(line, label="" if n else written(first)) for n, line in enumerate(lines))
        else:
            label = f"{written(first)} to {written(last)} as" if len(run) > 1 else f"{written(first)} as"
            yield FormulaRow(writing.between(shown, shown_last), label=label)


def composed_lines(derived: Derived, parameter: str, gradient: str, style: Style) -> tuple[str, ...]:
    """The update of one parameter, its gradient put in."""
    writing = derived.writing(style)
    short = writing.indices.tensor(gradient)
    full = writing.right_side(derived.program.definition[gradient])
    update = derived.stages.update_of(parameter)
    return composed_rule(update, parameter, full or short, short, style, convention=derived.convention)


def _rewrite_note(convention: Convention) -> str:
    return REWRITE_NOTE if convention == ROWS else f"{REWRITE_NOTE} {REWRITE_NAMES_NOTE}"


def _rewrites(writing: Writing) -> tuple[FormulaRow, ...]:
    rows = []
    for rewrite in dict.fromkeys(writing.program.rewrites):
        label = f"{rewrite.rule}, in {owner(rewrite.equation, writing.program)}"
        rows.append(FormulaRow(writing.rewrite(rewrite), label=label))
    return tuple(dict.fromkeys(rows))
