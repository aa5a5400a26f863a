"""ONNX in: the spec of a file computes what ONNX Runtime says of it; what no spec can be is refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from building import interpreted
from building import written as module_file
from click.testing import CliRunner
from corpus import CORPUS
from onnx import TensorProto, helper, numpy_helper
from seeds import one_in
from sklearn.linear_model import LogisticRegression

import symgrad as sg
from symgrad.cli import main
from symgrad.compiler.targets.onnx.onnx_model import onnx_model
from symgrad.exchange.import_onnx import import_onnx
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}
REPEATS, ROWS, PADS = "repeats entries along", "the number of rows", "no spec for the operator Pad"
NOT_READ = {
    "keepdims": ROWS,
    "causal_attention": "chooses by what is no comparison",
    "places": "ScatterND writes into parts of an array",
    **dict.fromkeys(("norms_2d", "block", "layer_embedding", "layer_cross_attention", "noises"), REPEATS),
    **dict.fromkeys(
        (
            "norms_1d",
            "norms_3d",
            "placements",
            "windows_1d",
            "windows_2d",
            "windows_3d",
            "channels_first",
            "turned_places",
        ),
        PADS,
    ),
    **dict.fromkeys(("patches", "layer_rows_of_lengths", "layer_graph_conv"), REPEATS),
    "layer_spectral_norm": "has no finite value at the start of training",  # its vectors begin at 0 there
}
"""Networks of the corpus that are refused, and why."""


def answers(file: bytes, data: dict[str, Any]) -> list[Any]:
    """What ONNX Runtime makes of data."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = {i.name: np.asarray(data[i.name], KINDS[i.type]) for i in session.get_inputs()}
    return list(session.run(None, given))


def demand_the_same(path: Path, data: dict[str, Any], tolerance: float) -> str:
    """The spec that is read from a file gives what ONNX Runtime gives; its text."""
    found = import_onnx(path, "net", None)
    spec = found.model.spec
    sizes: dict[Any, int] = {}
    for tensor, values in zip(spec.inputs, data.values(), strict=True):
        sizes |= dict(zip(tensor.axes, np.shape(values), strict=False))
    targets = {t.name: np.zeros([sizes.get(axis, axis) for axis in t.axes]) for t in spec.targets}
    inputs = dict(zip([t.name for t in spec.inputs], data.values(), strict=True))
    ours = interpret(found.model, {**inputs, **targets, **found.params}, DOUBLE).prediction
    for mine, theirs in zip(ours, answers(path.read_bytes(), data), strict=False):
        np.testing.assert_allclose(mine, np.reshape(theirs, mine.shape), rtol=tolerance, atol=tolerance)
    return found.text


SCANS = ("recurrent", "steps_in_parts")
READ_BACK = [name for name in CORPUS if not name.startswith(("optimizer_", "loss_", *SCANS))]
READ_BACK += ["loss_softmax_cross_entropy", "loss_binary_cross_entropy", "loss_poisson_nll", "loss_nll"]


@pytest.mark.parametrize("name", one_in(2, READ_BACK))
def test_what_symgrad_exports_it_reads_back(name: str, tmp_path: Path) -> None:
    stages = stages_of(read(CORPUS[name]))
    sample = draw(stages.model, "", 1, batch=3)
    model = onnx_model(stages.model, stages.in_order, sample.parameters, {}, {})
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    if name in NOT_READ:
        with pytest.raises(sg.ModuleError, match=NOT_READ[name]):
            import_onnx(tmp_path / "net.onnx", "net", None)
        return
    needed = [i.name for i in model.graph.input if any(i.name in node.input for node in model.graph.node)]
    demand_the_same(tmp_path / "net.onnx", {n: sample.inputs[n] for n in needed}, 2e-6)


def written(
    path: Path,
    nodes: list[Any],
    arrays: dict[str, Any],
    outputs: dict[str, Any] | None = None,
    *,
    inputs: dict[str, Any] | None = None,
    opset: int = 18,
) -> Path:
    """An ONNX file; inputs and outputs by their shapes."""
    shapes = {"x": ["batch", 4]} if inputs is None else inputs
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (*shapes.items(), *(outputs or {"y": None}).items())
    ]
    given = [
        numpy_helper.from_array(np.asarray(array, np.float32 if _is_real(array) else np.int64), name)
        for name, array in arrays.items()
    ]
    graph = helper.make_graph(nodes, "g", values[: len(shapes)], values[len(shapes) :], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def _is_real(array: Any) -> bool:
    return np.asarray(array).dtype.kind == "f"


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), output.split(), f"{operator} {output}", **attributes)


