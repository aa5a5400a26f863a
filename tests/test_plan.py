"""`symgrad plan`: what more ranks would take."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli.commands import main
from symgrad.errors import DataError, SymgradError
from symgrad.scaling.measured_machine import RankProbe
from symgrad.scaling.quantities import bytes_per_second, seconds
from symgrad.scaling.rank_probe import SHORT
from symgrad.scaling.scaling_plan import ScalingPlan
from symgrad.scaling.step_model import Cluster, Link, SentBucket, Tcp, TimedMachine, predicted

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE = Path(__file__).parent.parent / "examples" / "linear_regression.yaml"
MACHINE = TimedMachine(
    plain=0.9,
    side_by_side={1: {1: 0.1, 8: 0.8}, 2: {1: 0.2, 8: 1.0}},
    bandwidth={2: 1000.0},
    tcp=Tcp(message=0.002, exchange=0.005, byte=0.001),
    memory={1: 50.0, 8: 120.0},
)
NO: Mapping[str, str] = {}
CLUSTER = Cluster(ranks_per_machine=2, network=Link(latency=0.01, bandwidth=100.0))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10Gb", 1.25e9),
        ("10 Gbit/s", 1.25e9),
        ("1.2GB/s", 1.2e9),
        ("100Mbps", 1.25e7),
        ("8b", 1.0),
        ("1e3B", 1e3),
    ],
)
def test_rates(text: str, rate: float) -> None:
    assert math.isclose(bytes_per_second(text, "x"), rate)


@pytest.mark.parametrize(
    ("text", "time"), [("20us", 2e-5), ("1.5 µs", 1.5e-6), ("3\u03bcs", 3e-6), ("0.1ms", 1e-4), ("2s", 2.0)]
)
def test_times(text: str, time: float) -> None:
    assert math.isclose(seconds(text, "x"), time)


@pytest.mark.parametrize(
    "text",
    ["", "10", "Gb", "-1Gb", "0Gb", "1..2Gb", "1e999Gb", "nanGb", "10Xb", "10 G b", "1e308Tb", "1e-310b", 10],
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(DataError, match="is no rate"):
        bytes_per_second(text, "bandwidth")


@pytest.mark.parametrize(
    "text", ["", "20", "us", "-1us", "0s", "1e999s", "1h", "10Gb", "1e-320ns", "1e308s", None]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DataError, match="is no time"):
        seconds(text, "latency")


def test_one_process_shares_nothing() -> None:
    step = predicted(MACHINE, CLUSTER, 1, 8, 400)
    assert (step.seconds, step.sending, step.rows, step.memory) == (0.9, 0.0, 8, 120.0)


def test_ranks_of_one_machine_send_each_other_what_they_lack() -> None:
    """Each of 2 needs the other's half of 400 bytes, and then its sum: 400 bytes an exchange of all."""
    step = predicted(MACHINE, CLUSTER, 2, 8, 400)
    assert (step.machines, step.rows) == (1, 4)
    assert math.isclose(step.computing, 0.2 + 3 / 7 * 0.8)
    assert math.isclose(step.sending, 2 * 400 / 1000)
    assert math.isclose(step.memory, 80.0 + 400 / 2)
    assert math.isclose(predicted(MACHINE, CLUSTER, 2, 8, 400, 100).memory, 80.0 + (400 - 100) / 2)


def test_the_data_lie_on_each_machine_once() -> None:
    for ranks, here in ((1, 1), (2, 2), (8, 2)):
        with_data, without = (predicted(MACHINE, CLUSTER, ranks, 16, 400, data=n).memory for n in (1000, 0))
        assert math.isclose(with_data - without, 1000 / here)


