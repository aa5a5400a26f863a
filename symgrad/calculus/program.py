"""Programs of tensor equations: the one type that every stage of the calculus reads and returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import sympy as sp

from symgrad.calculus.axes import Axes, Axis, is_inside, letters, standard_indices
from symgrad.calculus.terms import Entry, drawn, entries, indices_in, leading, with_indices
from symgrad.errors import InternalError
from symgrad.spec.reductions import Primitive

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from symgrad.spec.language.sizes.size_forms import SizeForm, Whole
    from symgrad.spec.model import NextValue

Reduction: TypeAlias = Literal["none", "norm"] | Primitive
"""What an equation does over its bound indices; a norm, the Euclidean one, is formed by optimisers alone."""
Kind: TypeAlias = Literal[
    "input",
    "target",
    "constant",
    "parameter",
    "value",
    "derivative",
    "temporary",
    "cotangent",
    "direction",
    "tangent",
    "state",
    "hyper",
    "carried",
]


@dataclass(frozen=True)
class Carried:
    """What a recurrence hands from step to step: a tensor that has, at each place along its axis number
    `along`, what `source` has one place before it, or behind it where it runs `back`.

    At the first step it has `start`, which lacks that axis, or 0 without one.
    """

    source: str
    along: int
    back: bool
    start: str = ""

    @property
    def reads(self) -> frozenset[str]:
        """The tensors that it hands on."""
        return frozenset((self.source, self.start) if self.start else (self.source,))

    def __str__(self) -> str:
        first, where = ("last", "later") if self.back else ("first", "before")
        return f"{self.source} one step {where}, {self.start or '0'} at the {first}"


@dataclass(frozen=True)
class Tensor:
    """A name with its axes. `classes` marks integer labels below that number, `ignore` the label of none.

    A cotangent that is the whole derivative of the loss with respect to a tensor is `of` that tensor, and so
    are what a step of training gives to it, the direction in which it changes, and its tangent, what it
    changes by there. One that a formula asks for is that of a tensor `by` others.
    Where its axes lie in another `order` than the spec has them in, that says which of these lies where.
    One that is `carried` from step to step of a recurrence has no equation: it is read below what it starts
    with and above what it is made of, by equations that hold at every step. What is given and may hold -inf,
    as where a step takes what another one carried on, `hides` entries.
    """

    name: str
    axes: Axes
    kind: Kind
    classes: int | None = None
    ignore: int | None = None
    of: str = ""
    by: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    carried: Carried | None = None
    hides: bool = False

    @property
    def is_integer(self) -> bool:
        return self.classes is not None

    @property
    def is_slope(self) -> bool:
        """Whether it is a derivative, or made of derivatives."""
        return self.kind in ("cotangent", "tangent")


@dataclass(frozen=True)
class Loop:
    """An index and the axis it runs over."""

    index: sp.Symbol
    axis: Axis


@dataclass(frozen=True)
class Equation:
    """`target[indices] = reduction over the loops that are not in the indices of body`.

    With indices that are not distinct loop indices, `X[2*i + u]` say, the equation
    accumulates a sum there, onto 0 or `onto` the entries of another tensor, which nothing else reads.
    """

    target: str
    indices: tuple[sp.Expr, ...]
    loops: tuple[Loop, ...]
    reduction: Reduction
    body: sp.Expr
    onto: str = ""

    @cached_property
    def scatters(self) -> bool:
        """Whether terms are added into entries, each as often as the indices name it: a scatter-add.

        Otherwise the indices are distinct loop indices, and each entry is written once.
        """
        symbols = [i for i in self.indices if isinstance(i, sp.Symbol)]
        return not len(symbols) == len(self.indices) == len(set(symbols))

    @cached_property
    def free(self) -> tuple[Loop, ...]:
        """The loops over the target's entries, in the order of the indices."""
        by_index = {loop.index: loop for loop in self.loops}
        return tuple(by_index[i] for i in self.indices if i in by_index)

    @cached_property
    def bound(self) -> tuple[Loop, ...]:
        """The loops that are reduced."""
        used = set() if self.scatters else {loop.index for loop in self.free}
        return tuple(loop for loop in self.loops if loop.index not in used)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names of the tensors whose entries the body or the indices use, or that it adds onto."""
        inside = [self.body, *self.indices]
        found = (entry.tensor for expr in inside for entry in expr.atoms(Entry))
        return frozenset((*found, self.onto) if self.onto else found)

    @cached_property
    def accesses(self) -> tuple[Entry, ...]:
        """The entries that the body reads, and the one it defines."""
        return (*entries(self.body), Entry(self.target, self.indices))

    @cached_property
    def body_indices(self) -> frozenset[sp.Symbol]:
        """The indices that stand in the body."""
        return indices_in(self.body)

    @property
    def is_elementwise(self) -> bool:
        return self.reduction == "none"

    @cached_property
    def is_by_parts(self) -> bool:
        """Whether it is computed part by part of a recurrence."""
        return any(loop.axis.of_parts for loop in self.loops)

    @property
    def is_one_number(self) -> bool:
        """Whether the target is a single number made of numbers, all of it written at once."""
        return not self.indices and not self.loops

    def at(self, indices: Iterable[sp.Expr]) -> sp.Expr:
        """The body of an elementwise equation with the target's indices replaced."""
        return self.body.xreplace(dict(zip(self.indices, indices, strict=True)))

    def with_body(self, body: sp.Expr) -> Equation:
        """The equation of another body; itself where that is the same."""
        return self if body == self.body else replace(self, body=body)

    def renamed(self, names: Mapping[sp.Symbol, sp.Expr]) -> Equation:
        """The equation with other indices: these names of its loops for those."""
        return Equation(
            self.target,
            tuple(with_indices(index, names) for index in self.indices),
            tuple(Loop(with_indices(loop.index, names), loop.axis) for loop in self.loops),
            self.reduction,
            with_indices(self.body, names),
            self.onto,
        )

    def __str__(self) -> str:
        left = str(Entry(self.target, self.indices))
        over = ", ".join(str(loop.index) for loop in self.bound)
        body = f"{self.reduction}_{{{over}}} {self.body}" if self.reduction != "none" else str(self.body)
        begun = f", onto {self.onto}" if self.onto else ""
        return f"{left} {'+=' if self.scatters else '='} {body}{begun}"


