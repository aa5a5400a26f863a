"""Random recurrences, beside the same equations written out for each of their steps by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.drawing import steps_at_once
from fuzz.gradients import (
    FLOOR,
    GARBAGE,
    Outcome,
    as_the_verifier_reads,
    compared,
    differs,
    module_of,
    plain,
    sound_point,
    text_of,
)
from fuzz.modules import interpreted, with_garbage
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from random import Random

    from fuzz.gradients import Point

Spec = dict[str, Any]
Formula = Callable[["Step"], str]
"""A formula, as text of the recurrence or of one of its steps."""

ONE = ("tanh({})", "sin({})", "sigmoid({})", "({}) / (1 + ({})**2)", "relu({})", "0.3 * ({})")
TWO = ("{} + {}", "({}) * ({})", "{} - {}", "max({}, {})", "where({} > 0.1, {}, 0.2)", "({}) / (2 + ({})**2)")
DRAWN = (
    "0.3 * normal({})",
    "uniform({})",
    "training(bernoulli({}, p=0.7), 0.7)",
    "sum({x} * {w} * bernoulli({}, p=0.6), {d})",
)
MARK = re.compile(r"mark=-?\d+, place=§([^§]*)§(, )?")
"""What a draw is told for the oracle alone: which one of all it is, and the place of its entry.