def test_machines_send_each_other_the_rest() -> None:
    """Each of the 2 ranks on a machine hands 6 others a stretch of 50 bytes, twice."""
    step = predicted(MACHINE, CLUSTER, 8, 16, 400)
    assert (step.machines, step.rows) == (4, 2)
    inside, outside = 2 * 50 / 1000, 0.005 + 6 * 0.002 + 0.01 + 2 * 6 * 50 / 100
    assert math.isclose(step.sending, 2 * (inside + outside))
    far = predicted(MACHINE, Cluster(2, Link(latency=10.0, bandwidth=100.0)), 32, 32, 400).sending
    near = predicted(MACHINE, Cluster(2, Link(latency=0.0, bandwidth=100.0)), 32, 32, 400).sending
    assert math.isclose(far - near, 2 * 4 * 10)  # 31 messages, 8 at once


def test_two_machines_send_each_other_half() -> None:
    """By a link, 200 bytes in either direction; a core that is slower than the link holds it up."""
    slow, fast = (Cluster(1, Link(latency=0.01, bandwidth=rate)) for rate in (100.0, 1e6))
    assert math.isclose(predicted(MACHINE, slow, 2, 8, 400).sending, 2 * (0.015 + 200 / 100))
    assert math.isclose(predicted(MACHINE, fast, 2, 8, 400).sending, 2 * (0.015 + 200 * 0.001))


def test_what_is_sent_while_a_rank_computes() -> None:
    """Half of 200 bytes is there when half of the computing is, so a link may do much of it meanwhile; what a
    core copies takes its own time.
    """
    buckets = (SentBucket(0.5, 0.5), SentBucket(0.5, 0.0))

    def sending(machine: TimedMachine, bandwidth: float) -> float:
        cluster = Cluster(1, Link(latency=0.01, bandwidth=bandwidth))
        return predicted(machine, cluster, 2, 8, 400, buckets=buckets).sending

    light = replace(MACHINE, tcp=Tcp(0.002, 0.005, 1e-6))
    one, half = 0.015 + 100 / 1000, MACHINE.computing(4, 1) / 2
    assert one < half
    assert math.isclose(sending(light, 1000.0), one + 2 * one)
    slow = 0.015 + 100 / 100
    assert math.isclose(sending(light, 100.0), 2 * slow - half + 2 * slow)
    assert math.isclose(sending(MACHINE, 1e9), 200 * 0.001 + 2 * (0.015 + 100 * 0.001))


def test_real_steps_that_differ_are_told() -> None:
    """A busy machine gives other times; nobody shall take the plan to be checked then."""
    step = predicted(MACHINE, CLUSTER, 2, 8, 400)
    steps, link = (predicted(MACHINE, CLUSTER, 1, 8, 400), step), CLUSTER.network
    plan = ScalingPlan("s", 8, False, 100, 400, "this one", 2, 2, link, steps, {2: 1.2 * step.seconds})
    assert "other times" not in str(plan)
    assert "fastest on one rank alone" in str(plan)
    assert "other times on 2:" in str(replace(plan, measured={2: 2 * step.seconds}))
    assert "other times on 2:" in str(replace(plan, measured={2: step.seconds / 2}))


def test_steps_of_fewer_rows_that_took_longer_are_told() -> None:
    """They cannot; of ranks on one machine and on several alike."""
    steps = tuple(predicted(MACHINE, CLUSTER, ranks, 8, 400) for ranks in (1, 2, 4, 8))
    plan = ScalingPlan("s", 8, False, 100, 400, "this one", 2, 2, CLUSTER.network, steps, {})
    assert "took longer" not in str(plan)
    held_up = replace(steps[2], computing=1.3 * steps[1].computing)
    told = " ".join(str(replace(plan, steps=(*steps[:2], held_up, steps[3]))).split())
    assert "steps of 2 rows took longer than of 4: where this machine had other work to do" in told
    as_many = replace(held_up, rows=4)
    assert "took longer" not in str(replace(plan, steps=(*steps[:2], as_many, steps[3])))


