"""Equal layers lie in memory one stride apart, and nothing lies where something else is still needed."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symgrad.compiler.planning.places.chains import chains_of
from symgrad.compiler.planning.places.equal_steps import equal_runs
from symgrad.compiler.planning.places.first_fit import places_of
from symgrad.compiler.planning.places.lifetimes import Buffer
from symgrad.pipeline import Stages, module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of


def network(times: int, block: list[Any], **more: Any) -> dict[str, Any]:
    layers = [{"repeat": {"times": times, "layers": block}}, "dense(2)"]
    given = {"inputs": {"x": ["n", 3, 4]}, "targets": {"t": ["n", 3, 2]}}
    train = {"optimizer": "adam"}
    return {**given, "layers": layers, "loss": "mse", "train": train, "gradients": ["x"], **more}


BLOCKS: dict[str, list[Any]] = {
    "dense": [{"residual": ["dense(5, activation=tanh)", "layer_norm", "dense(4)"]}],
    "twice": [{"repeat": {"times": 2, "layers": [{"residual": ["dense(4, activation=tanh)"]}]}}, "rms_norm"],
    "joined": [{"concat": ["dense(2)"]}, "dense(4, activation=sigmoid)"],
}


def loops(text: str) -> list[int]:
    """How often each loop over layers runs."""
    return [
        int(line.split("(")[1].rstrip("):")) for line in text.splitlines() if "for layer in range(" in line
    ]


@pytest.mark.parametrize("name", BLOCKS)
def test_equal_blocks_are_one_loop_forward_and_one_backward(name: str) -> None:
    """All of them but one at most; what is computed is written down once, whatever their number."""
    few, many = (module_text(read(network(times, BLOCKS[name]))) for times in (5, 6))
    assert [a + 1 for a in loops(few)] == loops(many)
    assert sum(times >= 5 for times in loops(many)) >= 2
    assert few.count(" = view(") == many.count(" = view(")
    assert few.count("gemm(") == many.count("gemm(")


def test_transformer_blocks_are_one_loop_forward_and_one_backward() -> None:
    text = module_text(read(network(5, ["transformer_block(heads=2, hidden=5, causal=true)"])))
    assert sum(times >= 4 for times in loops(text)) >= 2
    assert text.count("    gemm(") <= 2 * (6 + 12) + 3


@pytest.mark.parametrize("name", ["dense", "joined"])
def test_loops_over_blocks_are_what_the_spec_says(name: str) -> None:
    """Exactly, in memory that holds garbage, every subscript inside its array, all arrays apart."""
    spec = read(network(5, BLOCKS[name]))
    identity = identity_of(expand(spec), module_text(spec))
    assert (identity.state, identity.left) == ("identical", ())
    assert not identity.is_wrong


# Places ---------------------------------------------------------------------------------------


Layout = tuple[list[Buffer], list[tuple[tuple[str, ...], ...]]]


def layout(random: Random) -> Layout:
    """Pieces of memory of equal layers, forward and backward, among others that come as they like."""
    buffers: list[Buffer] = []
    columns: list[tuple[str, ...]] = []
    times = random.randint(4, 6)
    units: list[tuple[str, ...]] = [(), ("n",)]
    for number in range(random.randint(0, 5)):
        start, length, step = random.randint(0, 9), random.randint(0, 40), random.randint(1, 5)
        unit, amount = random.choice(units), random.randint(1, 4)
        ends_in_reverse, is_reversed = random.random() < 0.5, random.random() < 0.5
        names = [f"c{number}_{k}" for k in range(times)]
        for k, name in enumerate(names):
            first = start + k * step
            last = start + times * step + length - k * step if ends_in_reverse else first + length
            buffers.append(Buffer(unit, amount, first, max(first, last), [name]))
        columns.append(tuple(reversed(names)) if is_reversed else tuple(names))
        shifted = random.randint(0, 2)
        columns += [columns[-1][shifted : shifted + times - 2]] if shifted else []
    for number in range(random.randint(0, 8)):
        first, length = random.randint(0, 40), random.randint(0, 12)
        buffers.append(
            Buffer(random.choice(units), random.randint(1, 5), first, first + length, [f"s{number}"])
        )
    buffers.sort(key=lambda buffer: buffer.first)
    cut = random.randint(0, len(columns))
    return buffers, [tuple(columns[:cut]), tuple(columns[cut:])]


LAYOUTS = st.integers(0, 2**32 - 1).map(lambda seed: layout(Random(seed)))


@given(LAYOUTS, st.integers(0, 3))
def test_nothing_lies_where_something_else_is_needed(drawn: Layout, fixed: int) -> None:
    buffers, runs = drawn
    places, sizes = places_of(buffers, runs, fixed)
    for buffer in buffers:
        least = 0 if buffer.unit else fixed
        start = places[buffer.names[0]]
        assert least <= start <= dict(sizes)[buffer.unit] - buffer.amount
    for a, b in combinations(buffers, 2):
        if a.unit == b.unit and a.first <= b.last and b.first <= a.last:
            starts = places[a.names[0]], places[b.names[0]]
            assert starts[0] + a.amount <= starts[1] or starts[1] + b.amount <= starts[0]
    for chain in chains_of(buffers, runs):
        in_order = [(k, places[chain.members[k].names[0]]) for k in sorted(chain.members)]
        steps = {(b - a) / (j - i) for (i, a), (j, b) in pairwise(in_order)}
        assert len(steps) <= 1
    for column in (column for run in runs for column in run):
        found = [places[name] for name in column]
        assert len({b - a for a, b in pairwise(found)}) == 1


@given(LAYOUTS, st.integers(0, 3))
def test_what_is_no_layer_lies_as_low_as_it_can(drawn: Layout, fixed: int) -> None:
    """The lowest place free of all that was placed before and is needed at the same time."""
    buffers, _ = drawn
    places, _ = places_of(buffers, [], fixed)
    for number, buffer in enumerate(buffers):
        taken = [
            range(places[b.names[0]], places[b.names[0]] + b.amount)
            for b in buffers[:number]
            if b.unit == buffer.unit and b.first <= buffer.last and b.last >= buffer.first
        ]
        start = 0 if buffer.unit else fixed
        while any(range(max(start, t.start), min(start + buffer.amount, t.stop)) for t in taken):
            start += 1
        assert places[buffer.names[0]] == start


def test_runs_are_found_whatever_the_names() -> None:
    """But for the first layer, which reads the input."""
    stages: Stages = stages_of(read(network(6, BLOCKS["joined"])))
    forward = next(phase for phase in stages.phases if phase.name == "forward")
    (run,) = equal_runs(stages.plan, forward.steps)
    assert {len(column) for column in run} == {5}
    assert {("W3", "W5", "W7", "W9", "W11"), ("b3", "b5", "b7", "b9", "b11")} <= {*run}
