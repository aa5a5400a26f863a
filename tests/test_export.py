"""Standard files hold what was learnt: ONNX Runtime answers as the spec does; safetensors come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from building import interpreted, written
from corpus import CORPUS, TRIED
from fuzz.command import drawn
from fuzz.gradients import plain
from safetensors.numpy import load_file, save_file
from seeds import one_in

import symgrad as sg
from symgrad.compiler.targets.onnx.onnx_model import onnx_model
from symgrad.errors import SymgradError
from symgrad.exchange.export import Export
from symgrad.exchange.learnt import Learnt
from symgrad.exchange.onnx_file import content
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.training.borrowed_params import borrow, read_safetensors
from symgrad.training.dataset.preparation import Preparation, TensorPreparation
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

CLASSES: dict[str, Any] = {
    "name": "kinds",
    "dtype": "float32",
    "inputs": {"x": ["batch", 4]},
    "targets": {"t": {"axes": ["batch"], "classes": 3}},
    "layers": ["dense(6, activation=gelu)", "dense(3)"],
    "loss": "softmax_cross_entropy",
}
RANDOM_KINDS = ("scalars", "tensors", "indexed", "graph", "sequence", "recurrent", "whole_steps")


def answers(file: bytes, data: dict[str, Any]) -> dict[str, Any]:
    """What ONNX Runtime makes of data."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    kinds = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}
    given = {i.name: np.asarray(data[i.name], kinds[i.type]) for i in session.get_inputs()}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, given), strict=True))


def demand_the_specs_answers(spec: Any, tolerance: float) -> None:
    """The graph gives what the spec means, on random data for random parameters."""
    stages = stages_of(spec)
    sample = draw(stages.model, "", 1, batch=3)
    model = onnx_model(stages.model, stages.in_order, sample.parameters, {}, {})
    found = list(answers(model.SerializeToString(), dict(sample.inputs)).values())
    right = interpret(stages.model, sample.arrays, DOUBLE).prediction
    assert len(found) in (len(right), len(right) + 1)
    for ours, theirs in zip(found, right, strict=False):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_what_computes_with_the_number_of_a_step_is_refused() -> None:
    equations = {"y[n,t]": "t * y[n,t-1] + x[n,t]", "y[n,-1]": "0"}
    spec = {"name": "counted", "inputs": {"x": ["batch", 3]}, "equations": equations, "loss": "mean(y)"}
    with pytest.raises(sg.ModuleError, match="'y' asks for more than its own step"):
        demand_the_specs_answers(read(spec), 2e-6)


@pytest.mark.parametrize("name", one_in(3, TRIED))
def test_every_network_answers_as_its_spec(name: str) -> None:
    spec = read(CORPUS[name])
    demand_the_specs_answers(spec, 2e-6)  # that of single precision, which ONNX Runtime has some functions in


@pytest.mark.parametrize("kind", RANDOM_KINDS)
@pytest.mark.parametrize("number", one_in(2, range(6)))
def test_random_networks_answer_as_their_specs(kind: str, number: int) -> None:
    written, _ = drawn(kind, 31, number)
    try:
        spec = read(plain(written))
        model = stages_of(spec).model
        values = interpret(model, draw(model, "", 1, batch=3).arrays, DOUBLE)
    except SymgradError:
        pytest.skip("a spec that is refused, or has no finite loss")
    if not all(np.isfinite(array).all() for array in values.tensors.values()):
        pytest.skip("a value on the way is not finite")
    demand_the_specs_answers(spec, 2e-5)


