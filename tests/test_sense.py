"""What refuses and doubts specs: intervals, numbers, the facts in the library's rows, and what is unused."""

from __future__ import annotations

import math
import random
import re
import warnings
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from corpus import CORPUS, EXAMPLES
from fuzz.command import drawn
from fuzz.gradients import plain
from seeds import SEED

import symgrad as sg
from symgrad.cli.starter import starter
from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import Position
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.intervals import Interval, interval
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Number
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import FunctionSpec
from symgrad.spec.numbers import number
from symgrad.spec.reader import read
from symgrad.spec.sense import doubts
from symgrad.spec.sense.optimizer_steps import GRADIENTS, POINTS, path_of
from symgrad.spec.sense.rates import check_rates
from symgrad.spec.sense.train_names import SCORES

AT = Position("<test>", 1, 1)
ROWS = [
    row
    for kind in ("functions", "layers", "optimizers", "schedules", "initializers")
    for row in getattr(library, kind).values()
]


def formula(text: str) -> Any:
    return parse_formula(text, AT)


# Intervals -------------------------------------------------------------------------------------

ENDS = (-math.inf, -1.0, 0.0, 0.5, 1.0, math.inf)
VALUES = (-2.0, -1.0, -0.1, 0.0, 0.25, 0.5, 1.0, 7.0)


def test_an_interval_within_another_holds_no_more() -> None:
    """Of all pairs of intervals with these ends."""
    intervals = [Interval(*ends) for ends in product(ENDS, ENDS, (False, True), (False, True))]
    held = {one: {value for value in VALUES if one.holds(value)} for one in intervals}
    within = [(one, other) for one, other in product(intervals, repeat=2) if one.within(other)]
    assert len(within) > len(intervals)
    for one, other in within:
        assert held[one] <= held[other], (one, other)


@pytest.mark.parametrize(
    ("text", "words", "inside", "outside"),
    [
        ("(0, inf)", "above 0", 1e-9, 0),
        ("[0, inf)", "from 0 on", 0, -1e-9),
        ("[0, 1)", "from 0 to below 1", 0, 1),
        ("[0, 1]", "from 0 to 1", 1, 1.1),
        ("(0, 1)", "above 0 and below 1", 0.5, 0),
        ("(0, 1]", "above 0 and at most 1", 1, 0),
        ("(-inf, 0]", "at most 0", -5, 1),
        ("(low, inf)", "above 2", 3, 2),
        ("(unknown, inf)", "of any size", 1e9, math.nan),
    ],
)
def test_an_interval_is_read_and_told(text: str, words: str, inside: float, outside: float) -> None:
    allowed = interval(text, {"low": 2.0})
    assert str(allowed) == words
    assert allowed.holds(inside)
    assert not allowed.holds(outside)


# Numbers ---------------------------------------------------------------------------------------

NUMBERS = [0, 1, 2, 0.5, 3]
FUNCTIONS = {n: getattr(math, n) for n in ("exp", "log", "sqrt", "tanh", "acos", "log1p", "floor")}


def random_formula(draw: random.Random, depth: int) -> str:
    if depth == 0 or draw.random() < 0.1:
        return draw.choice(["a", "b", *map(str, NUMBERS)])
    left, right = random_formula(draw, depth - 1), random_formula(draw, depth - 1)
    kind = draw.randrange(4)
    if kind == 0:
        return f"{draw.choice([*FUNCTIONS])}({left})"
    if kind == 1:
        return f"where({left} < {right}, {right}, {left})"
    return f"(({left}) {draw.choice('+-*/')} ({right}))" if kind == 2 else f"(({left})**({right}))"


def by_python(text: str, values: dict[str, float]) -> float | None:
    """The value where Python has one: no real number, infinite or too large is None."""
    names = {**values, **FUNCTIONS, "where": lambda condition, yes, no: yes if condition else no}
    try:
        found = eval(text, {}, names)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):  # complex numbers have no order
        return None
    return None if isinstance(found, complex) or not math.isfinite(found) else float(found)


def test_a_number_is_what_python_makes_of_the_formula() -> None:
    draw, known = random.Random(5), 0
    for _ in range(1500):
        text, values = random_formula(draw, 3), {"a": draw.uniform(-2, 2), "b": draw.uniform(0, 3)}
        try:
            expected, found = by_python(text, values), number(formula(text), values)
        except sg.SpecError:  # a part of it is a constant that is no number
            continue
        assert found is not None
        if expected is not None:
            known += 1
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-12), (text, values)
    assert known > 500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("log(0 * a)", -math.inf),
        ("a / (a - 1)", math.inf),
        ("-a / (a - 1)", -math.inf),
        ("exp(1000 * a)", math.inf),
    ],
)
def test_what_is_too_large_is_infinite(text: str, value: float) -> None:
    assert number(formula(text), {"a": 1.0}) == value