RANDOM = np.random.default_rng(3)
W, B = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=3)
X = RANDOM.normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "rows"),
    [
        ([node("Gemm", "x W b", "y")], ["  - dense(3)  # W, b"]),
        ([node("Gemm", "x V b", "y", transB=1)], ["  - dense(3)  # V, b"]),
        ([node("MatMul", "x W", "h"), node("Add", "h b", "y")], ["  - dense(3)  # W, b"]),
        ([node("MatMul", "x W", "h"), node("Add", "b h", "z"), node("Relu", "z", "y")], None),
        (
            [node("Gemm", "x W b", "z"), node("Dropout", "z", "d"), node("Softmax", "d", "y", axis=1)],
            ["  - dense(3)  # W, b", "loss: softmax_cross_entropy"],
        ),
        (
            [node("Gemm", "x W b", "z"), node("LeakyRelu", "z", "h", alpha=0.2), node("Gemm", "h Q", "y")],
            [
                "  - dense(3, activation=leaky_relu(negative_slope=0.2))  # W, b",
                "  - dense(3, bias=false)  # Q",
            ],
        ),
        (
            [node("Gemm", "x W b", "z"), node("Sigmoid", "z", "y")],
            ["  - dense(3)  # W, b", "loss: binary_cross_entropy_with_logits"],
        ),
    ],
)
def test_dense_layers_are_recognised(nodes: list[Any], rows: list[str] | None, tmp_path: Path) -> None:
    used = {name for one in nodes for name in one.input}
    arrays = {"W": W, "V": W.T, "b": B, "Q": RANDOM.normal(size=(3, 3))}
    path = written(tmp_path / "n.onnx", nodes, {n: a for n, a in arrays.items() if n in used})
    text = demand_the_same(path, {"x": X}, 1e-6)
    for row in rows or ["  - dense(3, activation=relu)  # W, b"]:
        assert row in text.splitlines()


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Softmax", "x", "h"), node("Softmax", "h", "y")],  # without parameters there is no loss
        [node("Transpose", "x", "h", perm=[1, 0]), node("Transpose", "h", "y", perm=[1, 0])],
        [node("Exp", "x", "x[0]"), node("Gemm", "x[0] W lambda", "softmax"), node("Relu", "softmax", "y")],
        [node("MatMul", "x Q", "h"), node("Tanh", "h", "g"), node("MatMul", "g Q", "y")],
        [node("MatMul", "x W", "h"), node("Transpose", "W", "V"), node("MatMul", "h V", "y")],
        [node("Gemm", "x W lambda", "y", alpha=0.5, beta=2.0)],
        [node("LayerNormalization", "x s d", "y", axis=-1)],
        [node("Split", "x two", "n b", axis=1), node("Mul", "n b", "y")],
        [node("Gather", "x some", "y", axis=1)],
        [node("Einsum", "x W", "y", equation="bi,ij->jb")],
        [node("Clip", "x low d0", "y")],
    ],
)
def test_what_is_seldom_written_is_read_too(nodes: list[Any], tmp_path: Path) -> None:
    square, ones = RANDOM.normal(size=(4, 4)), np.ones(4)
    arrays: dict[str, Any] = {"W": W, "lambda": B, "Q": square, "s": ones * 2, "d": ones * 0.5}
    arrays |= {"two": np.array([2, 2]), "some": np.array([3, 0, 0]), "low": -np.inf, "d0": 0.5}
    used = {name for one in nodes for name in one.input}
    path = written(tmp_path / "n.onnx", nodes, {n: a for n, a in arrays.items() if n in used})
    demand_the_same(path, {"x": X}, 1e-6)


