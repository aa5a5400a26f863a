"""d(u, x) in formulas: what programs and the judge make of it against mpmath's own nested differences."""

from __future__ import annotations

import dataclasses
import random
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from corpus import CORPUS
from seeds import SEED

import symgrad as sg
from symgrad.calculus.deriving import tangents
from symgrad.errors import SpecError, SpecWarning
from symgrad.graphs.interpret import interpret as compute
from symgrad.pipeline import Stages, module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.identity.check import ExactReference, reference
from symgrad.verifier.identity.field import field
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.identity.points import field_points
from symgrad.verifier.identity.same_entries import DifferenceError
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROWS = 3
mp = mpmath.mp.clone()
mp.dps = 60

Vector = list[Any]
Known = dict[str, Any]


# Random networks of x and t, each equation in the language and in mpmath ---------------------------------


@dataclasses.dataclass
class Network:
    """Equations by name, what they compute in mpmath from those above, widths, and shapes of parameters."""

    rng: random.Random
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    meanings: dict[str, Callable[[Known], Vector]] = dataclasses.field(default_factory=dict)
    widths: dict[str, int] = dataclasses.field(default_factory=lambda: {"x": 1, "t": 1})
    shapes: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    def add(self, text: str, meaning: Callable[[Known], Vector], width: int) -> str:
        name = f"h{len(self.texts)}"
        self.texts[name], self.meanings[name], self.widths[name] = text, meaning, width
        return name

    def product(self, of: str, width: int) -> str:
        matrix = f"W{len(self.shapes)}"
        self.shapes[matrix] = [self.widths[of], width]

        def meaning(known: Known) -> Vector:
            rows = enumerate(known[of])
            terms = [[v * known[matrix][i][k] for k in range(width)] for i, v in rows]
            return [mp.fsum(column) for column in zip(*terms, strict=True)]

        return self.add(f"{of} @ {matrix}", meaning, width)

    def grow(self) -> str:
        """One more equation, of a random kind."""
        wide = [name for name, width in list(self.widths.items())[4:] if width > 1]  # of x and of t
        of = self.rng.choice(wide)
        other = self.rng.choice([name for name in wide if self.widths[name] == self.widths[of]])
        width = self.widths[of]
        text, function = self.rng.choice(ENTRYWISE)
        kind = self.rng.choice(["function", "function", "product", "times", "over", "softmax", "part"])
        match kind:
            case "function":
                return self.add(text.format(of), lambda k: [function(v) for v in k[of]], width)
            case "product":
                return self.product(of, self.rng.choice([2, 3]))
            case "times":
                text = f"{of} * {other}"
                return self.add(text, lambda k: _each(lambda a, b: a * b, k[of], k[other]), width)
            case "over":
                text = f"{of} / (1 + {other}**2)"
                return self.add(text, lambda k: _each(lambda a, b: a / (1 + b * b), k[of], k[other]), width)
            case "part":
                text = f"{of} - mean({of}, axis=-1, keepdims=true)"
                return self.add(text, lambda k: _centred(k[of]), width)
        return self.add(f"softmax({of})", lambda k: _shares(k[of]), width)

    def value(self, known: Known) -> Any:
        """The last equation, of width 1, at one row."""
        known = dict(known)
        for name, meaning in self.meanings.items():
            known[name] = meaning(known)
        return known[name][0]


def _each(function: Callable[..., Any], *vectors: Vector) -> Vector:
    return [function(*entries) for entries in zip(*vectors, strict=True)]


def _centred(vector: Vector) -> Vector:
    return [v - mp.fsum(vector) / len(vector) for v in vector]


def _shares(vector: Vector) -> Vector:
    powers = [mp.exp(v) for v in vector]
    return [p / mp.fsum(powers) for p in powers]


ENTRYWISE: list[tuple[str, Callable[[Any], Any]]] = [
    ("tanh({0})", mp.tanh),
    ("sin({0})", mp.sin),
    ("exp(-{0}**2)", lambda v: mp.exp(-v * v)),
    ("softplus({0})", lambda v: mp.log(1 + mp.exp(v))),
    ("sigmoid({0})", lambda v: 1 / (1 + mp.exp(-v))),
    ("sqrt(1 + {0}**2)", lambda v: mp.sqrt(1 + v * v)),
    ("gelu({0})", lambda v: v * mp.erfc(-v / mp.sqrt(2)) / 2),
    ("{0}**3", lambda v: v**3),
]