@pytest.mark.parametrize(
    "text", ["log(0 - a)", "0 * a / (a - 1)", "sqrt(-a)", "(-a)**0.5", "max(log(-a), 1)"]
)
def test_what_has_no_value_is_no_number(text: str) -> None:
    assert math.isnan(number(formula(text), {"a": 1.0}) or 0.0)


@pytest.mark.parametrize("text", ["x + 1", "sum(a)", "f(a)", "a @ a", "a[0]"])
def test_what_is_not_known_is_none(text: str) -> None:
    assert number(formula(text), {"a": 1.0}) is None


# The facts in the rows -------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_defaults_lie_in_their_ranges(row: Any) -> None:
    defaults = {name: number(value, {}) for name, value in row.signature.defaults}
    known = {name: value for name, value in defaults.items() if value is not None}
    arguments = {*row.signature.arguments, *known, *defaults}
    if not isinstance(row, library.Optimizer):
        assert {name for name, *_ in (*row.ranges, *row.usual)} <= arguments
    for name, text, *_ in (*row.ranges, *row.usual):
        if name in known:
            assert interval(text, known).holds(known[name]), (name, text)


IMAGES = [row for row in (library.activations | library.losses).values() if row.image]


def values_of(row: library.Function) -> list[float]:
    """What a row gives for single numbers; empty where it works over an axis."""
    functions = {
        f.name: FunctionSpec(f.name, f.signature.arguments, f.body, AT, f.signature.defaults)
        for f in library.functions.values()
    }
    first, *rest = row.signature.arguments
    defaults = {name: number(value, {}) for name, value in row.signature.defaults}
    points = [k / 8 for k in range(-64, 65)]
    if row.takes == "probabilities":
        points = [k / 64 for k in range(1, 64)]
    targets = {"sign": (-1.0, 1.0), "binary": (0.0, 1.0)}.get(row.task, (-2.0, 0.0, 3.0))
    names = [
        {**defaults, first: x, **dict.fromkeys(rest, t)}
        for x in points
        for t in (targets if rest else (0.0,))
    ]
    found = [number(row.body, {k: v for k, v in n.items() if v is not None}, functions) for n in names]
    return [value for value in found if value is not None]


@pytest.mark.parametrize("row", IMAGES, ids=lambda row: row.name)
def test_values_lie_in_the_image(row: library.Function) -> None:
    span = interval(row.image)
    closed = replace(span, open_least=False, open_most=False)  # sigmoid(40) is 1 in double precision
    assert all(closed.holds(value) for value in values_of(row))


def test_most_images_were_tried() -> None:
    over_axes = {row.name for row in IMAGES if not values_of(row)}
    assert over_axes == {"softmax", "log_softmax", "softmax_cross_entropy", "focal", "cosine", "multi_margin"}


def within(text: str, draw: random.Random, known: dict[str, float]) -> float:
    allowed = interval(text, known)
    least = max(allowed.least, 0.0)
    most = allowed.most if allowed.most < math.inf else least + 2
    return least + (most - least) * draw.uniform(0.01, 0.99)


@pytest.mark.parametrize("name", library.optimizers)
def test_within_the_ranges_steps_are_numbers_and_go_downhill(name: str) -> None:
    row, draw = library.optimizers[name], random.Random(name)
    spec = {**CORPUS["skip"], "train": {"optimizer": name, "batch_size": "full"}}
    optimizer, ranges = expand(read(spec)).optimizer, dict(row.own_ranges)
    for _ in range(40):
        values: dict[str, float] = {}
        for hyper in ranges:
            values[hyper] = 0.0 if hyper == "weight_decay" else within(ranges[hyper], draw, values)
        own = replace(optimizer, hyper=tuple((n, Number(Fraction(v), AT)) for n, v in values.items()))
        for point in POINTS:
            for gradient in GRADIENTS:
                path = path_of(own, point, gradient)
                assert path.defined, values
                assert path.moved * gradient <= 0, values


@pytest.mark.parametrize("name", library.optimizers)
def test_outside_of_its_range_every_hyper_parameter_is_refused(name: str) -> None:
    for hyper, text in library.optimizers[name].own_ranges:
        outside = interval(text, {"min_step_size": 1e-6}).least - 1
        call = f"{name}({hyper}={outside})"
        with pytest.raises(sg.SpecError, match=f"{name}: {hyper} is "):
            read_and_expand({**CORPUS["skip"], "train": {"optimizer": call, "batch_size": "full"}})


def read_and_expand(spec: dict[str, Any]) -> Any:
    return expand(read(spec))