@dataclass(frozen=True)
class Rewrite:
    """One application of a rewrite rule: which, where, before and after."""

    rule: str
    equation: str
    before: sp.Expr
    after: sp.Expr


@dataclass(frozen=True)
class Gradient:
    """The tensor that holds the derivative of the loss with respect to another.

    One that `accumulates` a gradient is a vector to which that gradient is added: name ← keep·name + scale·g.
    """

    of: str
    name: str
    accumulates: str = ""


@dataclass(frozen=True)
class Program:
    """Equations in an order in which every name is defined before it is used.

    `next_values` are what states of the model become in a step of training. Where training and inference
    differ, the loss and the gradient are those of training, outputs, prediction and `evaluation`, a loss that
    is not learnt from, those of inference.
    """

    tensors: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[str, ...]
    loss: str | None
    prediction: tuple[str, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    next_values: tuple[NextValue, ...] = ()
    evaluation: str | None = None
    rewrites: tuple[Rewrite, ...] = ()

    @cached_property
    def tensor(self) -> Mapping[str, Tensor]:
        """Tensors by name."""
        return {t.name: t for t in self.tensors}

    @cached_property
    def cotangent(self) -> Mapping[str, str]:
        """The name of the derivative of the loss with respect to a tensor."""
        return {t.of: t.name for t in self.of_kind("cotangent") if t.of}

    @cached_property
    def definition(self) -> Mapping[str, Equation]:
        """Equations by target."""
        return {e.target: e for e in self.equations}

    @cached_property
    def accumulated(self) -> Mapping[str, str]:
        """The gradient that is added to each vector while it is formed."""
        return {g.name: g.accumulates for g in self.gradients if g.accumulates}

    @cached_property
    def renewed(self) -> Mapping[str, str]:
        """Where gradients are added to a vector, what takes the place of each state there: its next value."""
        return {found.state: found.equation for found in self.next_values} if self.accumulated else {}

    @cached_property
    def results(self) -> frozenset[str]:
        """What the program is for: loss, outputs, prediction, gradients, next values of states, and what
        it hands from step to step.
        """
        return self.asked_for.union(*(carried.reads for carried in self.carried.values()))

    @cached_property
    def asked_for(self) -> frozenset[str]:
        """What the program is for, of itself."""
        found = [*(g.name for g in self.gradients), *(n.equation for n in self.next_values)]
        found += [name for name in (self.loss, self.evaluation) if name]
        return frozenset((*self.outputs, *self.prediction, *found))

    @cached_property
    def carried(self) -> Mapping[str, Carried]:
        """What is carried from step to step, of the tensors that equations need, by name."""
        found = {t.name: t.carried for t in self.tensors if t.carried is not None}
        if not found:
            return {}
        read = set[str]().union(*(e.reads for e in self.equations))
        for _ in found:
            read |= {n for name, c in found.items() if name in read for n in c.reads}
        return {name: carried for name, carried in found.items() if name in read}

    @cached_property
    def draws(self) -> bool:
        """Whether numbers are drawn."""
        return any(isinstance(equation.body, drawn) for equation in self.equations)

    @property
    def handed_on(self) -> tuple[Tensor, ...]:
        """The tensors that are carried from step to step."""
        return tuple(t for t in self.tensors if t.name in self.carried)

    @property
    def declared(self) -> tuple[Tensor, ...]:
        """Inputs, targets, constants and parameters."""
        kinds: tuple[Kind, ...] = ("input", "target", "constant", "parameter")
        return tuple(t for kind in kinds for t in self.of_kind(kind))

    @cached_property
    def free_axes(self) -> tuple[Axis, ...]:
        """The axes whose sizes the data decides: those of tensors, then those that loops alone run over."""
        of_tensors = (axis for tensor in self.tensors for axis in tensor.axes)
        of_loops = (loop.axis for equation in self.equations for loop in equation.loops)
        return tuple(dict.fromkeys(axis.at_large for axis in (*of_tensors, *of_loops) if axis.is_free))

    @cached_property
    def extents(self) -> Mapping[sp.Symbol, Whole]:
        """The sizes of axes that only the data decides, by the symbols that stand for them."""
        return {axis.extent: axis.whole for axis in self.free_axes}

    @cached_property
    def derived_sizes(self) -> Mapping[str, SizeForm]:
        """The sizes that follow from those of free axes, by the names of their axes."""
        return {str(axis.name): axis.form for axis in self.free_axes if axis.form is not None}

    def all_sizes(self, free: Mapping[str, int]) -> dict[str, int]:
        """The sizes of all axes that have no number, where the free ones have these."""
        return {**free, **{name: form.at(free) for name, form in self.derived_sizes.items()}}

    @cached_property
    def size_names(self) -> frozenset[str]:
        """The names of the free axes, which stand for their sizes in formulas."""
        return frozenset(str(axis.name) for axis in self.free_axes)

    @cached_property
    def names(self) -> frozenset[str]:
        """What formulas call tensors and sizes: no index that a reader sees bears one of these names."""
        return frozenset((*self.size_names, *self.tensor))

    def of_kind(self, kind: Kind) -> tuple[Tensor, ...]:
        return tuple(t for t in self.tensors if t.kind == kind)

    def needed(self, results: Iterable[str]) -> set[str]:
        """The tensors that some results depend on, and these."""
        found = set(results)
        while True:
            for equation in reversed(self.equations):
                if equation.target in found:
                    found |= equation.reads
            handed_on = {n for name, c in self.carried.items() if name in found for n in c.reads} - found
            if not handed_on:
                return found
            found |= handed_on

    def giving(self, outputs: Iterable[str]) -> Program:
        """The program of some outputs alone."""
        outputs = tuple(outputs)
        needed = self.needed(outputs)
        return replace(
            self,
            outputs=outputs,
            equations=tuple(e for e in self.equations if e.target in needed),
            next_values=(),
            evaluation=None,
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.equations))