One of a start, which may be read often and is the same, has a number below 0.
"""
STARTED = "started"
"""Around a start that draws, in a formula that reads it, which itself draws nothing by it."""
BEFORE = re.compile(r"(\w+)\[[^\]]*\bt [-+] (\d)")
IDENTIFIED = 0.5
"""The share of specs in parts that the judge of texts reads, too."""
WRITTEN_OUT = 0.3
"""The share of specs that symgrad computes as they are written out, too."""


@dataclass(frozen=True)
class State:
    """An equation of a recurrence: its indices, `t` among them, and the sizes of those that have one."""

    name: str
    indices: tuple[str, ...]
    sizes: dict[str, int]
    back: bool
    starts: dict[int, str] = field(default_factory=dict)
    """By how many steps before the first: formulas over the other indices, in braces."""

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(i for i in self.indices if i != "t")


@dataclass(frozen=True)
class Step:
    """What reads are in the text: those of any step, or of that with this number among so many."""

    number: int | None
    count: int

    def read(self, state: State, before: int, places: dict[str, str]) -> str:
        """An entry of a state some steps before."""
        here = {**{i: i for i in state.indices}, **places}
        if self.number is None:
            moved = f" {'+' if state.back else '-'} {before}" if before else ""
            return f"{state.name}[{', '.join('t' + moved if i == 't' else here[i] for i in state.indices)}]"
        step = self.number + (before if state.back else -before)
        if 0 <= step < self.count:
            return f"{state.name}_{step}[{', '.join(here[i] for i in state.others)}]"
        ahead = step - self.count + 1 if state.back else -step
        start = state.starts[ahead].format(**here)
        return f"{STARTED if 'mark=' in start else ''}({start})"

    def place(self) -> str:
        return "t" if self.number is None else str(self.number)


def place_of(mark: int, state: State, step: str, inner: Mapping[str, int] | None = None) -> str:
    """What a draw is told: the place of its entry among all of its equation, or of a start without a step."""
    sizes = {"t": "T", "n": "batch", **state.sizes, **(inner or {})}
    own = [i for i in (*state.indices, *(inner or {})) if step or i != "t"]
    place = "0"
    for index in own:
        place = f"({place}) * {sizes[index]} + {step if index == 't' else index}"
    return f"mark={mark}, place=§{place}§"


def unmarked(text: str) -> str:
    """What a spec says of it."""
    return MARK.sub("", text).replace(", )", ")")


class Recurrences:
    """Draws groups of states, each of which may read all of them some steps before, and those above."""

    def __init__(self, random: Random, has_choices: bool = False, has_draws: bool = False) -> None:
        self.random, self.count = random, random.randint(1, 6)
        self.has_choices, self.has_draws, self.draws = has_choices, has_draws, count()
        self.with_rows = random.random() < 0.85
        self.is_apart = random.random() < 0.5
        """Whether states read none below them, so that each is a circle of its own."""
        self.has_free_steps = self.with_rows and random.random() < 0.4
        self.inputs: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.states: list[State] = []
        self.equations: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.start_of: dict[tuple[str, int], str] = {}
        self.sizes = iter(random.sample([1, 2, 3, 4, 5], 5))
        self.letters = iter("")

    def one(self, options: Any) -> Any:
        return options[self.random.randrange(len(options))]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def parameter(self, *axes: int) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = {"axes": list(axes), "init": "normal(std=0.6)"}
        return name

    def series(self, size: int) -> str:
        """An input of every step."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = [*(["batch"] if self.with_rows else []), "T", size]
        return name

    # One group --------------------------------------------------------------------------------

    def group(self, number: int) -> None:
        """Some states, which go one way."""
        back, own = self.chance(0.4), []
        sizes = [next(self.sizes, 2), next(self.sizes, 3)]
        for _ in range(self.random.randint(1, 3)):
            name = f"{'hcrs'[number]}{len(own)}"
            letters = self.random.sample("ik", self.one((1, 1, 1, 2)))
            axes = ["t", *(["n"] if self.with_rows else []), *letters]
            if self.chance(0.5):
                self.random.shuffle(axes)
            else:
                axes = [*axes[1:2], "t", *axes[2:]] if self.with_rows else axes
            chosen = {letter: self.one(sizes) for letter in letters}
            own.append(State(name, tuple(axes), chosen, back))
        formulas = [self.formula(state, own, number) for number, state in enumerate(own)]
        for state, formula in zip(own, formulas, strict=True):
            head = self.head(state, state.indices)
            self.equations[f"{state.name}[{head}]"] = formula(Step(None, self.count))
            self.start_texts(state)
        for step in range(self.count)[:: -1 if back else 1]:
            for state, formula in zip(own, formulas, strict=True):
                head = self.head(state, state.others)
                self.written[f"{state.name}_{step}[{head}]"] = formula(Step(step, self.count))
        for state in own:
            parts = ", ".join(f"{state.name}_{step}" for step in range(self.count))
            self.written[state.name] = f"stack({parts}, axis={state.indices.index('t')})"
        self.states += own

    def head(self, state: State, indices: tuple[str, ...]) -> str:
        """The indices on the left, some with their ranges."""
        ranged = {i: f"{i}:{size}" for i, size in state.sizes.items() if size % 2}
        return ", ".join(ranged.get(i, i) for i in indices)

    def start_texts(self, state: State) -> None:
        for ahead, text in sorted(state.starts.items()):
            end = "T" if self.has_free_steps or ahead % 2 else str(self.count)
            end = "T" if ahead > 1 else end
            place = f"{end}{f' + {ahead - 1}' if ahead > 1 else ''}" if state.back else f"-{ahead}"
            key = f"{state.name}[{', '.join(place if i == 't' else i for i in state.indices)}]"
            self.equations[key] = self.start_of[state.name, ahead] = text.format(
                **{i: i for i in state.others}
            )

    def formula(self, state: State, group: list[State], number: int) -> Formula:
        """An anchor of all indices, and some terms."""
        self.letters = iter("jldabouvqefmw" * 3)
        parts = [self.anchor(state)]
        parts += [self.term(state, group, number) for _ in range(self.random.randint(1, 3))]
        if number == len(group) - 1 or self.chance(0.6):
            parts.append(self.before(state, self.one(group[: number + 1] if self.is_apart else group)))
        if self.is_apart and number:
            parts.append(self.before(state, self.one(group[:number])))
        whole = parts[0]
        for part in parts[1:]:
            whole = self.joined(whole, part)
        return self.wrapped(whole)

    def wrapped(self, inner: Formula) -> Formula:
        text = self.one(ONE)
        text = f"training({text}, 0.7 * {self.one(ONE)})" if self.has_choices and self.chance(0.5) else text
        return lambda step: text.format(*[inner(step)] * text.count("{}"))

    def joined(self, a: Formula, b: Formula) -> Formula:
        text = self.one(TWO)
        if self.has_choices and self.chance(0.3):
            return lambda step: f"{a(step)} + training({b(step)}, 0.2 - {b(step)})"
        return lambda step: text.format(*(a(step), b(step), b(step))[: text.count("{}")])

    def anchor(self, state: State) -> Formula:
        """What gives every index its range."""
        letters = list(state.sizes)
        name = self.series(state.sizes[letters[0]])
        rows = "n, " if self.with_rows else ""
        weights = self.parameter(*(state.sizes[i] for i in letters))
        inside = ", ".join(letters)
        return lambda step: f"{name}[{rows}{step.place()}, {letters[0]}] * {weights}[{inside}]"

    def term(self, state: State, group: list[State], number: int) -> Formula:
        above = [*self.states, *group[:number]]
        known = group[: number + 1] if self.is_apart else group
        kinds: list[Callable[[], Formula]] = [lambda: self.before(state, self.one(known)), self.constant]
        kinds += [lambda: self.driven(state)] + [lambda: self.same(state, self.one(above))] * bool(above)
        kinds += [lambda: self.before(state, self.one(above))] * bool(self.states)
        kinds += [lambda: self.drawn(state)] * 3 * self.has_draws
        return self.one(kinds)()

    def constant(self) -> Formula:
        text = self.one(("0.5", "1 / 3", "-0.7", "2"))
        return lambda _: text

    def driven(self, state: State) -> Formula:
        """A sum over what an input has at this step."""
        size, letter = self.one((1, 2, 3)), self.one(list(state.sizes))
        name, weights = self.series(size), self.parameter(size, state.sizes[letter])
        rows, d = "n, " if self.with_rows else "", next(self.letters)
        return lambda step: f"sum({name}[{rows}{step.place()}, {d}] * {weights}[{d}, {letter}], {d})"

    def drawn(self, state: State) -> Formula:
        """Numbers drawn anew at every step, or for what is summed there."""
        mark, kind = next(self.draws), self.one(DRAWN)
        if "{x}" not in kind:
            return lambda step: kind.format(place_of(mark, state, step.place()))
        size, letter, d = self.one((1, 2, 3)), next(iter(state.sizes)), next(self.letters)
        name, weights = self.series(size), self.parameter(size, state.sizes[letter])
        rows = "n, " if self.with_rows else ""

        def text(step: Step) -> str:
            place = place_of(mark, state, step.place(), {d: size})
            return kind.format(
                place, x=f"{name}[{rows}{step.place()}, {d}]", w=f"{weights}[{d}, {letter}]", d=d
            )

        return text

    def same(self, state: State, other: State) -> Formula:
        """A state above at the same step."""
        return self.reading(state, other, 0)

    def before(self, state: State, other: State) -> Formula:
        """A state one to three steps before, with a start of every kind."""
        before = self.one((1, 1, 2, 3) if other == state else (1, 2, 3))
        for ahead in range(1, before + 1):
            if ahead not in other.starts:
                other.starts[ahead] = self.start(other)
        if other in self.states:
            self.start_texts(other)
        return self.reading(state, other, before)

    def reading(self, state: State, other: State, before: int) -> Formula:
        """An entry where the sizes fit, or a sum over all that the other has at that step."""
        fits = all(state.sizes.get(i) == size for i, size in other.sizes.items())
        if fits and self.chance(0.5):
            return lambda step: step.read(other, before, {})
        letters = list(other.sizes)
        places = {letter: next(self.letters) for letter in letters}
        weights = self.parameter(*other.sizes.values(), state.sizes[next(iter(state.sizes))])
        own = next(iter(state.sizes))
        bound = [places[i] for i in letters]
        kind = self.one(("sum", "sum", "sum", "logsumexp", "max", "mean"))

        def text(step: Step) -> str:
            product = f"{step.read(other, before, places)} * {weights}[{', '.join(bound)}, {own}]"
            return f"{kind}({product}, {', '.join(bound)})"

        return text

    def start(self, state: State) -> str:
        """One start, or one of training and another of inference."""
        if self.has_choices and self.chance(0.4):
            return f"training({self.one_start(state)}, {self.one_start(state)})"
        return self.one_start(state)

    def one_start(self, state: State) -> str:
        """A number, an input, a parameter, or what is computed of one."""
        kinds = ("zero", "number", "input", "parameter", "formula", "value")
        kind = self.one((*kinds, "drawn", "drawn") if self.has_draws else kinds)
        if kind == "drawn":
            marked = place_of(-1 - next(self.draws), state, "")
            for index in state.others:
                marked = re.sub(rf"\b{index}\b", f"{{{index}}}", marked)
            return self.one(DRAWN[:3]).format(marked)
        if kind in ("zero", "number"):
            return "0" if kind == "zero" else str(self.one(("1", "0.5", "-2")))
        letters = [f"{{{i}}}" for i in state.others if i != "n"]
        sizes = [state.sizes[i] for i in state.others if i != "n"]
        if kind == "input" and self.with_rows:
            name = f"g{len(self.inputs)}"
            self.inputs[name] = ["batch", *sizes]
            return f"{name}[{{n}}, {', '.join(letters)}]"
        name = self.parameter(*sizes)
        text = f"{name}[{', '.join(letters)}]"
        if kind == "value":
            value = f"v{len(self.equations)}_{name}"
            made = {value: f"tanh({name}) / 2"}
            self.equations, self.written = {**made, **self.equations}, {**made, **self.written}
            text = f"{value}[{', '.join(letters)}]"
        return text if kind == "parameter" else f"sin({text}) + 0.2"

    # What is made of them ---------------------------------------------------------------------

    def in_order(self) -> tuple[list[str], list[str]]:
        """The formulas of equations, and those of starts in the order in which they are first read."""
        starts = [*self.start_of.values()]
        formulas = [f for f in self.equations.values() if not any(f is start for start in starts)]
        read: dict[tuple[str, int], None] = {}
        for name, steps in (found for text in formulas for found in BEFORE.findall(unmarked(text))):
            read |= dict.fromkeys((name, step) for step in range(1, int(steps) + 1))
        return formulas, [self.start_of[key] for key in read if key in self.start_of]

    def results(self) -> list[str]:
        """Equations behind the recurrences: the last step, all of them reversed or turned, steps weighed."""
        names = []
        for number, state in enumerate(self.states):
            square = [i for i, size in state.sizes.items() if size == self.count and not self.has_free_steps]
            kind = self.one(("whole", "last", "reversed", "weighed", *(["turned"] * len(square))))
            others = ", ".join(state.others)
            count = "T" if self.has_free_steps else str(self.count)
            if kind == "whole" or (self.has_free_steps and kind == "weighed"):
                names.append(state.name)
                continue
            name = f"y{number}"
            place = {"last": f"{count} - 1", "reversed": f"{count} - 1 - t"}.get(kind, "t")
            entry = f"{state.name}[{', '.join(place if i == 't' else i for i in state.indices)}]"
            left = f"{name}[{others}]"
            if kind in ("reversed", "turned"):
                left = f"{name}[{', '.join(f't:{count}' if i == 't' else i for i in state.indices)}]"
            if kind == "turned":  # steps and places of as many change places
                other = {"t": square[0], square[0]: "t"}
                entry = f"{state.name}[{', '.join(other.get(i, i) for i in state.indices)}]"
            if kind == "weighed":
                entry = f"sum({entry} * {self.parameter(self.count)}[t], t)"
            self.equations[left] = self.written[left] = entry
            names.append(name)
        return names


