"""What `--over` says, and where in a spec that is: what is meant is found, all else is told with a remedy."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from seeds import SEED

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.sweeping.sampling.samplers import GridSampler, RandomSampler, number_of_trials
from symgrad.sweeping.sweep import _check_values
from symgrad.sweeping.varied import over_text
from symgrad.sweeping.varied.dotted_entries import with_entries
from symgrad.sweeping.varied.over_text import axes_of, over_of
from symgrad.sweeping.varied.structures import Structures
from symgrad.sweeping.varied.sweep_axes import ListedValues, ValueRange, short_names

SPEC: dict[str, Any] = {
    "name": "varied",
    "axes": {"K": 3},
    "inputs": {"x": ["batch", 4]},
    "targets": {"t": ["batch", 1]},
    "functions": {"bump(z, width=2)": "exp(-(z/width)**2)"},
    "equations": {"h": "tanh(dense(x, K, init=normal(std=0.1)))", "y": "dense(bump(h, 3), 1)"},
    "loss": "huber(y, t) + 1e-3 * l2(y_W)",
    "train": {
        "data": "a.csv",
        "validation": 0.25,
        "optimizer": "adam(learning_rate=0.01)",
        "schedule": "exponential(decay=0.5)",
    },
}
CHAIN: dict[str, Any] = {
    "name": "chain",
    "inputs": {"x": ["batch", 8, 8, 1]},
    "targets": {"t": {"axes": ["batch"], "classes": 3}},
    "layers": [
        "conv2d(4, kernel=3, activation=relu)",
        {"repeat": {"times": 2, "layers": [{"residual": ["dense(4)", "relu"]}]}},
        "flatten",
        "dense(3)",
    ],
    "loss": "softmax_cross_entropy",
    "train": {
        "data": "a.csv",
        "optimizer": {"hyper": {"rate": 0.1}, "update": {"theta": "theta - rate * g"}},
    },
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0..4", (0, 1, 2, 3, 4)),
        ("3..3", (3,)),
        ("-2..1", (-2, -1, 0, 1)),
        ("8..64:log:4", (8, 16, 32, 64)),
        ("1..4:log:9", (1, 2, 3, 4)),
        ("1..9:linear:3", (1, 5, 9)),
        ("1e-4..1e-1:log:4", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("1e-4..1e-1:4:log", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("0..1.0:3", (0, 0.5, 1)),
        (".5..1.:2", (0.5, 1)),
        ("0..2, 5,7..8", (0, 1, 2, 5, 7, 8)),
        ("adam,sgd", ("adam", "sgd")),
        (
            "momentum(momentum=0.5, nesterov=true),sgd(0.1)",
            ("momentum(momentum=0.5, nesterov=true)", "sgd(0.1)"),
        ),
        ("32,full", (32, "full")),
        ("true, false,null", (True, False, None)),
        ("1e-3,0.5,-2", (1e-3, 0.5, -2)),
        ("[W1, b1],[]", (["W1", "b1"], [])),
        ("'0..4'", ("0..4",)),
        ("1..1000000000:2", (1, 1000000000)),
    ],
)
def test_values_are_those_that_are_meant(text: str, values: tuple[Any, ...]) -> None:
    (axis,) = axes_of({"seed": text})
    assert isinstance(axis, ListedValues)
    assert axis.values == pytest.approx(values) if isinstance(values[0], float) else axis.values == values
    assert [type(value) is bool for value in axis.values] == [type(value) is bool for value in values]


def test_ranges_without_points_are_drawn_from() -> None:
    assert axes_of({"epochs": "1..100:log"}) == (ValueRange("epochs", 1, 100, True, True),)
    assert axes_of({"optimizer.eps": "0.5..1.5"}) == (ValueRange("optimizer.eps", 0.5, 1.5, False, False),)


BAD_OVER = {
    "4..0": "'4..0' begins above its end; expected the smaller number first",
    "1.0..1": "'1.0..1' ends where it begins",
    "0..1e-1:log:5": "'0..1e-1:log:5' has no logarithms; expected numbers above 0",
    "1..9:lgo": "'lgo' in '1..9:lgo' is neither log, linear nor a number of points; did you mean 'log'?",
    "1..9:": "'' in '1..9:' is neither",
    "1..9:log:log": "'log' in '1..9:log:log' is neither",
    "1..9:3:4": "'4' in '1..9:3:4' is neither",
    "1..9:log:0": "0 points in '1..9:log:0'; expected from 2 to 100,000",
    "1..9:-3": "'-3' in '1..9:-3' is neither",
    "1..9:1e5": "'1e5' in '1..9:1e5' is neither",
    "1..": "'1..' is no range; expected 1e-4..1e-1:log:20, 0..4, or a list as adam,sgd",
    "1...5..2": "'1...5..2' is no range",
    "1..2..3": "'1..2..3' is no range",
    "0..1e999": "has an end that is too large",
    "0..99999999999999999999": "has an end that is too large",
    "-1e308..1e308:5": "has an end that is too large",
    "0..10000000": "more than 100,000 values; give points, as 0..10000000:10",
    "1,,2": "an empty value in '1,,2'",
    ",": "an empty value in ','",
    "1,1": "1 stands twice; give each value once",
    "1,1.0": "1 stands twice",
    "0..3,2": "2 stands twice",
    "0.1..0.5,7": "'0.1..0.5' in a list has no end of values; give it points, as 0.1..0.5:10",
    "[1, 2": "'[1, 2' is no value: not valid YAML",
    "{a: 1}": "'{a: 1}' is a mapping; name an entry of it by its path",
    "1e999": "is no value: 1e999 is not a finite number",
    "x\x00": "is no value",
    "x: y": "is no value",
}


@pytest.mark.parametrize("text", BAD_OVER)
def test_what_are_no_values_is_told_with_its_path(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        axes_of({"seed": text})
    assert caught.value.at == "seed"
    assert BAD_OVER[text] in str(caught.value)


def test_too_many_values_are_counted_before_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_text, "_value", None)
    with pytest.raises(SpecError, match="more than 100,000 values"):
        axes_of({"seed": ",".join(["1"] * (over_text.MOST_VALUES + 1))})


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({}, "over: nothing is varied"),
        ([("seed", 1)], "expected values by paths"),
        ({1: [2]}, "expected values by paths"),
        ({"seed": []}, "seed: no values"),
        ({"seed": {1, 2}}, "has no order; expected a list"),
        ({"seed": [float("nan")]}, "seed: nan is no value"),
        ({"seed": [object()]}, "seed: a value of type object"),
        ({"seed": [1], "train.seed": [2]}, "train.seed: this is 'seed' again"),
        ({"optimizer.rate": [1], "train.optimizer.hyper.rate": [2]}, "this is 'optimizer.rate' again"),
        ({"seeds": [1]}, "seeds: no spec has an entry 'seeds'; did you mean 'seed'?"),
        ({"": [1]}, "no spec has an entry ''"),
        ({"learning_rate": [1]}, "'learning_rate'; did you mean 'optimizer.learning_rate'?"),
        ({"lr": [1]}, "'lr'; did you mean 'optimizer.learning_rate'?"),
        ({"eps": [1]}, "'eps'; did you mean 'optimizer.eps'?"),
        ({"gamma": [1]}, "'gamma'; did you mean 'schedule.gamma'?"),
        ({"lerning_rate": [1]}, "'lerning_rate'; did you mean 'optimizer.learning_rate'?"),
        ({"momentun": [1]}, "'momentun'; did you mean 'optimizer.momentum'?"),
        ({"batch_sze": [1]}, "'batch_sze'; did you mean 'batch_size'?"),
        ({"activaton": [1]}, "'activaton'; say of which layer, as in layers.0.activation"),
        ({"betas": [1]}, "'betas'; expected a path through the spec, as optimizer.learning_rate"),
        ({"units": [1]}, "'units'; say of which layer, as in layers.0.units, or equations.NAME.units"),
    ],
)
def test_what_is_no_sweep_is_refused(over: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        axes_of(over)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["seed", "=3", "seed=", "", " = "])
def test_over_is_a_path_and_values(text: str) -> None:
    with pytest.raises(SpecError, match="is not PATH=VALUES"):
        over_of([text])
    with pytest.raises(SpecError, match="given again"):
        over_of(["seed=1", "seed=2"])


def test_python_gives_values_as_they_are() -> None:
    over = {
        "seed": range(3),
        "optimizer.eps": np.geomspace(1e-8, 1e-6, 3),
        "standardize": (True, False),
        "epochs": 7,
    }
    found = [axis.values for axis in axes_of(over) if isinstance(axis, ListedValues)]
    assert found == [(0, 1, 2), tuple(np.geomspace(1e-8, 1e-6, 3).tolist()), (True, False), (7,)]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ("optimizer.learning_rate train.seed epochs", "learning_rate seed epochs"),
        ("layers.3 inputs.x.1 train.seed", "layers.3 x.1 seed"),
        ("layers.0.units layers.3.units seed", "layers.0.units layers.3.units seed"),
        ("equations.f.init.std equations.g.init.std", "f.init.std g.init.std"),
        ("units equations.h.units", "units h.units"),
    ],
)
def test_a_column_is_named_by_what_tells_it(paths: str, names: str) -> None:
    assert short_names([ListedValues(path, (1, 2)) for path in paths.split()]) == tuple(names.split())


PLACES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (SPEC, {"optimizer.learning_rate": 1e-4}, '"optimizer":"adam(learning_rate=0.0001)"'),
    (SPEC, {"train.optimizer.b1": 0.5}, '"optimizer":"adam(learning_rate=0.01, b1=0.5)"'),
    (SPEC, {"optimizer": "sgd"}, '"optimizer":"sgd"'),
    (SPEC, {"optimizer.momentum": 0.5, "optimizer": "momentum"}, '"optimizer":"momentum(momentum=0.5)"'),
    (SPEC, {"schedule.decay": 0.25}, '"schedule":"exponential(decay=0.25)"'),
    (SPEC, {"schedule": None}, '"schedule":null'),
    (SPEC, {"stop.patience": 3}, '"stop":{"patience":3}'),
    (SPEC, {"seed": 7}, '"seed":7'),
    (SPEC, {"validation": 0.5}, '"validation":0.5'),
    (SPEC, {"data.header": False}, '"data":{"path":"a.csv","header":false}'),
    (SPEC, {"axes.K": 5}, '"axes":{"K":5}'),
    (SPEC, {"equations.h.units": 5}, '"h":"tanh(dense(x, 5, init=normal(std=0.1)))"'),
    (SPEC, {"equations.h.init.std": 0.5}, '"h":"tanh(dense(x, K, init=normal(std=0.5)))"'),
    (SPEC, {"equations.y.width": 1}, '"y":"dense(bump(h, 1), 1)"'),
    (SPEC, {"loss.delta": 0.5}, '"loss":"huber(y, t, delta=0.5) + 0.001*l2(y_W)"'),
    (SPEC, {"inputs.x.1": 9}, '"inputs":{"x":["batch",9]}'),
    (SPEC, {"dtype": "float64"}, '"dtype":"float64"'),
    (CHAIN, {"layers.0.units": 8}, "conv2d(8, kernel=3, activation=relu)"),
    (CHAIN, {"layers.0.activation": "tanh"}, "conv2d(4, kernel=3, activation=tanh)"),
    (CHAIN, {"layers.1.repeat.times": 5}, '"times":5'),
    (
        CHAIN,
        {"layers.1.repeat.layers.0.residual.0.bias": False},
        '"residual":["dense(4, bias=false)","relu"]',
    ),
    (CHAIN, {"optimizer.rate": 0.5}, '"hyper":{"rate":0.5}'),
    (CHAIN, {"optimizer.hyper.rate": 0.5}, '"hyper":{"rate":0.5}'),
    (CHAIN, {"layers.2": "global_avg_pool"}, '"global_avg_pool"'),
]


@pytest.mark.parametrize(("spec", "entries", "text"), PLACES, ids=str)
def test_paths_lead_to_what_stands_there(spec: dict[str, Any], entries: dict[str, Any], text: str) -> None:
    found = with_entries(sg.read(spec), entries)
    plain = json.loads(found.text)
    assert text.replace(" ", "") in json.dumps(plain, separators=(",", ":")).replace(" ", "")
    expand(found)


@pytest.mark.parametrize(
    ("spec", "entries", "message"),
    [
        (
            SPEC,
            {"optimiser.eps": 1},
            "optimiser.eps: no spec has an entry 'optimiser'; did you mean 'optimizer'?",
        ),
        (SPEC, {"optimizer.lr": 1}, "optimizer.lr: adam has no argument 'lr'; did you mean 'learning_rate'?"),
        (SPEC, {"optimizer.momentum": 1}, "adam has no argument 'momentum'; expected learning_rate, b1, b2"),
        (
            SPEC,
            {"optimizer.b1.x": 1},
            "adam is given no 'b1' whose 'x' could be another; write it in the spec",
        ),
        (SPEC, {"train.sed": 1}, "train.sed: train has no 'sed'; did you mean 'seed'?"),
        (SPEC, {"stop.patients": 1}, "train.stop has no 'patients'; did you mean 'patience'?"),
        (SPEC, {"axes.L": 1}, "axes.L: axes has no 'L'; it has K"),
        (SPEC, {"layers.0.units": 1}, "layers.0.units: the spec has no layers"),
        (SPEC, {"equations.z": "x"}, "equations has no 'z'; it has h, y"),
        (
            SPEC,
            {"equations.h.unit": 1},
            "init=normal(std=0.1)))' has an argument 'unit'; did you mean 'units'?",
        ),
        (SPEC, {"optimizer.learning_rate.x": 1}, "'0.01' is no call, so it has no 'x'"),
        (SPEC, {"equations": 3}, "equations"),
        (SPEC, {"loss.x": 1}, "no call in 'huber(y, t) + 1e-3 * l2(y_W)' has an argument"),
        (SPEC, {"seed.x": 1}, "seed.x: the spec has no train.seed"),
        (SPEC, {"schedule.gamma": 1}, "exponential has no argument 'gamma'"),
        (CHAIN, {"layers.4.units": 1}, "layers.4.units: layers has no entry '4'; it has 0 to 3"),
        (CHAIN, {"layers.-1.units": 1}, "layers has no entry '-1'; it has 0 to 3"),
        (CHAIN, {"layers.1.units": 1}, "layers.1 has no 'units'; it has repeat"),
        (CHAIN, {"layers.3.unit": 1}, "dense has no argument 'unit'; did you mean 'units'?"),
        (CHAIN, {"layers.2.x": 1}, "flatten has no argument 'x'"),
        (CHAIN, {"optimizer.rat": 1}, "train.optimizer has no 'rat'; it has hyper, update"),
        (CHAIN, {"schedule.decay": 1}, "the spec has no train.schedule"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_there_is(
    spec: dict[str, Any], entries: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        with_entries(sg.read(spec), entries)
    assert message in str(caught.value)


def test_a_tensor_is_no_number_of_units_of_a_layer_in_a_chain() -> None:
    """Where it stands first it is no x that the layer was given too much."""
    found = with_entries(sg.read(CHAIN), {"layers.3.units": "x"})
    with pytest.raises(SpecError, match="'units' must be a whole number from 1"):
        expand(found)
    named = sg.read({**CHAIN, "axes": {"K": 3}, "layers": [*CHAIN["layers"][:3], "dense(K)"]})
    again = with_entries(named, {"layers.3.units": "K"})
    assert [p.axes for p in expand(again).parameters] == [p.axes for p in expand(named).parameters]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"optimizer.learning_rate": "1e-3,-1"}, "learning_rate is -1"),
        ({"optimizer.learning_rate": "-1..1:3"}, "learning_rate is -1"),
        (
            {"optimizer.learning_rate": "fast"},
            "optimizer.learning_rate=fast: adam: 'learning_rate' must be a number",
        ),
        ({"batch_size": "0..4"}, "batch_size is 0"),
        ({"batch_size": "32,half"}, "batch_size"),
        ({"seed": "-1..2"}, "seed is -1"),
        ({"seed": "0.5"}, "seed is 0.5"),
        ({"optimizer": "adam,sdg"}, "optimizer=sdg: unknown optimiser 'sdg'; did you mean 'sgd'?"),
        ({"equations.h.units": "4,0"}, "'units'"),
        ({"equations.h.units": "4,x"}, "units=x: 'units' must be a whole number from 1"),
        ({"equations.h": "x @"}, "equations.h"),
        ({"optimizer": "adam,sgd", "optimizer.momentum": "0.5"}, "adam has no argument 'momentum'"),
        ({"dtype": "float16"}, "float16"),
        ({"epochs": "0..3"}, "epochs"),
    ],
)
def test_values_that_no_spec_can_have_are_refused_before_anything_starts(
    over: dict[str, Any], message: str
) -> None:
    spec = sg.read(SPEC)
    with pytest.raises(sg.SymgradError) as caught:
        _check_values(spec, axes_of(over))
    assert message in str(caught.value)


def test_a_value_need_fit_some_of_those_around_it() -> None:
    over = {"optimizer": "adam,momentum", "optimizer.momentum": "0.5,0.9", "optimizer.learning_rate": "0.1"}
    _check_values(sg.read(SPEC), axes_of(over))


def test_trials_that_differ_in_numbers_are_of_one_structure() -> None:
    over = {
        "optimizer.learning_rate": "1e-4..1e-1:log:2",
        "optimizer.b1": "0.5,0.9",
        "schedule.decay": "0.1,0.5",
        "seed": "0,1",
        "batch_size": "8,full",
        "epochs": "1,2",
    }
    spec, axes = sg.read(SPEC), axes_of(over)
    structures, sampler = Structures(spec, axes), GridSampler(axes)
    found = [structures.of(sampler.values(number)) for number in range(number_of_trials(axes, "grid", None))]
    assert {trial.spec for trial in found} == {spec}
    assert len({(*trial.hyper.values(), trial.seed, trial.batch_size, trial.epochs) for trial in found}) == 64


def test_a_number_that_the_spec_leaves_at_0_makes_two_structures() -> None:
    axes = axes_of({"optimizer.weight_decay": "0,1e-4,1e-3", "clip_norm": "null,1,2"})
    structures, sampler = Structures(sg.read(SPEC), axes), GridSampler(axes)
    found = [structures.of(sampler.values(number)) for number in range(9)]
    assert len({trial.spec for trial in found}) == 4
    told = [dict(trial.hyper) for trial in found]
    assert told[0] == {}
    assert told[5] == {"optimizer.weight_decay": 1e-4, "clip_norm": 2}


def test_random_trials_say_the_same_whichever_are_asked_for() -> None:
    rng = random.Random(SEED)
    for _ in range(30):
        over = {
            "optimizer.learning_rate": rng.choice(["1e-4..1e-1:log", "1e-4..1e-1:log:5"]),
            "epochs": rng.choice(["1..100:log", "1..50", "3,5,8"]),
            "optimizer": "adam,sgd",
        }
        axes, seed = axes_of(over), rng.randrange(2**32)
        few, many = RandomSampler(axes, 5, seed), RandomSampler(axes, 20, seed)
        order = rng.sample(range(20), 20)
        found = {number: many.values(number) for number in order}
        assert all(few.values(number) == found[number] for number in range(5))
        again = RandomSampler(axes, 20, seed)
        assert all(again.values(number) == found[number] for number in order)
        for values in found.values():
            assert 1e-4 <= float(str(values["optimizer.learning_rate"])) <= 1e-1
            assert 1 <= int(str(values["epochs"])) <= 100
        if all(isinstance(axis, ListedValues) for axis in axes):
            assert len({str(values) for values in found.values()}) == 20


def test_draws_are_spread_evenly() -> None:
    places = (np.arange(1000) + 0.5) / 1000
    whole = [ValueRange("epochs", 1, 4, False, True).at(place) for place in places]
    assert [whole.count(value) for value in (1, 2, 3, 4)] == [250] * 4
    logarithms = np.log10([ValueRange("x", 1e-4, 1, True, False).at(place) for place in places])
    assert np.histogram(logarithms, bins=4, range=(-4, 0))[0].tolist() == [250] * 4


@pytest.mark.parametrize(
    ("over", "sampler", "trials", "message"),
    [
        ({"seed": "0..4", "epochs": "1..9:log"}, "grid", None, "write 1..9:log:10, or take --sampler random"),
        ({"seed": "0..4"}, "grid", 3, "a grid makes all 5 trials"),
        ({"seed": "0..4"}, "random", None, "how many trials"),
        ({"seed": "0..4"}, "random", 6, "6 trials, and only 5 different ones"),
        ({"seed": "0..4"}, "random", 10**7, "expected at most 1,000,000"),
        ({"seed": "0..9999", "batch_size": "1..1000"}, "grid", None, "a grid of 10,000,000 trials"),
    ],
)
def test_how_many_trials_there_are_is_known_before(
    over: dict[str, Any], sampler: Any, trials: int | None, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        number_of_trials(axes_of(over), sampler, trials)
    assert message in str(caught.value)


def test_a_spec_that_draws_is_handed_on_as_it_is_written() -> None:
    """Streams of drawn numbers were numbered twice: every trial of it was refused."""
    spec = {**CHAIN, "layers": ["flatten", "dense(3, activation=tanh)", "dropout(0.1)", "dense(1)"]}
    spec |= {"targets": {"t": ["batch", 1]}, "loss": "mse"}
    trial = Structures(read(spec), axes_of({"layers.1.units": "2,3"})).of({"layers.1.units": 2})
    layers = ["flatten", "dense(2, activation=tanh)", "dropout(0.1)", "dense(1)"]
    assert expand(trial.spec).equations == expand(read({**spec, "layers": layers})).equations
