"""Reading: three spec forms, three sources, exact numbers, and every place where the user wrote it."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from symgrad.errors import Position
from symgrad.spec.expand import expand
from symgrad.spec.language.syntax import Binary, Boolean, Call, Name, Node, Number
from symgrad.spec.model import OptimizerSpec, Spec, StopSpec
from symgrad.spec.reader import read

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
START = Position("<test>", 1, 1)

CHAIN = """\
name: digits
inputs:  {x: [batch, 64]}       # sizes
targets: {t: {axes: [batch], classes: 10}}
layers:
  - dense(32, activation=relu)
  - relu
loss: softmax_cross_entropy
train:
  data: data/digits.csv
  optimizer: adam(lr=1e-3, beta_1=0.8, epsilon=1e-8)
  schedule: exponential
  validation: 0.2
  batch_size: full
  clip_norm: 5
  stop: {patience: 3, tolerance: 1e-4}
"""

GRAPH = """\
inputs:  {x: [batch, 8]}
targets: {t: [batch, 1]}
equations:
  h: tanh(dense(x, 16))
  y: dense(h, 1, bias=false)
loss: mean((y - t)**2) + 1e-4 * sum(y_W**2)
outputs: [y, h]
gradients: x
train:
  data: {path: train.npz, columns: {x: [a, b], t: c}}
  validation: test.npz
  optimizer:
    hyper: {eta: 0.1, delta: -9e-1}
    state: {v: 0}
    update: {v: delta * v - eta * g, theta: theta + v}
"""

EXPLICIT = """\
dtype: float64
axes: {D: 4, K: 3}
inputs: {X: [N, D]}
targets: {Y: [N, K]}
parameters:
  W: [D, K]
  b: [K]
  a: {axes: [], init: -0.25}
  c: {axes: [K], init: normal(std=0.1)}
functions:
  swish(x, beta=1): x * sigmoid(beta * x)
equations:
  Z: X @ W + b + c
  A: swish(Z, a)
  "P[n,k]": "exp(A[n,k]) / sum(exp(A[n,j]), j)"
