"""Random equations that are solved, beside so many iterations of them written out by hand.

Each is a contraction, so that iterations that are differentiated one by one have, in the end, the slope of
the fixed point: the oracle knows neither Newton's method nor the implicit function theorem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fuzz.gradients import GARBAGE, Outcome, as_the_verifier_reads, compared, module_of, plain, sound_point
from fuzz.modules import with_garbage

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
Formula = Callable[[Callable[[str], str]], str]
"""A formula as text, by what an entry of the unknown is called at its indices."""

STEEPEST = 0.2
"""How much nearer the entries of two points come at least in an iteration."""
STEPS, NEWTON_STEPS, WRITTEN = 20, 6, 22
ONE = ("tanh({})", "sin({})", "sigmoid({})", "({0}) / (1 + ({0})**2)", "relu({})", "cos({})", "atan({})")
"""Functions that are nowhere steeper than 1."""
OVER = ("sum({}, {i}) / {size}", "mean({}, {i})", "max({}, {i})", "logsumexp({}, {i})")


class FixedPoints:
    """Draws equations in which what is solved for stands, with all that they are made of."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.with_rows = random.random() < 0.8
        self.inputs: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.equations: dict[str, Any] = {}
        self.written: dict[str, str] = {}
        self.drive = ""
        """An entry that the last equation has of something given."""
        self.known: list[tuple[str, int]] = []
        """What stands above, with its size."""

    def one(self, options: Any) -> Any:
        return options[self.random.randrange(len(options))]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def parameter(self, *axes: int) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = {"axes": list(axes), "init": "normal(std=0.6)"}
        return name

    def given(self, size: int) -> str:
        """An entry of an input, or of what stands above, that has the index i."""
        fitting = [name for name, known in self.known if known == size]
        rows = "n, " if self.with_rows else ""
        if fitting and self.chance(0.6):
            return f"{self.one(fitting)}[{rows}i]"
        name = f"x{len(self.inputs)}"
        self.inputs[name] = ["batch", size] if self.with_rows else [size]
        return f"{name}[{rows}i]"

    def solved(self, number: int) -> None:
        """One equation, as it is solved, and as its iterations are written out."""
        name, size = f"z{number}", self.one((1, 2, 3, 4))
        is_newton = self.chance(0.4)
        rows = "n, " if self.with_rows else ""
        head = f"{rows}i:{size}" if self.chance(0.5) else f"{rows}i"
        formula, start = self.formula(size, is_newton), self.start(size)
        self.equations[f"{name}[{head}]"] = {
            "solve": formula(lambda places: f"{name}[{places}]"),
            "start": start,
            "method": "newton" if is_newton else "picard",
            "steps": NEWTON_STEPS if is_newton else STEPS,
        }
        before = f"{name}_0"
        self.written[f"{before}[{rows}i:{size}]"] = f"{start} + 0 * {self.drive}"  # which says how many rows
        for step in range(1, WRITTEN + 1):
            here = name if step == WRITTEN else f"{name}_{step}"
            self.written[f"{here}[{rows}i:{size}]"] = formula(lambda places, b=before: f"{b}[{places}]")
            before = here
        self.known.append((name, size))

    def whole(self, number: int) -> None:
        """One equation of a whole matrix, with the same written out."""
        name, size, x = f"z{number}", self.one((1, 2, 3)), f"x{len(self.inputs)}"
        self.inputs[x] = ["batch", size]
        weights, shift, outer = (
            self.parameter(size, size),
            self.parameter(size),
            self.one((*ONE, "softmax({})")),
        )
        inner = f"{{}} @ (sin({weights}) / {size})" if self.chance(0.7) else f"softmax({{}}) * sin({shift})"
        beside = self.one(("0.1", f"0.5 * {x}", f"tanh({x})"))
        text = f"{beside} + {STEEPEST} * {outer.format(f'{inner} + {x} * {shift}')}"
        start = self.one(("0", "0.5", x, f"sin({x}) + {shift}"))
        head = f"{name}[:, :{size}]" if start in ("0", "0.5") or self.chance(0.5) else name
        solved = {"start": start, "method": "picard", "steps": STEPS}
        self.equations[head] = {"solve": text.replace("{}", name), **solved}
        before = f"{name}_0"
        self.written[before] = f"{start} + 0 * {x}"
        for step in range(1, WRITTEN + 1):
            here = name if step == WRITTEN else f"{name}_{step}"
            self.written[here] = text.replace("{}", before)
            before = here
        self.known.append((name, size))

    def formula(self, size: int, is_own: bool) -> Formula:
        """A function of what is given and of terms with the unknown, `is_own`: with the same entry alone."""
        outer, self.drive = self.one(ONE), self.given(size)
        weight = self.parameter() if self.chance(0.2) else f"{self.parameter(size)}[i]"
        drive = self.drive
        terms = [self.own() if is_own else self.term(size) for _ in range(self.one((1, 1, 2)))]
        beside = f"0.5 * {self.given(size)}" if self.chance(0.3) else "0.2"

        def text(entry: Callable[[str], str]) -> str:
            inside = " + ".join(term(entry) for term in terms)
            body = f"{drive} * {weight} + ({inside}) / {len(terms)}"
            return f"{beside} + {STEEPEST} * {outer.format(body)}"

        return text

    def own(self) -> Formula:
        rows, inner = "n, " if self.with_rows else "", self.one(ONE)
        return lambda entry: inner.format(entry(f"{rows}i"))

    def term(self, size: int) -> Formula:
        """Something that the unknown is in, which moves no more than its entries do."""
        rows, inner = "n, " if self.with_rows else "", self.one(("{}", *ONE))
        kind = self.one(("own", "turned", "over", "over", "over"))
        if kind == "own":
            return self.own()
        if kind == "turned":
            return lambda entry: inner.format(entry(f"{rows}{size - 1} - i"))
        over, weights = self.one(OVER), self.parameter(size, size)

        def text(entry: Callable[[str], str]) -> str:
            product = f"sin({weights}[j, i]) * {inner.format(entry(f'{rows}j'))}"
            return over.format(product, i="j", size=size)

        return text

    def start(self, size: int) -> str:
        kind = self.one(("0", "0.5", "-1", "parameter", "given", "formula"))
        if kind == "parameter":
            return f"{self.parameter(size)}[i]"
        if kind == "given":
            return self.given(size)
        return f"tanh({self.given(size)}) / 2" if kind == "formula" else str(kind)

    def beside(self, number: int) -> None:
        """An equation of what stands above, which others may read."""
        name, size = self.one(self.known)
        rows = "n, " if self.with_rows else ""
        weights, made = self.parameter(size, size), f"h{number}"
        formula = f"tanh(sum({name}[{rows}j] * {weights}[j, i], j))"
        self.equations[f"{made}[{rows}i]"] = self.written[f"{made}[{rows}i]"] = formula
        self.known.append((made, size))