@pytest.mark.parametrize("name", library.schedules)
def test_within_the_ranges_rates_are_rates(name: str) -> None:
    row, draw = library.schedules[name], random.Random(name)
    for _ in range(25):
        values = {n: within(text, draw, {"learning_rate": 0.1}) for n, text in row.ranges}
        call = f"{name}({', '.join(f'{n}={v:.6f}' for n, v in values.items() if n != 'eta_min')})"
        train = {"optimizer": "sgd(learning_rate=0.1)", "schedule": call, "epochs": draw.randint(1, 60)}
        check_rates(read_and_expand({**CORPUS["skip"], "train": train}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_epoch_named_is_the_first_whose_rate_the_type_takes_for_0(dtype: str) -> None:
    """Of schedules that fall for ever, in short runs and in those of which only some epochs are tried."""
    draw, named = random.Random(dtype), 0
    for _ in range(24):
        epochs = draw.choice([1, 7, 40, 999, 1001, 54321, 300_001])
        decay = 10 ** draw.uniform(-5, 2)
        train = {"optimizer": "sgd(learning_rate=0.1)", "schedule": f"exponential(decay={decay!r})"}
        train["epochs"] = epochs
        model = read_and_expand({**CORPUS["skip"], "dtype": dtype, "train": train})
        said = [re.search(r"is 0 in epoch (\d+)", str(doubt)) for doubt in doubts(model)]
        k = np.arange(epochs)
        held = (0.1 * np.exp(-decay * k)).astype(dtype)
        idle = np.flatnonzero(held == 0)
        assert [int(m[1]) for m in said if m] == list(idle[:1])
        named += bool(idle.size)
    assert 5 < named < 20


def test_every_score_of_the_installed_scikit_learn_is_known() -> None:
    names = pytest.importorskip("sklearn.metrics").get_scorer_names()
    assert set(names) <= SCORES


# What is said, and how often -------------------------------------------------------------------

ODD = "inputs: {x: [N, 2], z: [N, 2]}\nequations: {y: 2 * x}\n"
DOUBTED = {"unused_parameter", "batch_axis_twice"}


def test_a_spec_is_doubted_once_however_often_it_is_used() -> None:
    with pytest.warns(sg.SpecWarning, match="<text>:1:21: nothing reads the input 'z'") as seen:
        spec = sg.read(ODD)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.derive(spec)
        assert sg.read(spec) is spec


def test_a_text_given_to_a_function_is_doubted() -> None:
    with pytest.warns(sg.SpecWarning, match="nothing reads the input 'z'") as seen:
        sg.derive(ODD)
    assert len(seen) == 1


@pytest.mark.parametrize("name", [name for name in CORPUS if name not in DOUBTED])
def test_nothing_is_said_of_the_corpus(name: str) -> None:
    assert not doubts(expand(read(CORPUS[name])))


@pytest.mark.parametrize(
    "path", [*EXAMPLES, *EXAMPLES[0].parent.glob("lectures/*.yaml")], ids=lambda p: p.stem
)
def test_nothing_is_said_of_the_examples(path: Any) -> None:
    assert not doubts(expand(read(path)))


@pytest.mark.parametrize("form", ["chain", "graph", "index"])
def test_nothing_is_said_of_the_starters(form: str) -> None:
    assert not doubts(expand(read(starter("demo", form))))


# What is unused --------------------------------------------------------------------------------


def bare(key: str) -> str:
    """The name in `y[i, j]` or `f(x)`."""
    return key.partition("[")[0].partition("(")[0]


def without(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """The spec without all that bears this name."""
    kept = {**spec, "gradients": [g for g in spec.get("gradients", []) if g != name]}
    for key in ("inputs", "parameters", "constants", "equations", "functions"):
        entries = {
            k: v for k, v in spec.get(key, {}).items() if k.partition("[")[0].partition("(")[0] != name
        }
        kept = {**kept, key: entries} if key in spec else kept
    return kept


def meaning(spec: dict[str, Any]) -> tuple[Any, ...] | None:
    """What a spec computes: its loss and outputs; None where it is refused."""
    try:
        model = expand(read(plain(spec)))
        elaborate(model)
    except sg.SpecError:
        return None
    loss = None if model.loss is None else unparse(model.loss)
    return loss, model.outputs


def reported(spec: dict[str, Any]) -> set[str]:
    """The names that are said to be read by nothing."""
    found = (d.problem for d in doubts(expand(read(plain(spec)))))
    return {p.split("'")[1] for p in found if p.startswith(("nothing reads", "nothing calls"))}


@pytest.mark.parametrize("kind", ["tensors", "graph", "scalars"])
def test_what_nothing_reads_can_be_left_out_and_nothing_else_can(kind: str) -> None:
    print(f"SYMGRAD_FUZZ_SEED={SEED}")
    for spec in (drawn(kind, SEED, n)[0] for n in range(12)):
        if re.search(r"h\d+_", spec["loss"]):  # weights of a layer that else is idle
            continue
        before = meaning(spec)
        while before is not None and (idle := reported(spec)):
            ends = idle & {bare(name) for name in spec["equations"]}
            for name in ends or idle:  # what reads the others goes first
                spec = without(spec, name)
            assert meaning(spec) == before, spec
        for key in ("inputs", "constants", "equations", "functions") if before is not None else ():
            for name in {bare(name) for name in spec.get(key, {})} - set(spec.get("gradients", [])):
                assert meaning(without(spec, name)) != before, (name, spec)