@pytest.fixture(scope="module")
def learnt() -> dict[str, Any]:
    shapes = {"W1": (4, 6), "b1": (6,), "W2": (6, 3), "b2": (3,)}
    random = np.random.default_rng(5)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_an_onnx_file_scales_labels_and_says_what_it_is(learnt: dict[str, Any], tmp_path: Path) -> None:
    scaled = TensorPreparation((4,), mean=np.array([1.0, 2, 3, 4]), deviation=np.array([2.0, 1, 3, 5]))
    stages = stages_of(read(CLASSES))
    file, difference = content(stages, Learnt(learnt, Preparation({"x": scaled})))
    assert difference is not None
    assert difference < 1e-6
    x = np.random.default_rng(0).normal(size=(11, 4)) * 3
    found = answers(file, {"x": x})
    plain, _ = content(stages, Learnt(learnt, Preparation()))
    same = answers(plain, {"x": (x - scaled.mean) / scaled.deviation})
    np.testing.assert_allclose(found["prediction"], same["prediction"], rtol=1e-5)
    assert (found["label"] == found["prediction"].argmax(axis=1)).all()
    model = onnx.load_model_from_string(file)
    facts = {p.key: p.value for p in model.metadata_props}
    assert facts["spec"] == "kinds"
    assert json.loads(facts["preparation"])["inputs"]["x"]["mean"] == [1, 2, 3, 4]
    assert [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        4,
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_onnx_file_fills_in_and_scales_as_predict_does(dtype: str, learnt: dict[str, Any]) -> None:
    """Whatever tensors are called; large means are scaled in double precision."""
    spec = json.loads(json.dumps(CLASSES | {"dtype": dtype}).replace('"x"', '"label"'))
    mean, deviation = np.array([500.3, -2, 3, 0.25]), np.array([1.0, 1, 3, 5])
    known = TensorPreparation((4,), fill=np.array([501.0, 5, 6, 7]), mean=mean, deviation=deviation)
    params = {name: array.astype(dtype) for name, array in learnt.items()}
    stages = stages_of(read(spec))
    file, difference = content(stages, Learnt(params, Preparation({"label": known})))
    assert difference is not None
    assert difference < 1e-6
    x = (np.random.default_rng(0).normal(size=(7, 4)) * deviation + mean).astype(dtype)
    x[[0, 2, 2], [1, 0, 3]] = np.nan
    found = answers(file, {"label": x})
    taken = known.finished("label", x, dtype)
    right = interpret(stages.model, {"label": taken, **params}, DOUBLE).prediction[0]
    np.testing.assert_allclose(found["prediction"], right, rtol=2e-6, atol=2e-6)  # erf is in single precision
    assert (found["label_"] == right.argmax(axis=1)).all()
    far = TensorPreparation((4,), mean=mean + (1e5 if dtype == "float32" else 1e13), deviation=deviation)
    with pytest.warns(sg.DataWarning, match="in digits that float"):
        content(stages, Learnt(params, Preparation({"label": far})))


def test_safetensors_come_back_bit_for_bit(learnt: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "kinds.safetensors"
    assert sg.export(CLASSES, learnt, file).path == file
    for arrays in (load_file(file), read_safetensors(file)):
        assert arrays.keys() == learnt.keys()
        assert all((arrays[name] == learnt[name]).all() for name in learnt)
        assert all(array.dtype == np.float32 for array in arrays.values())


def test_a_safetensors_file_that_was_damaged_is_refused(learnt: dict[str, Any], tmp_path: Path) -> None:
    """Whichever bit of its numbers changed; a file of others has no checksum and is taken."""
    file = tmp_path / "kinds.safetensors"
    sg.export(CLASSES, learnt, file)
    whole = file.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for place in range(begin, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="checksum"):
            read_safetensors(file)
    save_file(learnt, file, {"sha256": "of something else"})
    assert read_safetensors(file).keys() == learnt.keys()


def test_pytorch_trains_on_where_symgrad_stopped_and_back(learnt: dict[str, Any], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    names = {"W1": "0.weight.T", "b1": "0.bias", "W2": "2.weight.T", "b2": "2.bias"}
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Linear(6, 3))
    module = interpreted(written(CLASSES, tmp_path))
    params = borrow(net.state_dict(), names, module, seed=0).params
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    theirs = torch.softmax(net(torch.from_numpy(x)), dim=1).detach().numpy()
    np.testing.assert_allclose(module.predict(params, x), theirs, rtol=1e-4)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\xff" * 100, b'{"a": 1}'])
def test_files_that_are_no_safetensors_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="safetensors"):
        read_safetensors(file)


def test_names_of_another_library_come_and_go(learnt: dict[str, Any], tmp_path: Path) -> None:
    names = {"W1": "0.weight.T", "b1": "0.bias", "W2": "2.weight.T", "b2": "2.bias"}
    file = tmp_path / "kinds.safetensors"
    sg.export(CLASSES, learnt, file, names)
    there = load_file(file)
    assert there.keys() == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert (there["0.weight"] == learnt["W1"].T).all()
    module = interpreted(written(CLASSES, tmp_path))
    for source in (file, there):
        found = borrow(source, names, module, seed=0)
        assert all((array == learnt[name]).all() for name, array in found.params._asdict().items())
        assert "W1 (its 0.weight.T)" in found.note
        assert "not used" not in found.note
    with pytest.raises(sg.DataError, match=r"'0.weight' cannot be 'W1': of shape \[4, 6\], there \[6, 4\]"):
        borrow(file, {"W1": "0.weight"}, module, seed=0)
    for wrong, said in (({"W3": "a"}, "no parameter 'W3'"), ({"W1": "b1"}, "two parameters")):
        with pytest.raises(sg.DataError, match=said):
            sg.export(CLASSES, learnt, tmp_path / "wrong.safetensors", wrong)
    with pytest.raises(sg.DataError, match="keeps its names"):
        sg.export(CLASSES, learnt, tmp_path / "wrong.onnx", names)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"W3": np.zeros(2)}, "unknown: W3"),
        ({"W1": np.zeros((6, 4))}, r"shape \[6, 4\], expected \[4, 6\]"),
        ({"b1": np.full(6, np.nan)}, "not finite"),
    ],
)
def test_parameters_of_another_network_are_refused(
    change: dict[str, Any], said: str, learnt: dict[str, Any], tmp_path: Path
) -> None:
    for ending in ("onnx", "safetensors"):
        file = tmp_path / f"net.{ending}"
        with pytest.raises(sg.DataError, match=said):
            sg.export(CLASSES, learnt | change, file)
        with pytest.raises(sg.DataError, match="missing: W1"):
            sg.export(CLASSES, {n: a for n, a in learnt.items() if n != "W1"}, file)
        assert not file.exists()
    with pytest.raises(sg.DataError, match="ending"):
        sg.export(CLASSES, learnt, tmp_path / "net.pt")
    with pytest.raises(sg.DataError, match="holds no parameters"):
        sg.export(CLASSES, 3, tmp_path / "net.onnx")  # type: ignore[arg-type]


def test_what_was_not_compared_says_so() -> None:
    assert "not compared" in str(Export(Path("net.onnx")))
    assert "agrees to 1.0e-07" in str(Export(Path("net.onnx"), 1e-7))
    assert str(Export(Path("net.safetensors"))) == "wrote net.safetensors"


def test_zeros_around_are_padding() -> None:
    spec = {"inputs": {"x": ["batch", 3, 2]}, "equations": {"y": "pad(pad(x, 1, 2, 1), 2, 0, 1)"}}
    stages = stages_of(read(spec))
    model = onnx_model(stages.model, stages.in_order, {}, {}, {})
    operators = [node.op_type for node in model.graph.node]
    assert "Pad" in operators
    assert "ScatterND" not in operators
    x = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    found = answers(model.SerializeToString(), {"x": x})
    np.testing.assert_array_equal(found["y"], np.pad(x, ((0, 0), (2, 1), (0, 1))))