def test_weak_scaling_is_measured_with_as_many_rows_for_each_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one rank were once shared by all where every rank was to have so many."""
    asked = []

    def found(_: RankProbe, ranks: int, rows: list[int], by: Mapping[str, str] = NO) -> dict[str, Any]:
        if by is NO:
            asked.append((ranks, list(rows)))
        times = {str(ranks * count): 0.1 * count for count in rows}
        exchange = {str(SHORT): 1e-6, str(_.vector): 1e-5}
        return {
            "steps": times,
            "memory": dict.fromkeys(times, 1e6),
            "exchange": exchange,
            "told": 1e-6,
            "plain": 1.0,
        }

    monkeypatch.setattr(RankProbe, "found", found)
    plan = sg.plan(LINE, ranks=4, ranks_per_machine=2, batch=12, weak=True, random=True, measure=[2])
    assert asked[-1] == (2, [12])
    assert all(rows == [12] for _, rows in asked)
    assert math.isclose(plan.measured[2], plan.steps[1].seconds, rel_tol=1e-4)
    sg.plan(LINE, ranks=4, ranks_per_machine=2, batch=12, random=True, measure=[2])
    assert asked[-1] == (2, [6])
    assert asked[-2] == (2, [3, 6, 12])


def test_a_plan_beside_real_steps(tmp_path: Path) -> None:
    """Two real ranks are timed; the numbers of a plan fit each other."""
    picture = tmp_path / "plan.png"
    options = ["--ranks", "6", "--ranks-per-machine", "2", "--batch", "12", "--random", "--measure", "2"]
    answer = CliRunner().invoke(main, ["plan", str(LINE), *options, "--json", "--picture", str(picture)])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    steps = found["steps"]
    assert [step["ranks"] for step in steps] == [1, 2, 4, 6]
    assert [step["machines"] for step in steps] == [1, 1, 2, 3]
    assert [step["rows"] for step in steps] == [12, 6, 3, 2]
    assert [step["measured_seconds"] is not None for step in steps] == [False, True, False, False]
    assert all(step["computing"] > 0 and step["memory"] > 1e7 for step in steps)
    assert steps[0]["sending"] == 0 < min(step["sending"] for step in steps[1:])
    for step in steps:
        assert math.isclose(step["seconds"], step["computing"] + step["sending"])
        assert math.isclose(step["efficiency"] * step["ranks"], steps[0]["seconds"] / step["seconds"])
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ranks": 0}, "ranks is 0"),
        ({"bandwidth": "fast"}, "'fast' is no rate"),
        ({"latency": "soon"}, "'soon' is no time"),
        ({"ranks_per_machine": 10**6}, "ranks on a machine: this one, where steps are timed, has"),
        ({"ranks_per_machine": 1, "measure": [2]}, "2 ranks to measure, 1 on a machine"),
        ({"batch": 10**9}, "a batch of 1000000000 rows"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SymgradError, match=said):
        sg.plan(LINE, **options)


COUPLED = {
    "name": "coupled",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": ["batch", 3]},
    "equations": {"d": "dense(x, 3)", "e[n,i]": "mean(tanh(d[n,i] - d[p,i]), p)", "y": "dense(e, 3)"},
    "loss": "mse(y, t)",
}


def test_what_ranks_tell_each_other_is_sent_between_machines() -> None:
    """Each of 8 ranks on 4 machines tells 5 bytes, in 3 rounds: 2 x 6 x 5 leave a machine."""
    more = predicted(MACHINE, CLUSTER, 8, 16, 400, told=(5, 5)).sending
    assert math.isclose(more - predicted(MACHINE, CLUSTER, 8, 16, 400).sending, 2 * (3 * 0.012 + 60 / 100))
    assert predicted(MACHINE, CLUSTER, 2, 16, 400, told=(5,)) == predicted(MACHINE, CLUSTER, 2, 16, 400)


def test_rows_that_know_of_each_other() -> None:
    with pytest.raises(SymgradError, match="ranks cannot share the rows of a batch"):
        sg.plan(COUPLED)


def test_what_trains_nothing() -> None:
    forward = {"name": "f", "inputs": {"x": ["batch", 3]}, "layers": ["dense(2)"]}
    with pytest.raises(SymgradError, match="this is a forward pass"):
        sg.plan(forward)
