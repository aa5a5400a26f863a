"""The computation graph: its structure, and the values and gradients that flow through it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.graphs import build, trace
from symgrad.spec.expand import expand
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from tests.corpus import GRAPHS, INDEXED

if TYPE_CHECKING:
    from symgrad.graphs.graph import Graph

EXAMPLES = Path(__file__).parent.parent / "examples"
XOR = sg.read(EXAMPLES / "xor.yaml")
LECTURE = sg.read(EXAMPLES / "gradients_only.yaml")
MIXED = {name: {**GRAPHS, **INDEXED}[name] for name in (
    "skip", "two_layers_in_one", "own_softmax", "extrema", "choices", "powers", "transposes", "keepdims",
    "loss_in_equations", "convolution", "embedding", "picked_entry", "batched_scores",
)}  # fmt: skip


def scalars(equations: dict[str, str], inputs: str = "xyzw", **more: Any) -> sg.Spec:
    """A program of single numbers whose loss is its last equation."""
    loss = list(equations)[-1]
    return sg.read({"inputs": {n: [] for n in inputs}, "equations": equations, "loss": loss, **more})


def gradients(graph: Graph) -> dict[str, float]:
    return {node.name: float(node.gradient) for node in graph.nodes if node.gradient is not None}


def along(graph: Graph, source: str, target: str) -> list[float]:
    """The gradients on the edges between two nodes."""
    found = (e for e in graph.edges if (e.source, e.target) == (source, target))
    return [float(e.gradient) for e in found if e.gradient is not None]


# The lecture's numbers ----------------------------------------------------------------------


def test_the_lectures_circuit_has_the_lectures_numbers() -> None:
    graph = sg.graph(LECTURE, at={"x": -2, "y": 5, "z": -4})
    values = {node.name: float(node.value) for node in graph.nodes if node.value is not None}
    assert values == {"x": -2, "y": 5, "z": -4, "f_1": 3, "f": -12}
    assert gradients(graph) == {"x": -4, "y": -4, "z": 3, "f_1": -4, "f": 1}
    assert [(e.source, e.target, float(e.gradient)) for e in graph.edges] == [
        ("x", "f_1", -4),
        ("y", "f_1", -4),
        ("f_1", "f", -4),
        ("z", "f", 3),
    ]
    assert (graph.detail, graph.goal) == ("gates", "f")
    assert [node.effect for node in graph.nodes[3:]] == ["distributor", "switcher"]


@pytest.mark.parametrize(("z", "w", "routed"), [(2, -1, {"z": 2, "w": 0}), (-1, 2, {"z": 0, "w": 2})])
def test_a_max_gate_routes(z: float, w: float, routed: dict[str, float]) -> None:
    graph = sg.graph(scalars({"f": "2 * (x*y + max(z, w))"}), at={"x": 3, "y": -4, "z": z, "w": w})
    found = gradients(graph)
    assert {name: found[name] for name in "xyzw"} == {"x": -8, "y": 6, **routed}
    assert [n.effect for n in graph.nodes if n.text == "max"] == ["router"]


def test_gradients_add_at_a_branch() -> None:
    graph = sg.graph(scalars({"y": "3*x", "f": "2*y + 5*y"}, "x"), at={"x": 2})
    assert float(graph.node["f"].value) == 42
    assert [float(e.gradient) for e in graph.out_of("y")] == [2, 5]
    assert gradients(graph)["y"] == 7
    assert gradients(graph)["x"] == 21
    assert "2 + 5 = 7" in str(graph)


def test_a_value_used_twice_by_one_gate_has_two_edges() -> None:
    graph = sg.graph(scalars({"f": "x * x"}, "x"), at={"x": 3})
    assert along(graph, "x", "f") == [3, 3]
    assert gradients(graph)["x"] == 6
    graph = sg.graph(scalars({"f": "x - x"}, "x"), at={"x": 3})
    assert along(graph, "x", "f") == [1, -1]
    assert gradients(graph)["x"] == 0


def test_a_neuron_of_gates() -> None:
    w = {f"w{n}": {"axes": [], "init": v} for n, v in enumerate((2, -3, -3))}
    spec = {
        "inputs": {"x0": [], "x1": []},
        "parameters": w,
        "equations": {"f": "1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))"},
        "loss": "f",
    }
    graph = sg.graph(sg.read(spec), at={"x0": -1, "x1": -2, "w0": 2, "w1": -3, "w2": -3})
    f = 1 / (1 + np.exp(-1))
    slope = f * (1 - f)
    expected = {"x0": 2, "x1": -3, "w0": -1, "w1": -2, "w2": 1}
    for name, factor in expected.items():
        assert gradients(graph)[name] == pytest.approx(slope * factor)


# Structure ----------------------------------------------------------------------------------


def test_equal_operations_are_one_gate() -> None:
    graph = sg.graph(scalars({"s": "exp(x + y)", "f": "s / (1 + exp(y + x)) + tanh(x + y)"}, "xy"))
    assert [n.text for n in graph.nodes if n.kind == "gate"].count("exp") == 1
    assert len(graph.out_of("s")) == 2
    assert [n.titles for n in graph.nodes if n.text == "exp"] == [("s",)]


def test_equal_operations_over_indices_are_one_gate() -> None:
    graph = sg.graph(sg.read(MIXED["own_softmax"]), detail="gates")
    assert [n.text for n in graph.nodes].count("exp") == 1
    assert "Σ over j" in [n.text for n in graph.nodes]


def test_a_second_name_is_no_second_node() -> None:
    graph = sg.graph(scalars({"a": "x + y", "b": "a", "f": "b * 2"}, "xy"))
    assert graph.node["a"] is graph.node["b"]
    assert graph.node["a"].titles == ("a", "b")


def test_own_functions_are_opened_and_library_functions_are_gates() -> None:
    functions = {"double(u, k=2)": "k * u"}
    graph = sg.graph(scalars({"f": "double(x + y) + leaky_relu(x, 0.1)"}, "xy", functions=functions))
    assert [n.text for n in graph.nodes if n.kind == "gate"] == ["+", "×", "leaky_relu", "+"]
    (gate,) = (n for n in graph.nodes if n.text == "leaky_relu")
    assert [(graph.node[e.source].text, e.role) for e in graph.into(gate.name)] == [
        ("x", "x"),
        ("0.1", "negative_slope"),
    ]


def test_operands_whose_order_matters_are_told_apart() -> None:
    spec = scalars({"f": "where(x > y, z / w, x - y) ** 2"})
    graph = sg.graph(spec)
    roles = {
        node.text: [e.role for e in graph.into(node.name)] for node in graph.nodes if node.kind == "gate"
    }
    assert roles == {
        "÷": ["", "÷"],
        "−": ["", "−"],
        "where": ["if", ">", "then", "else"],
        "^": ["", "exponent"],
    }


def test_what_vanishes_is_not_drawn() -> None:
    graph = sg.graph(scalars({"f": "0 * exp(x) + exp(x) * y"}, "xy"), at={"x": 0.0, "y": 3.0})
    assert gradients(graph)["x"] == 3
    assert [n.text for n in graph.nodes if n.kind == "gate"].count("exp") == 1


def test_blocks_are_the_equations_of_the_spec() -> None:
    graph = sg.graph(sg.read(EXAMPLES / "branches.yaml"))
    assert graph.detail == "blocks"
    names = [n.name for n in graph.nodes if n.kind == "equation"]
    assert names[:3] == ["content", "gate", "gated"]
    assert names[-2:] == ["y", "loss"]
    assert graph.node["gate"].text == "sigmoid(x @ U + b)"
    assert [e.target for e in graph.out_of("U")] == ["content", "gate", "loss"]
    assert graph.node["y_Z2"].text == "x @ y_W2"


def test_the_only_output_is_differentiated_where_there_is_no_loss() -> None:
    spec = {"inputs": {"x": []}, "equations": {"f": "x**3"}}
    assert gradients(sg.graph(sg.read(spec), at={"x": 2}))["x"] == 12
    vector = {"inputs": {"x": [3]}, "equations": {"f": "2 * x"}}
    graph = sg.graph(sg.read(vector), at={"x": [1, 2, 3]})
    assert graph.goal is None
    assert gradients(graph) == {}
    assert graph.node["f"].value == pytest.approx([2, 4, 6])


# Tensors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("detail", ["gates", "blocks"])
@pytest.mark.parametrize("name", MIXED)
def test_gradients_agree_with_differences_and_edges_add_up(
    name: str, detail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symgrad.graphs.make._first_values", _random_parameters)
    spec = sg.read(MIXED[name])
    graph = sg.graph(spec, detail=detail, seed=3)
    _check_order_and_sums(graph)
    model = expand(spec)
    arrays = {n.name: n.value for n in graph.nodes if n.kind in ("input", "target", "parameter")}
    rng = np.random.default_rng(0)
    for node in graph.nodes:
        if node.gradient is None or not node.titles or node.name == graph.goal:
            continue
        way = rng.normal(size=node.gradient.shape)
        ahead, behind = (
            float(interpret(model, arrays, DOUBLE, {node.name: step * way}).loss) for step in (1e-6, -1e-6)
        )
        slope = (ahead - behind) / 2e-6
        assert float(np.sum(node.gradient * way)) == pytest.approx(slope, rel=1e-6, abs=1e-8), node.name


def _random_parameters(model: Any, seed: int) -> dict[str, Any]:
    from symgrad.elaborate.elaborate import elaborate

    rng = np.random.default_rng(seed)
    return {t.name: rng.normal(size=[a.size for a in t.axes]) for t in elaborate(model).of_kind("parameter")}


def _check_order_and_sums(graph: Graph) -> None:
    seen: set[str] = set()
    for node in graph.nodes:
        assert all(edge.source in seen for edge in graph.into(node.name)), node.name
        seen.add(node.name)
        if node.gradient is not None:
            parts = [e.gradient for e in graph.out_of(node.name) if e.gradient is not None]
            total = sum(parts, start=np.full(node.gradient.shape, float(node.name == graph.goal)))
            np.testing.assert_allclose(total, node.gradient, rtol=1e-12, atol=1e-12)


def test_a_dense_layer_at_given_numbers() -> None:
    x, t = np.array([[1.0, 2.0]]), np.array([[1.0]])
    given = {"x": x, "t": t, "w": [[0.5], [-1.0]], "b": 0.25}
    spec = {
        "inputs": {"x": ["batch", 2]},
        "targets": {"t": ["batch", 1]},
        "parameters": {"w": [2, 1], "b": [1]},
        "equations": {"y": "x @ w + b"},
        "loss": "mse(y, t)",
    }
    graph = sg.graph(sg.read(spec), at=given)
    y = x @ np.array(given["w"]) + 0.25
    assert graph.node["y"].value == pytest.approx(y)
    assert graph.node["w"].gradient == pytest.approx(x.T @ (2 * (y - t)))
    assert graph.node["x"].shape == "[batch, 2]"
    assert graph.node["t"].gradient is None


def test_parameters_start_as_training_does() -> None:
    graph = sg.graph(XOR, seed=5)
    first = sg.build(XOR).init_params(5)
    np.testing.assert_array_equal(graph.node["h_W"].value, first.h_W)
    again = sg.graph(XOR, seed=5)
    np.testing.assert_array_equal(graph.node["x"].value, again.node["x"].value)


def test_large_scores_stay_exact_in_blocks() -> None:
    spec = {
        "inputs": {"z": ["n", 2]},
        "targets": {"t": {"axes": ["n"], "classes": 2}},
        "equations": {"y": "z"},
        "loss": "softmax_cross_entropy(y, t)",
        "gradients": ["z"],
    }
    graph = sg.graph(sg.read(spec), at={"z": [[2000.0, 0.0]], "t": [1]})
    assert float(graph.node["loss"].value) == 2000
    assert graph.node["z"].gradient == pytest.approx(np.array([[1.0, -1.0]]))


# Refusals -----------------------------------------------------------------------------------

BAD_POINTS: dict[str, tuple[Any, str]] = {
    "missing": ({"x": [[1, 2]]}, "no numbers for 't'"),
    "unknown": ({"x": [[1, 2]], "q": 1}, "no input, target or parameter is called 'q'"),
    "computed": ({"h": 1}, "'h' is computed"),
    "ragged": ({"x": [[1, 2], [3]], "t": 0}, "differ in length"),
    "width": ({"x": [[1, 2, 3]], "t": 0}, r"have shape \[1, 3\], expected \[1, 2\]"),
    "rank": ({"x": [1, 2], "t": 0}, r"have shape \[2\], expected \[batch, 2\]"),
    "rows": ({"x": [[1, 2]], "t": [[1], [2]]}, r"have shape \[2, 1\], expected \[1, 1\]"),
    "parameter": ({"x": [[1, 2]], "t": 0, "h_b": [1]}, r"have shape \[1\], expected \[2\]"),
    "nan": ({"x": [[1, np.nan]], "t": 0}, "not finite"),
    "empty": ({"x": np.zeros((0, 2)), "t": 0}, "has no numbers"),
    "text": ({"x": [["a", "b"]], "t": 0}, "not made of real numbers"),
    "open": ({"x": 1, "t": 0}, "leaves the size of 'batch' open"),
    "a list": ([1, 2], "numbers of type list"),
}


@pytest.mark.parametrize("case", BAD_POINTS)
def test_numbers_that_do_not_fit_are_refused(case: str) -> None:
    at, problem = BAD_POINTS[case]
    with pytest.raises(sg.DataError, match=problem) as caught:
        sg.graph(XOR, at=at)
    assert caught.value.remedy


def test_labels_are_whole_numbers_in_range() -> None:
    for label in (10, -1, 0.5):
        with pytest.raises(sg.DataError, match="whole numbers from 0 to 9"):
            sg.graph(sg.read(EXAMPLES / "digits.yaml"), at={"x": 1, "t": [label]})


def test_odd_arguments_are_refused() -> None:
    with pytest.raises(sg.SpecError, match="no graph has the detail 'boxes'"):
        sg.graph(XOR, detail="boxes")  # type: ignore[arg-type]  # what a user may do
    with pytest.raises(sg.DataError, match="the seed -1"):
        sg.graph(XOR, seed=-1)


def test_too_many_gates_are_refused_and_equations_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MAX_OPERATIONS", 20)
    spec = scalars({"f": " + ".join(f"{n}*x" for n in range(2, 30))}, "x")
    with pytest.raises(sg.SpecError, match="more than 20 operations") as caught:
        sg.graph(spec)
    assert "blocks" in caught.value.remedy
    assert len(sg.graph(spec, detail="blocks").nodes) == 2
    monkeypatch.setattr(build, "MAX_OPERATIONS", 3)
    with pytest.raises(sg.SpecError, match="the graph has 11 nodes"):
        sg.graph(sg.read(EXAMPLES / "swish.yaml"))


def test_too_large_a_computation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.graphs.interpret.MAX_TERMS", 1000)
    with pytest.raises(sg.DataError, match="more than 1,000") as caught:
        sg.graph(XOR, at={"x": np.ones((600, 2)), "t": np.ones((600, 1))})
    assert "fewer rows" in caught.value.remedy


# Formulas as text ---------------------------------------------------------------------------


def test_formulas_read_back_as_they_were() -> None:
    for spec in (read(s) for s in {**GRAPHS, **INDEXED}.values()):
        for equation in expand(spec).equations:
            text = unparse(equation.formula)
            assert parse_formula(text, equation.at) == equation.formula, text


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c)",
        "a - b - c",
        "a * (b / c)",
        "-(a * b)",
        "-a * b",
        "(-a)**2",
        "-a**2",
        "a**-b",
        "(a @ b).T",
    ],
)
def test_brackets_stand_where_they_are_needed(text: str) -> None:
    node = parse_formula(text, LECTURE.at)
    assert unparse(node) == text


PINN: dict[str, Any] = {
    "inputs": {"x": ["n", 1], "t": ["n", 1]},
    "targets": {"g": ["n", 1]},
    "networks": {"u(a, b)": ["dense(3, activation=tanh)", "dense(1)"]},
    "functions": {"slope(f, z)": "d(f, z)"},
    "equations": {
        "v": "u(x, t)",
        "r": "d(v, t) - d(v, x, x)",
        "s[n,i]": "d(v[n,0], x[n,i])",
        "q": "slope(v, x)",
    },
    "loss": "mean(r**2) + mean((s + q - g)**2)",
}


def test_derivatives_are_drawn_by_what_they_are_of_and_by() -> None:
    graph = sg.graph(PINN)
    into = {name: {e.source for e in graph.edges if e.target == name} for name in ("r", "s", "q", "loss")}
    assert into["r"] == {"v", "x", "t"}
    assert into["s"] == into["q"] == {"v", "x"}
    assert into["loss"] == {"r", "s", "q", "g"}
    drawn = {node.name: node for node in graph.nodes}
    assert drawn["r"].text == "d(v, t) - d(v, x, x)"
    assert {drawn[name].shape for name in ("r", "s", "q")} == {"[n, 1]"}


@pytest.mark.parametrize("how", [{"detail": "gates"}, {"seed": 0}, {"at": {"x": [[0.0]]}}])
def test_derivatives_have_no_gates_and_no_numbers(how: Any) -> None:
    with pytest.raises(sg.SpecError, match=r"derivatives have no picture.*draw blocks without numbers"):
        sg.graph(PINN, **how)


@pytest.mark.parametrize("how", [{"detail": "gates"}, {"seed": 0}, {"at": {"x": [[0.0]]}}])
def test_what_is_solved_for_is_told_where_it_stands(how: Any) -> None:
    solved = {"solve": "x[n] + cos(z[n]) / 2", "start": 0, "method": "picard", "steps": 9}
    spec = {"inputs": {"x": ["batch"]}, "equations": {"z[n]": solved}}
    with pytest.raises(
        sg.SpecError, match=r"equations.z\[n\].*'z', which is solved for, has no picture .*--at"
    ):
        sg.graph(spec, **how)
    assert any(node.name == "z" for node in sg.graph(spec).nodes)


# Chance -----------------------------------------------------------------------------------------

DRAWN = {
    "inputs": {"x": ["batch", 4]},
    "targets": {"t": ["batch"]},
    "functions": {"noisy(a, s)": "training(a + s*normal(like=a), a)"},
    "equations": {
        "h": "dropout(tanh(dense(x, 3)), 0.25)",
        "k": "noisy(h, 2)",
        "u": "training(uniform(like=k), 1) + stochastic_depth(k)",
        "y": "mean(u, axis=1)",
    },
    "loss": "mse(y, t)",
}


@pytest.mark.parametrize("detail", ["gates", "blocks"])
@pytest.mark.parametrize("seed", [None, 3])
def test_what_draws_is_labelled_as_it_is_written(detail: Any, seed: int | None) -> None:
    """Without the number of its stream, and in training by the name that a user knows."""
    graph = sg.graph(sg.read(DRAWN), detail=detail, seed=seed)
    text = f"{graph}{graph.dot()}{graph.mermaid()}"
    assert "stream" not in text
    assert not [n for n in graph.nodes if "_training(" in n.text or n.text.endswith("_training")]
    found = {name: node.text for name, node in graph.node.items()}
    dropout = "dropout" if detail == "gates" else "dropout(tanh(h_Z), 0.25)"
    assert found["h"] == found["h_training"] == dropout
    if detail == "gates":
        assert "uniform of k_training" in str(graph)
        assert "stochastic_depth of k_training" in str(graph)
        assert "normal of h_training" in str(graph)
    else:
        assert found["k"] == "noisy(h, 2)"
        assert found["u_training"] == "uniform(like=k_training) + stochastic_depth(k_training)"