def recurrent_spec(random: Random) -> Spec:
    """One or two groups of states; `written` are the equations for each step, which only the judge reads."""
    draw = Recurrences(random)
    for number in range(random.choice((1, 1, 2))):
        draw.group(number)
    return spec_of(draw, draw.results())


def spec_of(draw: Recurrences, names: list[str]) -> Spec:
    """The spec of what was drawn, with a loss over what these equations define."""
    loss = " + ".join(f"mean(({name} - {0.1 * n:.1f})**2)" for n, name in enumerate(names, 1))
    axes = {} if draw.has_free_steps else {"T": draw.count}
    given = [name for name in draw.inputs if draw.chance(0.4)]
    goes_on = any(BEFORE.search(formula) for formula in draw.equations.values())
    parts = steps_at_once(draw.random, draw.count) if goes_on else {}
    return {
        "name": "recurrent",
        "dtype": "float64",
        "axes": axes,
        "inputs": draw.inputs,
        "parameters": draw.parameters,
        "equations": {key: unmarked(formula) for key, formula in draw.equations.items()},
        "outputs": names,
        "loss": loss,
        "gradients": given,
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1, **parts},
        "steps": draw.count,
        "written": draw.written,
        "marked": draw.in_order(),
    }


def step_by_step(spec: Spec) -> Spec:
    """The spec with an equation for each step, where it has recurrences."""
    if "written" not in spec:
        return plain(spec)
    train = {key: value for key, value in spec["train"].items() if key != "steps_at_once"}
    fixed = {"axes": {"T": spec["steps"]}, "equations": spec["written"], "train": train}
    return {**plain(spec), **fixed, **spec.get("instead", {})}


