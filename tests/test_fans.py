"""Fan-in and fan-out: read off a program and off a spec alike, whatever the order of a parameter's axes."""

from __future__ import annotations

import math

import pytest
from corpus import CORPUS, EXAMPLES, TRIED
from seeds import one_in

from symgrad.elaborate.starting.fans import Fans, fans_of
from symgrad.pipeline import Stages, module_text
from symgrad.spec.expand import expand
from symgrad.spec.language.trees import names_in
from symgrad.spec.reader import read
from symgrad.verifier.sampling import spec_fans as spec_fans
from symgrad.verifier.sampling.spec_fans import scale_of


def spec_of(equation, axes, inputs="{x: [batch, 9, 8, 6]}", init="he_normal"):
    return f"""
inputs: {inputs}
parameters:
  W: {{axes: {axes}, init: {init}}}
equations:
  {equation}
loss: mean(y**2)
"""


CASES = {
    "dense": ("y: x @ W", [6, 4], "{x: [batch, 6]}", (6, 4)),
    "turned": ("y: x @ W.T", [4, 6], "{x: [batch, 6]}", (6, 4)),
    "from the left": ("y: (W @ x.T).T", [4, 6], "{x: [batch, 6]}", (6, 4)),
    "one unit": ("'y[n]': 'sum(x[n,d] * W[d], d)'", [6], "{x: [batch, 6]}", (6, 1)),
    "kernel": (
        "'y[n,i,j,k]': 'sum(x[n,i+u,j+v,c] * W[u,v,c,k], u, v, c)'",
        [5, 5, 6, 16],
        "{x: [batch, 9, 8, 6]}",
        (150, 400),
    ),
    "kernel of PyTorch": (
        "'y[n,i,j,k]': 'sum(x[n,i+u,j+v,c] * W[k,c,u,v], u, v, c)'",
        [16, 6, 5, 5],
        "{x: [batch, 9, 8, 6]}",
        (150, 400),
    ),
    "strided": (
        "'y[n,i,k]': 'sum(x[n,2*i+u,c] * W[u,c,k], u, c)'",
        [3, 6, 4],
        "{x: [batch, 9, 6]}",
        (18, 12),
    ),
    "channel by channel": (
        "'y[n,i,c]': 'sum(x[n,i+u,c] * W[u,c], u)'",
        [3, 6],
        "{x: [batch, 9, 6]}",
        (3, 3),
    ),
    "all of an image": (
        "'y[n,k]': 'sum(x[n,i,j,c] * W[i,j,c,k], i, j, c)'",
        [9, 8, 6, 4],
        "{x: [batch, 9, 8, 6]}",
        (432, 4),
    ),
    "heads": (
        "'y[n,h,e]': 'sum(x[n,d] * W[d,h,e], d)'",
        [6, 2, 3],
        "{x: [batch, 6]}",
        (6, 6),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_fans(name):
    equation, axes, inputs, expected = CASES[name]
    model = expand(read(spec_of(equation, axes, inputs)))
    program = Stages(model).derived
    assert fans_of(program.tensor["W"], program) == Fans(*expected)
    found = spec_fans.fans_of(model, model.parameters[0])
    assert found is not None
    assert found.sizes(tuple(axes)) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("conv2d(x, 16, kernel=5, padding=2)", (150, 400)),
        ("conv2d(x, 12, kernel=(3, 2), stride=2, groups=3)", (12, 72)),
        ("conv2d(x, 12, kernel=3, groups=channels)", (9, 108)),
        ("patch_embedding(x, 4, patch=(3, 2))", (36, 24)),
        ("conv_transpose2d(x, 4, kernel=2, stride=2)", (6, 16)),
        ("conv_transpose2d(x, 4, kernel=3)", (54, 36)),
    ],
)
def test_fans_of_convolutions_by_name(call, expected):
    program = Stages(expand(read(spec_of(f"y: {call}", [1])))).derived
    assert fans_of(program.tensor["y_W"], program) == Fans(*expected)


def test_what_no_sum_takes_in_has_its_first_and_last_size():
    model = expand(read(spec_of("y: x * W", [3, 6], "{x: [3, 6]}")))
    program = Stages(model).derived
    assert fans_of(program.tensor["W"], program) == Fans(3, 6)
    assert spec_fans.fans_of(model, model.parameters[0]) is None


@pytest.mark.parametrize("name", one_in(2, [*TRIED, *(path.name for path in EXAMPLES)]))
def test_program_and_spec_agree(name):
    model = expand(read(CORPUS.get(name) or next(p for p in EXAMPLES if p.name == name)))
    program = Stages(model).derived
    for decl in model.parameters:
        found = spec_fans.fans_of(model, decl)
        if found is None or not {"fan_in", "fan_out"} & names_in(decl.init.scale):
            continue
        tensor = program.tensor[decl.name]
        fans = fans_of(tensor, program)
        assert found.sizes(tuple(axis.size for axis in tensor.axes)) == (fans.fan_in, fans.fan_out)


def test_a_module_begins_with_the_scale_of_its_fans():
    equation, axes, inputs, (fan_in, _) = CASES["kernel of PyTorch"]
    assert f"rng.normal(0.0, {math.sqrt(2 / fan_in):.15f}"[:-1] in module_text(
        read(spec_of(equation, axes, inputs))
    )


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ("he_normal", math.sqrt(2 / 150)),
        ("glorot_uniform", math.sqrt(6 / 550)),
        ("uniform(limit=0.3)", 0.3),
        ("constant(value=2)", 2.0),
    ],
)
def test_the_judge_reads_the_scale_off_the_spec(init, expected):
    equation, axes, inputs, _ = CASES["kernel"]
    model = expand(read(spec_of(equation, axes, inputs, init)))
    assert scale_of(model, model.parameters[0], tuple(axes)) == pytest.approx(expected, rel=1e-14)


def test_what_is_not_plain_to_see_is_not_judged():
    model = expand(read(spec_of("y: x * W", [3, 6], "{x: [3, 6]}")))
    assert scale_of(model, model.parameters[0], (3, 6)) is None