def depending_on(program: Program, names: Iterable[str]) -> set[str]:
    """The tensors of these names, and all that is made of them, by what recurrences carry too."""
    found = set(names)
    while True:
        for equation in program.equations:
            if equation.reads & found:
                found.add(equation.target)
        carried = {name for name, c in program.carried.items() if c.reads & found} - found
        if not carried:
            return found
        found |= carried


def check(program: Program, before: Program | None = None) -> Program:
    """The program itself, if every use is defined and every rank and axis fits.

    What it has in common with a program `before`, which was found right, is not looked at again.

    Raises:
        InternalError: a stage broke its promise.
    """
    given = ("input", "target", "constant", "parameter", "direction", "state", "hyper")
    defined = {t.name for t in program.tensors if t.kind in given}
    known = _known(program, before) if before else frozenset()
    for equation in program.equations:
        defined |= {n for n in equation.reads - defined if _is_started(program, n, defined)}
        _check_order(program, equation, defined)
        if id(equation) not in known:
            _check_places(program, equation)
        defined.add(equation.target)
    missing = program.results - defined - program.carried.keys()
    if missing:
        raise InternalError(f"never defined: {sorted(missing)}")
    return program


def _is_started(program: Program, name: str, defined: set[str]) -> bool:
    """Whether a tensor is carried, and what it starts with is there."""
    carried = program.carried.get(name)
    if carried is None:
        return False
    return not carried.start or carried.start in defined or _is_started(program, carried.start, defined)