def test_names_of_the_file_are_kept(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", "x fc1.weight fc1.bias", "/fc1/Gemm_output_0"),
        node("Tanh", "/fc1/Gemm_output_0", "/act/Tanh_output_0"),
        node("Gemm", "/act/Tanh_output_0 head.weight", "a"),
        node("Add", "a x", "y"),
    ]
    arrays = {"fc1.weight": W, "fc1.bias": B, "head.weight": RANDOM.normal(size=(3, 4))}
    text = demand_the_same(written(tmp_path / "n.onnx", nodes, arrays), {"x": X}, 1e-6)
    assert '  fc1: "tanh(dense(x, 3))"  # fc1.weight, fc1.bias' in text
    assert '  head: "dense(fc1, 4, bias=false)"  # head.weight' in text


def test_a_classifier_of_scikit_learn_keeps_the_names_of_its_classes(tmp_path: Path) -> None:
    """The graph that skl2onnx writes for a network of two classes, with a table of probabilities by name."""
    nodes = [
        node("Cast", "x", "cast_input", to=1),
        node("MatMul", "cast_input W", "mul_result"),
        node("Add", "mul_result b", "z"),
        node("Relu", "z", "next_activations"),
        node("MatMul", "next_activations w", "mul_result1"),
        node("Add", "mul_result1 c", "z1"),
        node("Sigmoid", "z1", "p"),
        node("Sub", "one p", "q"),
        node("Concat", "q p", "probabilities", axis=1),
        node("ArgMax", "probabilities", "place", axis=1),
        helper.make_node(
            "ZipMap", ["probabilities"], ["y"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]
        ),
    ]
    arrays = {"W": W, "b": B, "w": RANDOM.normal(size=(3, 1)), "c": RANDOM.normal(size=1), "one": 1.0}
    given = [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in arrays.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])
    map_of = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    outputs = [
        helper.make_tensor_value_info("place", TensorProto.INT64, None),
        helper.make_value_info("y", helper.make_sequence_type_proto(map_of)),
    ]
    graph = helper.make_graph(nodes, "g", [x], outputs, given)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    path = tmp_path / "pets.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    written = sg.import_onnx(path, tmp_path / "pets.yaml", identity=False)
    with pytest.raises(
        sg.ModuleError, match=r"pets.yaml: .* already; with force=True, or --force, it is overwr"
    ):
        sg.import_onnx(path, tmp_path / "pets.yaml", identity=False)
    assert written.difference is not None
    assert written.difference < 1e-6
    assert "  - dense(3, activation=relu)  # W, b" in written.spec.read_text()
    saved = sg.open_run(written.checkpoint, interpreted(written.module))
    _, rows = answers(path.read_bytes(), {"x": X})
    np.testing.assert_allclose(saved.predict(X)[:, 0], [row["yes"] for row in rows], atol=1e-6)
    assert saved.labels(X).tolist() == [max(row, key=row.get) for row in rows]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_export_comes_back_with_what_was_learnt_of_the_data(dtype: str, tmp_path: Path) -> None:
    """Words, gaps, means and names of classes: the scaling in its graph is no part of the network."""
    spec = {
        "name": "pets",
        "dtype": dtype,
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": {"axes": ["batch"], "classes": 2}},
        "layers": ["dense(3, activation=tanh)", "dense(2)"],
        "loss": "softmax_cross_entropy",
        "train": {"missing": "most_frequent", "epochs": 1, "standardize": True, "unseen": "ignore"},
    }
    drawn = np.random.default_rng(0)
    columns = {"age": drawn.normal(30, 5, 40), "kind": drawn.choice(["ant", "bee", "cat"], 40)}
    data = pd.DataFrame(columns | {"label": drawn.choice(["big", "small"], 40)})
    data.loc[3, "age"] = None
    run = sg.train(spec, interpreted(module_file(spec, tmp_path)), data=data, progress=False)
    sg.export(spec, run, tmp_path / "pets.onnx")
    again = sg.import_onnx(tmp_path / "pets.onnx", tmp_path / "again.yaml", identity=False)
    text = again.spec.read_text()
    assert "layers:\n  - dense(3, activation=tanh)" in text
    assert text.endswith("  standardize: true\n  unseen: ignore\n")
    saved, rows = sg.open_run(again.checkpoint, interpreted(again.module)), data[["age", "kind"]]
    np.testing.assert_allclose(saved.predict(rows), run.predict(rows), rtol=1e-6)
    assert saved.labels(rows).tolist() == run.labels(rows).tolist()
    assert sg.evaluate(saved, data).metrics.accuracy == run.training.accuracy


