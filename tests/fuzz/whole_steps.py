"""Random recurrences over whole steps, layers and networks inside, beside the same written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw, steps_at_once

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
Formula = Callable[["Step"], str]
"""A formula of [batch, size] numbers, as text of the recurrence or of one of its steps."""

ONE = ("tanh({})", "sin({})", "sigmoid({})", "({}) / (1 + ({})**2)", "relu({})", "softmax({})", "0.3 * ({})")
TWO = ("{} + {}", "({}) * ({})", "({}) - ({})", "max({}, {})", "where({} > 0.1, {}, 0.2 * ({}))")
LAYERS = (
    "dense({}, {n})",
    "dense({}, {n}, bias=false)",
    "dense({}, {n}, activation=tanh)",
    "glu({}, {n})",
    "maxout({}, {n}, pieces=2)",
)
NORMS = ("layer_norm({})", "rms_norm({})")


@dataclass(frozen=True)
class State:
    """What an equation of each step gives: so many numbers a row."""

    name: str
    size: int
    starts: dict[int, str] = field(default_factory=dict)
    """By how many steps before the first."""


@dataclass(frozen=True)
class StepNetwork:
    """A network's arguments, by their sizes, the size of its value, and its value of these written out."""

    name: str
    takes: tuple[int, ...]
    gives: int
    value: Callable[..., str]


@dataclass(frozen=True)
class Step:
    """What reads are in the text: those of any step, or of that with this number among so many."""

    number: int | None
    count: int