loss: -mean(sum(Y * log(P), axis=1))
"""


def number(text: str) -> Number:
    return Number(Fraction(text), START)


def name(word: str) -> Name:
    return Name(word, START)


def call(function: str, *arguments: Node, **keywords: Node) -> Call:
    return Call(function, arguments, tuple(keywords.items()), START)


def test_a_chain() -> None:
    spec = read(CHAIN)
    assert (spec.name, spec.dtype, spec.path) == ("digits", "float32", None)
    assert spec.inputs[0].axes == ("batch", 64)
    assert (spec.targets[0].axes, spec.targets[0].classes) == (("batch",), 10)
    assert spec.layers == (call("dense", number("32"), activation=name("relu")), call("relu"))
    assert spec.loss == name("softmax_cross_entropy")
    assert spec.equations == ()


def test_the_train_block() -> None:
    train = read(CHAIN).train
    assert train.data is not None
    assert (train.data.path, train.data.columns) == ("data/digits.csv", ())
    aliases = {"learning_rate": number("1e-3"), "b1": number("0.8"), "eps": number("1e-8")}
    assert train.optimizer == call("adam", **aliases)
    assert isinstance(train.schedule, Name)
    assert train.schedule.id == "exponential"
    assert (train.validation, train.batch_size, train.clip_norm) == (0.2, "full", 5.0)
    assert train.stop == StopSpec(patience=3, tolerance=1e-4)


def test_defaults_of_the_train_block() -> None:
    train = read("inputs: {x: [3]}\nequations: {y: x}").train
    assert (train.data, train.validation, train.schedule, train.clip_norm) == (None, None, None, None)
    assert (train.optimizer, train.standardize, train.stop) == (call("sgd"), False, StopSpec())
    assert (train.batch_size, train.shuffle, train.epochs, train.seed) == (32, "each_epoch", 10, 0)


def test_a_graph() -> None:
    spec = read(GRAPH)
    assert spec.name == "model"
    assert [e.name for e in spec.equations] == ["h", "y"]
    assert spec.equations[0].formula == call("tanh", call("dense", name("x"), number("16")))
    assert (spec.outputs, spec.gradients) == (("y", "h"), ("x",))
    assert spec.train.data is not None
    assert spec.train.data.columns == (("x", ("a", "b")), ("t", ("c",)))
    assert not isinstance(spec.train.validation, float | None)
    assert spec.train.validation.path == "test.npz"


def test_an_optimizer_of_ones_own() -> None:
    optimizer = read(GRAPH).train.optimizer
    assert isinstance(optimizer, OptimizerSpec)
    assert optimizer.hyper == (("eta", number("0.1")), ("delta", number("-0.9")))
    assert optimizer.state == (("v", number("0")),)
    assert dict(optimizer.update)["theta"] == Binary("+", name("theta"), name("v"), START)


def test_explicit_parameters_and_both_notations() -> None:
    spec = read(EXPLICIT)
    assert spec.axes == (("D", 4), ("K", 3))
    assert [p.init for p in spec.parameters] == [
        call("glorot_uniform"),
        call("zeros"),
        number("-0.25"),
        call("normal", std=number("0.1")),
    ]
    (swish,) = spec.functions
    assert (swish.name, swish.arguments, swish.defaults) == ("swish", ("x",), (("beta", number("1")),))
    assert [(e.name, e.indices) for e in spec.equations] == [("Z", None), ("A", None), ("P", ("n", "k"))]


@pytest.mark.parametrize("text", [CHAIN, GRAPH, EXPLICIT])
def test_every_form_expands(text: str) -> None:
    assert expand(read(text)).equations


@pytest.mark.parametrize("text", [CHAIN, GRAPH, EXPLICIT])
def test_a_dict_says_the_same_as_its_yaml(text: str) -> None:
    data = YAML(typ="safe", pure=True).load(io.StringIO(text))
    assert replace(read(data), sha256="") == replace(read(text), sha256="")
    assert read(data).sha256 == read(dict(data)).sha256


def test_a_file_a_path_and_its_text_are_one_spec(tmp_path: Path) -> None:
    path = tmp_path / "my net-2.yaml"
    path.write_text(GRAPH, encoding="utf-8")
    spec = read(path)
    assert spec == read(str(path)) == replace(read(GRAPH), name="my_net-2")
    assert (spec.path, spec.name, spec.at) == (path, "my_net-2", Position(str(path), 1, 1))


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + EXPLICIT.replace("\n", "\r\n").encode())
    assert replace(read(path), sha256="") == replace(read(EXPLICIT), sha256="")


def test_the_hash_is_of_the_text() -> None:
    digest = "24f58729fa9ebe243f264cbfe6589e7206088e25e258ee0f1a64b039db745dbc"
    assert read("inputs: {x: [3]}\nequations: {y: x}\n").sha256 == digest
    assert read("inputs: {x: [3]}\nequations: {y: x} \n").sha256 != digest


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", "1/1000"),
        ("0.1", "1/10"),
        (".5", "1/2"),
        ("3.", "3"),
        ("1E5", "100000"),
        ("0.30000000000000004440892098500626", "0.30000000000000004440892098500626"),
        ("12345678901234567890123456789", "12345678901234567890123456789"),
    ],
)
def test_numbers_stay_exact_from_yaml_to_formula(text: str, value: str) -> None:
    spec = read(
        f"inputs: {{x: [3]}}\nparameters: {{w: {{axes: [], init: {text}}}}}\nequations: {{y: {text}}}"
    )
    assert spec.equations[0].formula == number(value) == spec.parameters[0].init


def test_numbers_of_a_dict_are_their_shortest_decimal() -> None:
    spec = read({"inputs": {"x": [3]}, "equations": {"y": 0.1, "z": 1e-05, "u": 7}})
    assert [e.formula for e in spec.equations] == [number("1/10"), number("1/100000"), number("7")]


@pytest.mark.parametrize(
    "word", ["beta", "gamma", "lambda_", "S", "N", "E", "I", "np", "theta", "loss", "relu"]
)
def test_names_that_are_free(word: str) -> None:
    spec = read({"inputs": {"x": ["rows", 3]}, "equations": {word: "2 * x"}})
    assert spec.equations[0].name == word


def test_a_function_may_hide_one_of_the_library() -> None:
    spec = read("inputs: {x: [3]}\nfunctions: {relu(x): 'max(x, 1)'}\nequations: {y: relu(x)}")
    assert [f.formula for f in expand(spec).functions] == [call("max", name("x"), number("1"))]


@pytest.mark.parametrize("chain", [True, False])
def test_a_users_function_replaces_a_layer_of_the_same_name(chain: bool) -> None:
    body = "layers: [dense(2), swish(beta=2)]" if chain else "equations: {y: 'swish(dense(x, 2), 2)'}"
    model = expand(read(f"inputs: {{x: [n, 3]}}\nfunctions: {{'swish(x, beta=1)': x * beta}}\n{body}"))
    assert [f.name for f in model.functions] == ["swish"]
    assert not [p.name for p in model.parameters if "beta" in p.name]


@pytest.mark.parametrize("text", ["true", "True"])
def test_truth_values_of_keywords(text: str) -> None:
    keyword = read(f"inputs: {{x: [3]}}\nlayers: ['dense(2, bias={text})']").layers[0].keywords[0]
    assert keyword == ("bias", Boolean(True, START))


def test_reading_imports_no_numerics() -> None:
    script = "import sys, symgrad.spec.reader; print({'numpy', 'sympy', 'numba'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_good_specs(path: Path) -> None:
    spec = read(path)
    assert isinstance(spec, Spec)
    assert expand(spec).loss is not None
    if spec.train.data is not None:
        assert (path.parent / spec.train.data.path).exists()


def test_classes_are_as_many_as_an_axis_is_long() -> None:
    text = "axes: {V: 7}\ninputs: {x: {axes: [n], classes: V}}\nequations:\n  y: sum(onehot(x), axis=1)\n"
    assert read(text).inputs[0].classes == 7