class Graph:
    """A random graph over rows, grown node by node; `live` are its tensors by the number of their columns."""

    def __init__(self, seed: int) -> None:
        self.random, self.numbers = random.Random(seed), np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.arrays: dict[str, Any] = {}
        self.live: list[tuple[str, int]] = [("x", 4)]

    def array(self, *shape: int, positive: bool = False) -> str:
        name = f"p{len(self.arrays)}.weight"
        found = self.numbers.normal(size=shape)
        self.arrays[name] = np.abs(found) + 0.5 if positive else found
        return name

    def made(self, operator: str, *inputs: str, columns: int = 0, **attributes: Any) -> None:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], f"n{len(self.nodes)}", **attributes))
        self.live.append((name, columns))

    def grow(self) -> None:
        x, width = self.random.choice(self.live[-3:])
        others = [name for name, columns in self.live if columns == width]
        other, pick = self.random.choice(others), self.random
        entrywise = ("Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "Abs", "Neg", "Erf", "Sin", "Mish")
        entrywise += ("HardSwish", "Selu", "Elu", "Celu", "HardSigmoid", "LeakyRelu", "Identity", "Dropout")
        choice = pick.randrange(16)
        units = pick.randint(1, 4)
        if choice < 3:
            turned = pick.random() < 0.5
            shape = (units, width) if turned else (width, units)
            bias = [self.array(units)] if pick.random() < 0.7 else []
            self.made("Gemm", x, self.array(*shape), *bias, columns=units, transB=int(turned))
        elif choice == 3:
            self.made("MatMul", x, self.array(width, units), columns=units)
            self.made("Add", *pick.sample([self.live[-1][0], self.array(units)], 2), columns=units)
        elif choice < 7:
            self.made(pick.choice(entrywise), x, columns=width)
        elif choice == 7:
            self.made(pick.choice(("Add", "Sub", "Mul", "Max", "Min")), x, other, columns=width)
        elif choice == 8 and width > 1:
            self.made(pick.choice(("Softmax", "LogSoftmax")), x, columns=width, axis=-1)
        elif choice == 9:
            operator = pick.choice(("ReduceMean", "ReduceL1", "ReduceMax", "ReduceLogSumExp", "ReduceL2"))
            self.arrays["last"] = np.array([1])
            self.made(operator, x, "last", columns=1, keepdims=1)
            self.made(pick.choice(("Add", "Mul")), self.live[-1][0], other, columns=width)
        elif choice == 10:
            arrays = [self.array(width, positive=k == 3) for k in range(4)]
            self.made("BatchNormalization", x, *arrays, columns=width, epsilon=1e-3)
        elif choice == 11:
            second, more = pick.choice(self.live)
            self.made("Concat", x, second, columns=width + more, axis=1)
        elif choice == 12 and width > 1:
            self._sliced(x, width)
        elif choice == 13:
            self.made("Transpose", x, columns=0, perm=[1, 0])
            self.made("MatMul", x, self.live.pop()[0], columns=0)
            gram = self.live.pop()[0]
            self.made("MatMul", gram, x, columns=width)
        elif choice == 14:
            self.made("Cast", x, columns=width, to=TensorProto.FLOAT)
        else:
            self.made("Greater", x, other, columns=0)
            self.made("Where", self.live.pop()[0], other, x, columns=width)

    def _sliced(self, x: str, width: int) -> None:
        start = self.random.randrange(width)
        end = self.random.randint(start + 1, width)
        bounds = []
        for value in ([start], [end], [1]):
            bounds.append(f"i{len(self.arrays)}")
            self.arrays[bounds[-1]] = np.array(value, np.int64)
        self.made("Slice", x, *bounds, columns=end - start)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_compute_what_onnx_runtime_says(seed: int, tmp_path: Path) -> None:
    graph = Graph(seed)
    while len(graph.nodes) < 4 + seed % 9:
        graph.grow()
    graph.made("Mul", graph.live[-1][0], graph.array(graph.live[-1][1]), columns=graph.live[-1][1])
    last, width = graph.live[-1]
    path = written(tmp_path / "n.onnx", graph.nodes, graph.arrays, {last: ["batch", width]})
    demand_the_same(path, {"x": X}, 2e-4)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (
            [node("Conv", "x W", "y")],
            r"node 'Conv y' \(Conv\): symgrad has no spec for .*supported are Abs",
        ),
        ([node("NonZero", "x", "z"), node("Cast", "z", "y", to=1)], "NonZero"),
        ([node("Cast", "x", "z", to=7), node("Cast", "z", "y", to=1)], r"'Cast z' \(Cast\): makes numbers"),
        ([node("Softmax", "x", "y", axis=0)], "runs along axis 0 of 2; expected the last axis"),
        ([node("Reshape", "x s", "y")], r"makes \[2, -1\] of \[batch, 4\]"),
        ([node("Shape", "x", "l"), node("Cast", "l", "y", to=1)], "the number of rows|nothing is computed"),
        ([node("Identity", "x", "y")], "nothing is computed"),
        ([node("Relu", "nowhere", "y")], "takes 'nowhere', which nothing before it gives"),
        ([node("Gemm", "x", "y")], "a node lacks an input"),
        ([node("Transpose", "x", "y", perm=[0, 0])], r"orders 2 axes as \[0, 0\]"),
        ([node("Concat", "x s", "y", axis=0)], "puts rows below each other"),
        ([node("Slice", "x s s", "y")], "takes some of the rows along 'batch'"),
        ([node("Where", "s x x", "y")], "chooses by what is no comparison"),
        ([node("Relu", "x", "x")], "gives 'x', which is there already"),
        ([node("Add", "x W", "y")], "an axis of length"),
        ([node("Einsum", "x x", "y", equation="ii,ij->j")], "has the equation"),
    ],
)
def test_what_has_no_place_in_a_spec_is_refused_by_its_node(
    nodes: list[Any], said: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "n.onnx", nodes, {"W": W, "s": np.array([2, -1])})
    with pytest.raises(sg.ModuleError, match=said):
        import_onnx(path, "net", None)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Cut short anywhere, or a byte changed: an error that names the file or a node, or the same numbers."""
    path = written(
        tmp_path / "n.onnx", [node("Gemm", "x W b", "h"), node("Relu", "h", "y")], {"W": W, "b": B}
    )
    whole, refused = path.read_bytes(), 0
    rng = np.random.default_rng(0)
    edits: list[Callable[[bytes, int], bytes]] = [
        lambda content, place: content[:place],
        lambda content, place: (
            content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]
        ),
    ]
    for edit in edits:
        for place in rng.choice(len(whole), 60, replace=False).tolist():
            path.write_bytes(edit(whole, place))
            try:
                import_onnx(path, "net", None)
            except sg.SymgradError as error:
                refused += "n.onnx" in str(error) or "node" in str(error)
    assert refused > 60


def test_the_command_writes_what_predicts_and_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier by its file alone: predict, then train on from it."""
    monkeypatch.chdir(tmp_path)
    nodes = [node("Gemm", "x W b", "h"), node("Softmax", "h", "y")]
    written(tmp_path / "model.onnx", nodes, {"W": W, "b": B})
    np.savetxt("rows.csv", X, delimiter=",")
    run = CliRunner().invoke
    assert run(main, ["import", "model.onnx", "-o", "kinds.yaml"]).exit_code == 0
    again = run(main, ["import", "model.onnx", "-o", "kinds.yaml"])
    assert again.exit_code == 2
    assert "there already" in again.output
    found = run(main, ["predict", "kinds.npz", "rows.csv"])
    assert found.exit_code == 0, found.output
    right = answers((tmp_path / "model.onnx").read_bytes(), {"x": X})[0]
    table = np.array([line.split(",") for line in found.stdout.splitlines()[1:]], float)
    np.testing.assert_allclose(table[:, 1:], right, rtol=1e-5)
    assert (table[:, 0] == right.argmax(axis=1)).all()
    saved = sg.open_run("kinds.npz")
    trained = sg.train(
        "kinds.yaml", saved.module, data=(X, right.argmax(1)), epochs=1, params_from="kinds.npz"
    )
    assert "from kinds.npz: W1, b1" in "".join(trained.notes)
    assert sg.evaluate(saved, (X, right.argmax(1))).metrics.accuracy == 1
    wrong = run(main, ["import", "model.onnx", "-o", "b.yaml", "--loss", "mee"])
    assert (wrong.exit_code, "there is no loss 'mee'" in wrong.output) == (2, True)