class WholeSteps(Draw):
    """Draws equations of each step, which may read all of them some steps before, and those above."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.count, self.back = self.whole(1, 6), self.chance(0.35)
        self.along = 0 if self.chance(0.2) else 1
        self.has_free_steps = self.chance(0.4)
        self.is_apart = self.chance(0.5)
        """Whether states read none below them, so that each is a circle of its own."""
        self.sizes = random.sample([1, 2, 3, 4, 5], 3)
        self.inputs: dict[str, Any] = {"x0": ["batch", "T", self.one(self.sizes)]}
        self.parameters: dict[str, Any] = {}
        self.made: dict[str, Any] = {}
        self.networks: dict[str, Any] = {}
        self.known: list[StepNetwork] = []
        self.states = [State(f"h{n}", self.one(self.sizes)) for n in range(self.whole(1, 4))]

    def parameter(self, *axes: int) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = {"axes": list(axes), "init": "normal(std=0.6)"}
        return name

    # Networks ---------------------------------------------------------------------------------

    def network(self) -> None:
        """One of a chain of layers over its arguments side by side, or of equations with layers."""
        name = f"f{len(self.known)}"
        takes = tuple(self.one(self.sizes) for _ in range(self.whole(1, 2)))
        gives, inner = self.one(self.sizes), self.one(self.sizes)
        arguments = "uv"[: len(takes)]
        w, b, v, c = (f"{name}_{letter}" for letter in ("W1", "b1", "W2", "b2"))
        activation = self.one(("tanh", "silu", "sigmoid"))
        if self.chance(0.5):
            body: Any = [f"dense({inner}, activation={activation})", f"dense({gives})"]

            def value(*given: str) -> str:
                x = given[0] if len(given) == 1 else f"concat({', '.join(given)}, axis=1)"
                return f"({activation}(({x}) @ {w} + {b}) @ {v} + {c})"

        else:
            w, b, v, c = (f"{name}_{letter}" for letter in ("m_W", "m_b", "W", "b"))
            factor = "mean({}, axis=-1, keepdims=true)" if len(takes) > 1 else "0.7"
            last = f"dense(m, {gives}) * {factor.format('v')}"
            body = {"equations": {"m": f"{activation}(dense(u, {inner}))", name: last}}

            def value(*given: str) -> str:
                inside = f"({activation}(({given[0]}) @ {w} + {b}) @ {v} + {c})"
                return f"{inside} * {factor.format(given[-1])}"

        self.networks[f"{name}({', '.join(arguments)})"] = body
        first = sum(takes) if isinstance(body, list) else takes[0]
        for parameter, axes in ((w, [first, inner]), (b, [inner]), (v, [inner, gives]), (c, [gives])):
            self.made[parameter] = axes
        self.known.append(StepNetwork(name, takes, gives, value))

    # Formulas ---------------------------------------------------------------------------------

    def formula(self, number: int, size: int, depth: int) -> Formula:
        """A formula of this size for the state with this number, which reads those above at its own step."""
        fitting = [network for network in self.known if network.gives == size]
        kinds: list[Callable[[], Formula]] = [lambda: self.leaf(number, size)]
        if depth:
            kinds = [lambda: self.layer(number, size, depth - 1)] * 2
            kinds += [lambda: self.called(number, self.one(fitting), depth - 1)] * 3 * bool(fitting)
            kinds += [lambda: self.combined(number, size, depth - 1)] * 2
            kinds += [lambda: self.weighed(number, size, depth - 1)]
        return self.one(kinds)()

    def leaf(self, number: int, size: int) -> Formula:
        """What is read: an input, a state at its step or before; of another size, as much of it as fits."""
        known = self.states[: number + 1] if self.is_apart else self.states
        readable = [lambda: self.read(self.one(known), self.one((1, 1, 2, 3)))] * 2
        readable += [lambda: self.read(self.one(self.states[:number]), 0)] * bool(number)
        readable += [lambda: self.read(self.one(known[:-1]), self.one((2, 3)))] * (
            self.is_apart and number > 0
        )
        readable += [self.driven]
        found, given = self.one(readable)()
        if given == size:
            return found
        if given > size and self.chance(0.5):
            first = self.whole(0, given - size)
            return lambda step: f"{found(step)[:-1]}, {first}:{first + size}]"
        matrix = self.parameter(given, size)
        return lambda step: f"({found(step)} @ {matrix})"

    def driven(self) -> tuple[Formula, int]:
        """An input at its step."""
        if self.chance(0.4):
            self.inputs[f"x{len(self.inputs)}"] = ["batch", "T", self.one(self.sizes)]
        name = self.one([name for name in self.inputs if name.startswith("x")])
        return (lambda step: f"{name}[:, {self.place(step)}]"), self.inputs[name][2]

    def place(self, step: Step) -> str:
        return "t" if step.number is None else str(step.number)

    def read(self, state: State, before: int) -> tuple[Formula, int]:
        """A state some steps before."""
        for ahead in range(1, before + 1):
            state.starts.setdefault(ahead, self.start(state))

        def text(step: Step) -> str:
            colon = ":, " * self.along
            if step.number is None:
                moved = f" {'+' if self.back else '-'} {before}" if before else ""
                return f"{state.name}[{colon}t{moved}{', :' * (1 - self.along)}]"
            at = step.number + (before if self.back else -before)
            if 0 <= at < step.count:
                return f"{state.name}_{at}[:]"
            return f"{state.name}_start{at - step.count + 1 if self.back else -at}[:]"

        return text, state.size

    def layer(self, number: int, size: int, depth: int) -> Formula:
        if self.chance(0.2):
            inner, text = self.formula(number, size, depth), self.one(NORMS)
        elif self.chance(0.3):
            parts = [self.formula(number, self.one(self.sizes), depth) for _ in range(2)]
            layer = self.one(LAYERS[:3])
            return lambda step: layer.format(f"concat({parts[0](step)}, {parts[1](step)})", n=size)
        else:
            inner, text = self.formula(number, self.one(self.sizes), depth), self.one(LAYERS)
        return lambda step: text.format(inner(step), n=size)

    def called(self, number: int, network: StepNetwork, depth: int) -> Formula:
        given = [self.formula(number, size, depth) for size in network.takes]

        def text(step: Step) -> str:
            parts = [part(step) for part in given]
            return f"{network.name}({', '.join(parts)})" if step.number is None else network.value(*parts)

        return text

    def combined(self, number: int, size: int, depth: int) -> Formula:
        a, b = self.formula(number, size, depth), self.formula(number, size, max(0, depth - 1))
        one, two = self.one(ONE), self.one(TWO)

        def text(step: Step) -> str:
            both = two.format(*(a(step), b(step), b(step))[: two.count("{}")])
            return one.format(*[both] * one.count("{}"))

        return text

    def weighed(self, number: int, size: int, depth: int) -> Formula:
        inner, vector = self.formula(number, size, depth), self.parameter(size)
        text = self.one(("({}) * {p} + 0.1", "(({}) - mean({}, axis=-1, keepdims=true)) * {p}"))
        return lambda step: text.format(*[inner(step)] * text.count("{}"), p=vector)

    def start(self, state: State) -> str:
        """A number, an input, a parameter, or what is computed of one."""
        kind = self.one(("0", "0.5", "input", "input", "parameter", "formula"))
        if kind in ("0", "0.5"):
            return kind
        if kind == "parameter":
            return self.parameter(state.size)
        name = f"g{len(self.inputs)}"
        self.inputs[name] = ["batch", state.size]
        return name if kind == "input" else f"sin({name}) + 0.2"

    # What is made of them ---------------------------------------------------------------------

    def left(self, state: State) -> str:
        """The left side, with all sizes where a start does not say them."""
        is_small = any(not any(c in text for c in "gi") for text in state.starts.values())
        rows = ":batch" if not self.along else ":"
        steps = f"t:{'T' if self.has_free_steps else self.count}"
        said = [rows, f":{state.size}"] if is_small else [":"]
        said.insert(self.along, steps)
        return f"{state.name}[{', '.join(said)}]"

    def start_key(self, state: State, ahead: int) -> str:
        end = "T" + (f" + {ahead - 1}" if ahead > 1 else "")
        place = end if self.back else f"-{ahead}"
        return f"{state.name}[{':, ' * self.along}{place}{', :' * (1 - self.along)}]"


def whole_steps_spec(random: Random) -> Spec:
    """Some states; `written` are the equations for each step, which only the judge reads."""
    draw = WholeSteps(random)
    for _ in range(random.randint(0, 2)):
        draw.network()
    formulas = [draw.formula(number, s.size, draw.whole(1, 3)) for number, s in enumerate(draw.states)]
    if not any(state.starts for state in draw.states):
        first, last = draw.read(draw.states[0], 1), formulas[-1]
        matrix = draw.parameter(first[1], draw.states[-1].size)
        formulas[-1] = lambda step: f"{last(step)} + ({first[0](step)} @ {matrix})"
    equations, written, owners = {}, {}, {}
    for state, formula in zip(draw.states, formulas, strict=True):
        equations[draw.left(state)] = formula(Step(None, draw.count))
        for ahead, text in sorted(state.starts.items()):
            equations[draw.start_key(state, ahead)] = text
            written[f"{state.name}_start{ahead}"] = f"({text}) + x0[:, 0, :1] @ Z{state.size}"
    for number in range(draw.count)[:: -1 if draw.back else 1]:
        for state, formula in zip(draw.states, formulas, strict=True):
            written[f"{state.name}_{number}"] = formula(Step(number, draw.count))
            owners[f"{state.name}_{number}"] = state.name
    for state in draw.states:
        parts = ", ".join(f"{state.name}_{number}" for number in range(draw.count))
        written[state.name] = f"stack({parts}, axis={draw.along})"
    outputs = []
    for number, state in enumerate(draw.states):
        last = f"{state.name}[{':, ' * draw.along}{draw.one(('-1', '0'))}{', :' * (1 - draw.along)}]"
        name, text = (state.name, "") if draw.along and draw.chance(0.5) else (f"y{number}", last)
        outputs.append(name)
        equations |= {name: text} if text else {}
        written |= {name: text} if text else {}
    used = {network for network in draw.networks if any(f"{network[:2]}(" in e for e in equations.values())}
    made = {name: axes for name, axes in draw.made.items() if any(name[:2] == n[:2] for n in used)}
    known = " ".join([*equations.values(), *map(str, draw.networks.values())])
    parameters = {name: said for name, said in draw.parameters.items() if name in known}
    loss = " + ".join(f"mean(({name} - {0.1 * n:.1f})**2)" for n, name in enumerate(outputs, 1))
    pieces = steps_at_once(random, draw.count)
    return {
        "name": "whole_steps",
        "dtype": "float64",
        "axes": {} if draw.has_free_steps else {"T": draw.count},
        "inputs": draw.inputs,
        "parameters": parameters,
        "networks": {name: body for name, body in draw.networks.items() if name in used},
        "equations": equations,
        "outputs": outputs,
        "loss": loss,
        "gradients": [name for name in draw.inputs if draw.chance(0.4)],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1, **pieces},
        "steps": draw.count,
        "written": written,
        "instead": {
            "owners": owners,
            "networks": {},
            "parameters": parameters | made,
            "constants": {f"Z{size}": [[0.0] * size] for size in range(1, 6)},
        },
    }