def _known(program: Program, before: Program) -> frozenset[int]:
    """The equations of the program before whose tensors and sizes are still the same."""
    if program.extents != before.extents:
        return frozenset()
    changed = {t.name for t in before.tensors if program.tensor.get(t.name) is not t}
    return frozenset(id(e) for e in before.equations if not changed & (e.reads | {e.target}))


def _check_order(program: Program, equation: Equation, defined: set[str]) -> None:
    """Demand that an equation reads what others above it define, and defines what none of them does."""
    if undefined := equation.reads - defined:
        raise InternalError(f"{sorted(undefined)} used before definition in {equation}")
    if equation.target in defined:
        raise InternalError(f"{equation.target} is defined twice")
    if equation.onto and not _may_add_onto(program, equation):
        raise InternalError(f"{equation.onto} cannot be added to in {equation}")


def _check_places(program: Program, equation: Equation) -> None:
    """Demand that the indices of an equation stay within the axes of its tensors."""
    loops = {loop.index: loop.axis for loop in equation.loops}
    if stray := equation.body_indices - loops.keys():
        raise InternalError(f"free index {stray} in {equation}")
    for entry in equation.accesses:
        axes, indices = program.tensor[entry.tensor].axes, entry.indices
        if len(axes) != len(indices):
            raise InternalError(f"{entry} has rank {len(axes)} in {equation}")
        for index, axis in zip(indices, axes, strict=True):
            if not isinstance(index, Entry) and not _stays_inside(index, axis, loops, program.extents):
                raise InternalError(f"index {index} of {entry} leaves {axis} in {equation}")


def _may_add_onto(program: Program, equation: Equation) -> bool:
    """Whether the equation can go on where the sum of another of this shape ends, which nobody else needs."""
    begun, whole = (program.tensor[name] for name in (equation.onto, equation.target))
    readers = [e.target for e in program.equations if begun.name in e.reads]
    is_alone = readers == [equation.target] and begun.name not in program.results
    same_shape = [a.extent for a in begun.axes] == [a.extent for a in whole.axes]
    return equation.scatters and program.definition[begun.name].scatters and is_alone and same_shape


def _stays_inside(
    index: sp.Expr, axis: Axis, loops: Mapping[sp.Symbol, Axis], sizes: Mapping[sp.Symbol, Whole]
) -> bool:
    """Whether an index alone runs over the very axis, and an affine form over nothing but entries of it."""
    if isinstance(index, sp.Symbol):
        return index in loops and loops[index].fits(axis)
    return is_inside(index, axis, loops, sizes)


def with_places_told(equation: Equation, tensors: Mapping[str, Tensor]) -> Equation:
    """The equation that reads X[leading(j)] where it reads X[j] of an axis longer than j runs.

    That is what a form leaves where a number is put into it, X[j + k] at k = 0.
    """
    axis_of = {loop.index: loop.axis for loop in equation.loops}

    def told(index: sp.Expr, axis: Axis) -> sp.Expr:
        return leading(index) if index in axis_of and axis_of[index].is_shorter(axis) else index

    changes = {}
    for entry in entries(equation.body):
        places = tuple(map(told, entry.indices, tensors[entry.tensor].axes))
        if any(new != index for new, index in zip(places, entry.indices, strict=False)):
            changes[entry] = Entry(entry.tensor, places)
    if not changes:
        return equation
    return with_places_told(equation.with_body(equation.body.xreplace(changes)), tensors)


def canonical(equation: Equation) -> Equation:
    """The same equation with standard index names: n, m, ... for free axes, i, j, k, ... for others."""
    indices = standard_indices(loop.axis for loop in equation.loops)
    return _called(equation, {loop.index: index for loop, index in zip(equation.loops, indices, strict=True)})


def as_read(equation: Equation, taken: Collection[str]) -> Equation:
    """The same equation with the indices that a reader knows: those of the user's formulas, none `taken`."""
    return _called(equation, letters_of(equation, taken))


def letters_of(equation: Equation, taken: Collection[str]) -> dict[sp.Symbol, sp.Symbol]:
    """What a reader knows the indices of an equation by, none of the `taken` names."""
    indices = letters([loop.axis for loop in equation.loops], taken)
    return {loop.index: index for loop, index in zip(equation.loops, indices, strict=True)}


def letters_in(program: Program) -> frozenset[str]:
    """What formulas call the indices along the axes of a program."""
    of_tensors = (axis for tensor in program.tensors for axis in tensor.axes)
    of_loops = (loop.axis for equation in program.equations for loop in equation.loops)
    return frozenset(axis.letter for axis in (*of_tensors, *of_loops))


def _called(equation: Equation, names: Mapping[sp.Symbol, sp.Symbol]) -> Equation:
    is_so = all(index is name for index, name in names.items())
    return equation if is_so else equation.renamed(names)