def sklearn_file(path: Path, classifier: Any, transform: str) -> Path:
    """What skl2onnx writes for a linear classifier: labels, and probabilities by the names of classes."""
    rows, labels = classifier.coef_, [str(label) for label in classifier.classes_]
    bias = classifier.intercept_
    if len(labels) == 2:
        rows, bias = np.concatenate([-rows, rows]), np.concatenate([-bias, bias])
    ml = {"domain": "ai.onnx.ml"}
    told = {"coefficients": rows.ravel().tolist(), "intercepts": bias.tolist(), "post_transform": transform}
    nodes = [
        helper.make_node("LinearClassifier", ["x"], ["label", "p"], classlabels_strings=labels, **told, **ml),
        helper.make_node("Normalizer", ["p"], ["probabilities"], norm="L1", **ml),
        helper.make_node("ZipMap", ["probabilities"], ["y"], classlabels_strings=labels, **ml),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])
    map_of = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(1, []))
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, None),
        helper.make_value_info("y", helper.make_sequence_type_proto(map_of)),
    ]
    graph = helper.make_graph(nodes, "g", [x], outputs, [])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


@pytest.mark.parametrize(("classes", "transform"), [(2, "LOGISTIC"), (3, "SOFTMAX"), (3, "LOGISTIC")])
def test_a_linear_classifier_of_scikit_learn_is_a_dense_layer(
    classes: int, transform: str, tmp_path: Path
) -> None:
    drawn = np.random.default_rng(classes)
    rows = drawn.normal(size=(60, 4)).astype(np.float32)
    words = np.array(["ant", "bee", "cat"])[(rows @ drawn.normal(size=(4, classes))).argmax(axis=1)]
    known = LogisticRegression().fit(rows, words)
    path = sklearn_file(tmp_path / "linear.onnx", known, transform)
    found = sg.import_onnx(path, tmp_path / "linear.yaml", identity=False)
    assert found.difference is not None
    assert found.difference < 1e-6
    assert "dense(" in found.spec.read_text()
    saved = sg.open_run(found.checkpoint, interpreted(found.module))
    right = known.predict_proba(rows)
    if transform == "LOGISTIC" and classes > 2:
        right = 1 / (1 + np.exp(-known.decision_function(rows)))
        right /= right.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(saved.predict(rows), right[:, -1:] if classes == 2 else right, atol=1e-6)
    if classes == 2 or transform == "SOFTMAX":
        assert saved.labels(rows).tolist() == known.predict(rows).tolist()