def judge_recurrent(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The module against the same equations written out step by step, by the oracle, and by symgrad."""
    own, written, steps = plain(spec), step_by_step(spec), int(spec["steps"])
    text = text_of(own, by_rows)
    module = interpreted(text)
    point = sound_point(written, dict(module.SHAPES), random, {"T": steps})
    if point is None:
        return Outcome("unsound")
    outcomes = []
    for garbage in GARBAGE:
        filled = with_garbage(module, garbage)
        outcomes += [compared(own, filled, point), _in_time(filled, point, steps)]
    outcomes.append(as_the_verifier_reads(own, point))
    if "steps_at_once" in own["train"] and random.random() < IDENTIFIED:
        outcomes.append(_identical(own, text))
    if random.random() < WRITTEN_OUT and "instead" not in spec:
        outcomes.append(compared(written, module_of(written, by_rows), point))
    return next((outcome for outcome in outcomes if outcome.failed), outcomes[0])


def _identical(spec: Spec, text: str) -> Outcome:
    """Whether the judge reads the spec in the text, and finds that all is written before it is read."""
    found = identity_of(expand(read(spec)), text)
    return Outcome("not identical", found.detail) if found.is_wrong else Outcome("right")


def _in_time(module: Any, point: Point, count: int) -> Outcome:
    """One step of time after the other, where the module has such, against the outputs by the oracle."""
    if not hasattr(module, "step"):
        return Outcome("right")
    params = module.unflatten(
        np.concatenate([np.empty(0), *(point.arrays[n].ravel() for n in module.SHAPES)])
    )
    steps, carry, found = module.STEPS, None, []
    inputs = {name: point.arrays[name] for name in module.STEP_INPUTS}
    for number in range(count):
        given = (a.take(number, steps[name]) if name in steps else a for name, a in inputs.items())
        predicted, carry = module.step(params, carry, *given)
        found.append(predicted if isinstance(predicted, tuple) else (predicted,))
    rounded = [meaning.outputs for meaning in point.rounded]
    for place, (name, right) in enumerate(zip(module.PREDICTED, point.exact.outputs, strict=True)):
        each = [one[place] for one in found]
        ours = np.stack(each, steps[name]) if name in steps else each[-1]
        noise = [np.ravel(outputs[place]) for outputs in rounded]
        if wrong := differs(np.ravel(ours), np.ravel(right), noise, FLOOR["float64"]):
            return Outcome("wrong step", f"{name}: {wrong}")
    return Outcome("right")
