"""The learning-rate range test: its steps, where it ends, and what it suggests."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.training.rates.range_test import RATES_STREAM
from symgrad.training.rates.rate_test import RateTest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS, BATCH = 11, 4
RNG = np.random.default_rng(4)
X = RNG.normal(size=(ROWS, 1))
DATA = {"x": X, "t": 3 * X - 1 + 0.1 * RNG.normal(size=(ROWS, 1))}


def spec(**train: Any) -> dict[str, Any]:
    return {
        "name": "line",
        "dtype": "float64",
        "inputs": {"x": ["n", 1]},
        "targets": {"t": ["n", 1]},
        "layers": ["dense(1)"],
        "loss": "mse",
        "train": {"batch_size": BATCH, "optimizer": "sgd(0.1)", "seed": 3, **train},
    }


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Callable[[Any], Any]:
    return lambda given: interpreted(written(given, tmp_path))


def by_hand(module: Any, rates: Any, momentum: float = 0.0) -> list[float]:
    """The loss on all rows after each step, written out."""
    first = module.init_params(seed=3)
    w, b, vw, vb = float(first.W1[0, 0]), float(first.b1[0]), 0.0, 0.0
    found, batches = [], []
    for rate in rates:
        if not batches:
            epoch = len(found) // (ROWS // BATCH)
            order = np.random.default_rng([3, RATES_STREAM, epoch]).permutation(ROWS)
            batches = [order[n : n + BATCH] for n in range(0, ROWS - BATCH + 1, BATCH)]
        rows = batches.pop(0)
        x, t = DATA["x"][rows, 0], DATA["t"][rows, 0]
        error = 2 * (w * x + b - t) / len(x)
        vw, vb = momentum * vw + (error * x).sum(), momentum * vb + error.sum()
        w, b = w - rate * vw, b - rate * vb
        found.append(float(np.mean((w * DATA["x"] + b - DATA["t"]) ** 2)))
    return found


SCHEDULES = [
    "",
    "exponential(decay=0.3, k=step)",
    "linear_warmup(total=5)",
    "cosine()",
    "learning_rate / (1 + step)",
]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_made_with_the_rates_said_whatever_the_schedule(
    build: Any, schedule: str, momentum: float
) -> None:
    optimizer = f"momentum(learning_rate=0.1, momentum={momentum})" if momentum else "sgd(0.1)"
    given = spec(optimizer=optimizer, **({"schedule": schedule} if schedule else {}))
    module = build(given)
    found = sg.rates(given, module, data=DATA, least=1e-4, most=1.0, steps=40)
    assert found.rates == pytest.approx(np.geomspace(1e-4, 1, 40)[: len(found.rates)])
    assert found.losses == pytest.approx(by_hand(module, found.rates, momentum), rel=1e-9)


def test_it_ends_where_the_loss_diverges_and_changes_nothing(build: Any, tmp_path: Path) -> None:
    given = spec()
    module = build(given)
    before, files = module.init_params(seed=3), sorted(tmp_path.iterdir())
    found = sg.rates(given, module, data=DATA)
    assert found.has_diverged
    assert found.rates[-1] < 10
    expected = by_hand(module, found.rates)
    lowest = min(found.first, *expected[:-1])
    assert expected[-1] > lowest + 4 * (found.first - lowest) >= max(expected[:-1])
    assert len(found.smoothed) == len(found.losses) - 1
    assert all((a == b).all() for a, b in zip(before, module.init_params(seed=3), strict=True))
    assert sorted(tmp_path.iterdir()) == files
    assert found == sg.rates(given, module, data=DATA), "the same seed, the same rates"
    assert found.suggestion is not None
    run = sg.train(
        given, module, data=DATA, epochs=40, hyper={"learning_rate": found.suggestion}, progress=False
    )
    assert run.training.loss < 0.05 * found.first


def curve(fall: Callable[[float], float], until: float = 1.0) -> RateTest:
    rates = np.geomspace(1e-7, until, 200)
    return RateTest(
        "drawn", tuple(rates.tolist()), tuple(fall(math.log10(rate)) for rate in rates), fall(-9.0)
    )


@pytest.mark.parametrize("place", [-5.0, -3.5, -2.0])
def test_the_steepest_fall_is_found_under_jitter(place: float) -> None:
    for seed in range(5):
        jitter = np.random.default_rng(seed)

        def fall(x: float, jitter: Any = jitter) -> float:
            falls = 2 / (1 + math.exp(4 * (x - place)))
            leaps = 4 / (1 + math.exp(-6 * (x - place - 2.5)))
            return falls + leaps + 0.02 * float(jitter.normal())

        found = curve(fall)
        assert found.suggestion is not None
        assert abs(math.log10(found.suggestion) - place) < 0.35


def test_a_loss_that_never_falls_has_no_rate() -> None:
    found = curve(lambda x: 2.0 + 0.01 * math.sin(9 * x))
    assert found.suggestion is None
    assert not found.passed
    assert "the loss falls at none of these rates" in str(found)
    rising = RateTest("drawn", (1.0, 2.0), (9.0, math.nan), 1.0)
    assert rising.has_diverged
    assert rising.suggestion is None
    assert rising.as_dict()["losses"] == [9.0, None]
    assert "diverged at 2" in str(rising)
    assert "diverged at 1" in str(RateTest("drawn", (1.0,), (math.inf,), 1.0))


OWN = {"hyper": {"step_size": 0.1}, "update": {"theta": "theta - step_size * g"}}
REFUSED: list[tuple[dict[str, Any], dict[str, Any], type[sg.SymgradError], str]] = [
    ({}, {"least": 1.0, "most": 0.1}, sg.SymgradError, "rates from 1 to 0.1; expected the smaller one first"),
    ({}, {"least": 0.0}, sg.SymgradError, "least is 0.0; expected a number above 0"),
    ({}, {"steps": 9}, sg.SymgradError, "steps is 9; expected a whole number, at least 10"),
    ({"optimizer": OWN}, {}, sg.SpecError, "line: the optimiser has no learning_rate to choose; its step"),
    ({"schedule": "learning_rate**2"}, {}, sg.SpecError, "step 1 is made with 1e-07; leave the schedule out"),
    ({"schedule": "0.1 + learning_rate"}, {}, sg.SpecError, "leave the schedule out for the test"),
]


@pytest.mark.parametrize("case", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_tried_is_refused_with_the_remedy(build: Any, case: Any) -> None:
    train, options, kind, problem = case
    given = spec(**train)
    with pytest.raises(kind) as found:
        sg.rates(given, build(given), data=DATA, **options)
    assert problem in str(found.value)


def test_the_command_shows_a_table_a_picture_and_json(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, file = spec(), tmp_path / "line.yaml"
    table = np.hstack([DATA["x"], DATA["t"]])
    np.savetxt(tmp_path / "rows.csv", table, delimiter=",", header="x,t", comments="")
    file.write_text(json.dumps(given))
    module = build(sg.read(file))
    monkeypatch.setattr("symgrad.api.build", lambda _: module)
    options = ["rates", str(file), "--data", str(tmp_path / "rows.csv")]
    shown = CliRunner().invoke(main, [*options, "--picture", str(tmp_path / "rates.png")])
    assert shown.exit_code == 0, shown.output
    assert "suggested: learning_rate = " in shown.stdout
    assert "▪▪▪" in shown.stdout
    assert (tmp_path / "rates.png").read_bytes()[1:4] == b"PNG"
    found = json.loads(CliRunner().invoke(main, [*options, "--json"]).stdout)
    assert f"learning_rate = {found['suggestion']:g}," in shown.stdout
    assert found["diverged"]
    flat = CliRunner().invoke(main, [*options, "--most", "1e-6"])
    assert flat.exit_code == 1
    assert "the loss falls at none of these rates" in flat.stdout


def test_it_shows_itself_in_notebooks() -> None:
    pytest.importorskip("matplotlib")
    found = curve(lambda x: 2 / (1 + math.exp(4 * (x + 3))))
    assert found._repr_mimebundle_()["image/svg+xml"].lstrip().startswith("<")
    assert repr(found).startswith("<RateTest: drawn: 200 steps")