def _network(rng: random.Random) -> Network:
    network = Network(rng)
    first, second = network.product("x", 2), network.product("t", 2)
    text = f"tanh({first} + {second})"
    network.add(text, lambda k: _each(lambda a, b: mp.tanh(a + b), k[first], k[second]), 2)
    last = ""
    for _ in range(rng.randint(1, 5)):
        last = network.grow()
    network.product(last, 1)
    return network


def _spec(network: Network, by: tuple[str, ...]) -> dict[str, Any]:
    u = list(network.texts)[-1]
    return {
        "name": "drawn",
        "dtype": "float64",
        "inputs": {"x": ["batch", 1], "t": ["batch", 1]},
        "parameters": network.shapes,
        "equations": {**network.texts, "r": f"d({', '.join((u, *by))})"},
        "outputs": ["r"],
        "loss": "mean(sin(r))",
    }


def _point(stages: Stages, network: Network, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"x": [ROWS, 1], "t": [ROWS, 1], **network.shapes}
    return {name: rng.normal(size=shape) * 0.8 for name, shape in shapes.items()}


def _truth(network: Network, arrays: Mapping[str, np.ndarray], by: tuple[str, ...]) -> list[Any]:
    """The derivative in every row, by mpmath's differences of the network alone."""
    matrices = {name: mp.matrix(arrays[name].tolist()).tolist() for name in network.shapes}
    orders = (by.count("x"), by.count("t"))

    def at(x: Any, t: Any) -> Any:
        return network.value({"x": [x], "t": [t], **matrices})

    rows = zip(arrays["x"][:, 0], arrays["t"][:, 0], strict=True)
    return [mp.diff(at, (mp.mpf(x), mp.mpf(t)), orders) for x, t in rows]


@pytest.mark.parametrize("number", range(12))
def test_a_random_network_has_the_derivatives_of_nested_differences(number: int) -> None:
    rng = random.Random(f"{SEED} {number}")
    network = _network(rng)
    by = tuple(rng.choice("xt") for _ in range(1 + number % 3))
    spec = _spec(network, by)
    stages = stages_of(read(spec))
    arrays = _point(stages, network, number)
    true = np.array([float(v) for v in _truth(network, arrays, by)])
    scale = np.abs(true).max() + 1e-3
    for program in (stages.formulas, stages.derived, stages.in_order):
        values = compute(program, arrays, {"batch": ROWS})
        assert np.abs(values["r"][:, 0] - true).max() < 1e-9 * scale, spec["equations"]
    judged = interpret(stages.model, arrays, FIFTY_DIGITS)
    assert np.abs(np.asarray(judged.outputs[0][:, 0], float) - true).max() < 1e-13 * scale, spec["equations"]


@pytest.mark.parametrize("number", range(4))
def test_so_has_the_gradient_of_a_loss_of_it(number: int) -> None:
    rng = random.Random(f"{SEED} gradient {number}")
    network = _network(rng)
    by = ("x", rng.choice("xt"))
    stages = stages_of(read(_spec(network, by)))
    arrays = _point(stages, network, number)
    values = compute(stages.derived, arrays, {"batch": ROWS})
    directions = {name: np.random.default_rng(number).normal(size=s) for name, s in network.shapes.items()}
    slope = sum(np.sum(values[g.name] * directions[g.of]) for g in stages.derived.gradients)

    def loss(step: float) -> Any:
        moved = {n: a + step * directions[n] if n in directions else a for n, a in arrays.items()}
        return mp.fsum(mp.sin(v) for v in _truth(network, moved, by)) / ROWS

    h = 2.0**-12
    first, second = ((loss(s) - loss(-s)) / (2 * s) for s in (h, h / 2))
    true = float((4 * second - first) / 3)
    assert abs(slope - true) < 1e-8 * (abs(true) + 1e-3)


# Notations, modes and what may vary: programs beside the judge, which evaluates the spec in dual numbers ---

ENERGY = {"h": "tanh(x @ W)", "E": "h @ v"}
CENTRED = {"h": "tanh(x @ W)", "c": "h - mean(h, axis=0, keepdims=true)", "E": "c @ v"}
SECOND = "d(E[n], x[n,i], x[n,j])"


def _case(equations: dict[str, str], loss: str, columns: int = 3, **more: Any) -> dict[str, Any]:
    parameters = {"W": [columns, 4], "v": [4]}
    return {"name": "q", "dtype": "float64", "inputs": {"x": ["batch", columns]}} | {
        "parameters": parameters,
        "equations": equations,
        "outputs": [[*equations][-1].partition("[")[0]],
        "loss": loss,
        **more,
    }