def test_numbers_of_float16_are_float32_and_that_is_said(tmp_path: Path) -> None:
    nodes = [node("Cast", "w", "W", to=1), node("MatMul", "x W", "y")]
    path = written(tmp_path / "n.onnx", nodes, {})
    model = onnx.load(str(path))
    model.graph.initializer.append(numpy_helper.from_array(W.astype(np.float16), "w"))
    path.write_bytes(model.SerializeToString())
    found = import_onnx(path, "net", None)
    assert found.notes == ("'w' is of float16, and of float32 here",)
    np.testing.assert_array_equal(next(iter(found.params.values())), W.astype(np.float16).astype(np.float32))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    path.write_bytes(model.SerializeToString())
    with pytest.raises(sg.ModuleError, match=r"computes in float16: its input 'x'.*; write it in float32"):
        import_onnx(path, "net", None)


def test_writing_into_parts_of_an_array_is_refused_with_what_to_do(tmp_path: Path) -> None:
    arrays = {"places": np.array([[0]]), "u": RANDOM.normal(size=(1, 4))}
    path = written(tmp_path / "n.onnx", [node("ScatterND", "x places u", "y")], arrays)
    with pytest.raises(sg.ModuleError, match=r"ScatterND writes into parts of an array; .*torch\.cat"):
        import_onnx(path, "net", None)