def fixed_points_spec(random: Random) -> Spec:
    """One to three equations that are solved; `written` are their iterations, which only the judge reads."""
    draw = FixedPoints(random)
    for number in range(random.choice((1, 1, 2, 3))):
        draw.whole(number) if draw.with_rows and draw.chance(0.3) else draw.solved(number)
        if draw.chance(0.4):
            draw.beside(number)
    names = [name for name, _ in draw.known]
    loss = " + ".join(f"mean(({name} - {0.1 * n:.1f})**2)" for n, name in enumerate(names, 1))
    return {
        "name": "fixed_points",
        "dtype": random.choice(("float64", "float64", "float64", "float32")),
        "inputs": draw.inputs,
        "parameters": draw.parameters,
        "equations": draw.equations,
        "outputs": names,
        "loss": loss,
        "gradients": [name for name in draw.inputs if draw.chance(0.5)],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
        "steps": 1,
        "written": draw.written,
    }


def judge_fixed_points(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The module against the iterations, one after the other, in memory with two kinds of garbage."""
    own, written = plain(spec), {**plain(spec), "equations": spec["written"]}
    module = module_of(own, by_rows)
    point = sound_point(written, dict(module.SHAPES), random)
    if point is None:
        return Outcome("unsound")
    outcomes = [compared(own, with_garbage(module, garbage), point) for garbage in GARBAGE]
    outcomes.append(as_the_verifier_reads(own, point))
    return next((outcome for outcome in outcomes if outcome.failed), outcomes[0])