CASES = {
    "forces, in reverse": _case({**ENERGY, "F": "-d(E, x)"}, "mean(F**2)", columns=5),
    "forward by entries": _case({**ENERGY, "G[n,j]": "d(E[n], x[n,j])"}, "mean(G**2)"),
    "Hessian": _case({**ENERGY, "H[n,i,j]": SECOND}, "mean(H**2)"),
    "Hessian of an adjoint": _case(
        {**ENERGY, "H[n,i,j]": "d(E[n], x[n,i], x[n,j])"}, "mean(H**2)", columns=4
    ),
    "Laplacian": _case({**ENERGY, "L[n]": "sum(d(E[n], x[n,i], x[n,i]), i)"}, "mean(L**2)"),
    "Jacobian": _case({**ENERGY, "J[n,i,j]": "d(h[n,i], x[n,j])"}, "mean(J**2) + mean(E)"),
    "columns": _case({**ENERGY, "c[n]": "d(E[n], x[n,0], x[n,1]) * d(E[n], x[n,2])"}, "mean(c**2)"),
    "intermediate": _case({"h": "tanh(x @ W)", "E": "sin(h) @ v", "g": "d(E, h)"}, "mean(g**2)"),
    "step within": _case(
        {"l": "mean((tanh(x @ W) @ v)**2)", "V": "W - 0.1 * d(l, W)", "y": "tanh(x @ V) @ v"}, "mean(y**2)"
    ),
    "per sample": _case({**ENERGY, "g[n,i,j]": "d(E[n], W[i,j])"}, "mean(g**2)"),
    "other rows": _case(
        {
            "h": "tanh(x @ W)",
            "c": "h - mean(h, axis=0, keepdims=true)",
            "E": "c @ v",
            "g[n,m,j]": "d(E[n], x[m,j])",
        },
        "mean(g**2)",
    ),
    "own row among others": _case(
        {
            "h": "tanh(x @ W)",
            "c": "h - mean(h, axis=0, keepdims=true)",
            "E": "c @ v",
            "g[n,j]": "d(E[n], x[n,j])",
        },
        "mean(g**2)",
    ),
    "largest": _case({"E": "max(tanh(x @ W) * v, axis=-1)", "g": "d(E, x)"}, "mean(g**2)"),
    "logsumexp": _case(
        {"E": "logsumexp(x @ W * v, axis=-1)", "H[n,i,j]": "d(E[n], x[n,i], x[n,j])"}, "mean(H**2)"
    ),
    "an expression": _case({"h": "tanh(x @ W)", "g": "d(sin(h @ v)**2, x)"}, "mean(g**2)"),
    "of a derivative": _case({**ENERGY, "a": "d(E, x)", "w": "d(E * a, x)"}, "mean(w**2)", columns=1),
    "in a function": _case(
        {**ENERGY, "r": "f(E, x)"}, "mean(r**2)", columns=1, functions={"f(a, b)": "d(a, b, b) + a"}
    ),
    "a tensor called d": _case({"d": "tanh(x @ W)", "E": "d @ v", "r": "d(E, d)"}, "mean(r) + mean(E**2)"),
    "a window": _case(
        {"h[n,i]": "tanh(sum(x[n,i+k] * W[k,0], k=2))", "E[n]": "sum(h[n,i]**2 * v[i], i=2)", "g": "d(E, x)"},
        "mean(g**2)",
    ),
    "held": _case({"h": "tanh(x @ W)", "E": "(h * stop_gradient(h)) @ v", "r": "d(E, x)"}, "mean(r**2)"),
    "in steps": _case(
        {"z": "x @ W", "q": "z + stop_gradient(floor(4 * z) / 4 - z)", "y": "tanh(q) @ v"}, "mean(y**2)"
    ),
    "pieces": _case(
        {"z": "x @ W", "E": "where(z > 0, z**3, sin(z)) @ v", "r": "d(E, x, x)"}, "mean(r**2)", columns=1
    ),
    "vast numbers": _case(
        {"E": "log(1 + exp(900 * (x @ W))) @ v", "r": "d(E, x, x)"}, "mean(r) + mean(E)", columns=1
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_programs_have_the_values_and_slopes_of_the_judge(name: str) -> None:
    stages = stages_of(read(CASES[name]))
    arrays = dict(draw(stages.model, "here", 3).arrays)
    arithmetic = FIFTY_DIGITS if name == "vast numbers" else DOUBLE
    judged = Differences(stages.model, arrays, arithmetic)
    outputs = [np.asarray(a, float) for a in interpret(stages.model, arrays, arithmetic).outputs]
    for program in (stages.formulas, stages.derived, stages.in_order):
        values = compute(program, arrays, {"batch": len(arrays["x"])})
        for output, found in zip(stages.model.outputs, outputs, strict=True):
            assert values[output].shape == found.shape
            np.testing.assert_allclose(values[output], found, 1e-8, 1e-10 * np.abs(found).max())
        for gradient in program.gradients:
            direction = np.random.default_rng(0).normal(size=values[gradient.name].shape)
            slope, true = np.sum(values[gradient.name] * direction), judged.slope(gradient.of, direction)
            assert abs(slope - true.nearest(slope)) < 1e-7 * (abs(slope) + 1e-3), gradient


def test_a_users_own_function_d_is_that_function() -> None:
    spec = _case({"y": "d(x @ W, 2)"}, "mean(y**2)", functions={"d(a, b)": "a * b"})
    stages = stages_of(read(spec | {"parameters": {"W": [3, 4]}}))
    arrays = draw(stages.model, "here", 3).arrays
    values = compute(stages.derived, dict(arrays), {"batch": len(arrays["x"])})
    np.testing.assert_allclose(values["y"], 2 * arrays["x"] @ arrays["W"])


def test_derivatives_share_what_they_need_and_nothing_else_is_computed() -> None:
    texts = {order: f"d(u, {', '.join('x' * order)})" for order in (1, 2, 3)}
    counts = []
    for order in texts:
        equations = {"h": "tanh(x @ W)", "k": "tanh(h @ A)", "u": "k @ v"}
        terms = {f"r{n}": texts[n] for n in range(1, order + 1)}
        spec = _case({**equations, **terms}, "mean(u)", columns=1) | {"outputs": [*terms]}
        spec["parameters"] = {"W": [1, 4], "A": [4, 4], "v": [4]}
        counts.append(len(stages_of(read(spec)).formulas.equations))
    assert counts[1] - counts[0] == counts[2] - counts[1]


def test_derivatives_are_shown_as_such() -> None:
    derivation = sg.derive(CORPUS["burgers"])
    assert "u_xx = ∂²u/∂x² = " in derivation.text()
    assert r"\frac{\partial^{2} u}{\partial x^{2}}" in derivation.latex()
    assert "&#x02202;" in derivation.html()  # ∂


# Faults ---------------------------------------------------------------------------------------------------

WRONG = {
    "a missing term": ("d(u, t) + u * d(u, x) - 0.01 * d(u, x, x)", "u * d(u, x) - 0.01 * d(u, x, x)"),
    "a wrong sign": ("- 0.01 * d(u, x, x)", "+ 0.01 * d(u, x, x)"),
    "the wrong input": ("u * d(u, x)", "u * d(u, t)"),
}


@pytest.fixture(scope="module")
def references() -> list[ExactReference]:
    model = expand(read(CORPUS["burgers"]))
    return [reference(model, point, field(1)) for point in islice(field_points(model, 1, 1e7), 1)]


def _is_told(references: list[ExactReference], text: str) -> bool:
    try:
        for each in references:
            each.compare(parse(text))
    except DifferenceError:
        return True
    return False


def test_the_judge_tells_other_derivatives(references: list[ExactReference]) -> None:
    spec = CORPUS["burgers"]
    assert not _is_told(references, module_text(read(spec)))
    for fault, (right, wrong) in WRONG.items():
        residual = spec["equations"]["r"].replace(right, wrong)
        assert residual != spec["equations"]["r"]
        changed = {**spec, "equations": {**spec["equations"], "r": residual}}
        assert _is_told(references, module_text(read(changed))), fault


def test_the_judge_tells_a_calculus_with_wrong_slopes(
    references: list[ExactReference], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = tangents.derivatives
    monkeypatch.setattr(tangents, "derivatives", lambda e: [(x, 2 * d) for x, d in right(e)])
    assert _is_told(references, module_text(read(CORPUS["burgers"])))


# What is refused and doubted ------------------------------------------------------------------------------

INTEGERS = {"inputs": {"x": ["batch", 3], "c": {"axes": ["batch"], "classes": 3}}}
REFUSED = {
    "d(E, c)": "'c' holds integer labels",
    "d(E, k)": "'k' is a constant",
    "d(h, x)": 'several numbers in a row by several; .*"J[n,i,j]": "d(h[n,i], x[n,j])"',
    "d(E, x, x)": '"J[n,i,j]": "d(E[n], x[n,i], x[n,j])"',
    "d(E - mean(E), x)": "does not depend on row n of 'x' alone.*of its own, u, .*\"d(u[n], x[m,i])\"",
    "d(E, x, x, x, x, x, x, x)": "order 7; the highest there is has order 6",
    "d(E)": "d takes a value and what it is differentiated by",
    "d(E, 2 * x)": "a derivative is by a tensor or by an entry of one",
    "d + E": "'d' is a function here; call it: d(u, x)",
    "grad(E, x)": "did you mean 'd'",
    "detach(E)": "did you mean 'stop_gradient'",
    "floor(E)": "stop_gradient(floor(x) - x)",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_is_refused_with_place_and_remedy(formula: str) -> None:
    spec = _case({**ENERGY, "r": formula}, "mean(r)", constants={"k": [1.0]}, **INTEGERS)
    pattern = ".*".join(map(re.escape, REFUSED[formula].split(".*")))
    with pytest.raises(SpecError, match=rf"equations\.r:1:\d+: .*{pattern}") as told:
        module_text(read(spec))
    assert "; " in str(told.value)


ALONE = {"name": "q", "dtype": "float64", "inputs": {"x": ["N", 1]}, "loss": "mean(J**2)"}
FOLLOWED: dict[str, tuple[dict[str, Any], str]] = {
    "a name": ({"equations": {"y": "dense(x, 2)", "c": "y - mean(y, axis=0)", "J": "d(c, x)"}}, ""),
    "an expression": (
        {"equations": {"y": "dense(x, 2)", "J": "d(y - mean(y, axis=0), x)"}},
        "y - mean(y, axis=0)",
    ),
    "a call": (
        {
            "networks": {"f(x)": ["dense(2)", "batch_norm(momentum=false)"]},
            "equations": {"J": "d(f(2 * x), x)"},
        },
        "f(2 * x)",
    ),
    "what training computes": ({"equations": {"y": "batch_norm(dense(x, 2))", "J": "d(y, x)"}}, ""),
    "what chance draws": (
        {"equations": {"y": "mean(dropout(dense(x, 2), 0.5))**2", "J": "d(d(y, x), x)"}},
        "d(y, x)",
    ),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_the_remedy_of_rows_that_know_each_other_can_be_followed(case: str) -> None:
    changes, unnamed = FOLLOWED[case]
    spec = {**ALONE, **changes}
    with pytest.raises(SpecError) as told:
        module_text(read(spec))
    assert "_training" not in str(told.value)
    form = re.search(r'"(?P<key>J\[.*\])": "(?P<formula>.*)"', str(told.value))
    own = re.search(r"an equation of its own, (?P<name>\w+)", str(told.value))
    assert form is not None
    assert (own is not None) == bool(unnamed)
    equations = {key: formula for key, formula in spec["equations"].items() if key != "J"}
    equations |= {own["name"]: unnamed} if own is not None else {}
    module_text(read({**spec, "equations": {**equations, form["key"]: form["formula"]}}))


DOUBTED = {
    "d(E, b)": "the derivative of 'E' by 'b' is 0: it does not depend on it",
    "d(relu(x @ W) @ v, x, x)": "is blind to kinks",
    "d(x @ W @ v, x, x)": "is 0",
}


@pytest.mark.parametrize("formula", DOUBTED)
def test_is_doubted_with_place_and_remedy(formula: str) -> None:
    spec = _case({**ENERGY, "r": f"{formula} + b * E"}, "mean(r)", columns=1)
    spec["parameters"] |= {"b": []}
    with pytest.warns(SpecWarning, match=re.escape(DOUBTED[formula])):
        module_text(read(spec))


@pytest.mark.parametrize("formula", ["d(y, x, x)", "d(y, q)"])
def test_what_is_doubted_in_both_modes_is_told_once(formula: str) -> None:
    equations = {"h": "dropout(relu(dense(x, 2)), 0.5)", "y": "sum(h, axis=1)", "r": f"{formula} + y"}
    parameters: dict[str, Any] = {"q": []}
    with pytest.warns(SpecWarning) as told:
        module_text(read({**ALONE, "equations": equations, "parameters": parameters, "loss": "mean(r) * q"}))
    assert len({str(warning.message) for warning in told}) == 1
    assert "_training" not in str(told[0].message)
