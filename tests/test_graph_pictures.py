"""Pictures of graphs: DOT and Mermaid are valid and escaped, Graphviz draws them, the command writes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result

import symgrad as sg
from symgrad.cli import main
from symgrad.graphs import graphviz
from symgrad.graphs.graph import Graph
from symgrad.graphs.nodes import Edge, Node
from tests import golden

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = Path(__file__).parent.parent / "examples"
LECTURE = EXAMPLES / "gradients_only.yaml"
AT = {"x": -2, "y": 5, "z": -4}
NASTY = 'a"b\\<c>&{d}|#e;`f`\n%% ]) -->'

needs_graphviz = pytest.mark.skipif(not graphviz.is_installed(), reason="Graphviz is not installed")


BRANCH = {
    "name": "branch",
    "inputs": {"x": []},
    "equations": {"y": "3*x", "f": "2*y + max(y, 1)"},
    "loss": "f",
}
GRAPHS = ("lecture", "lecture_at", "branch_at", "digits", "attention", "attention_gates", "nasty")


@cache
def graph_named(name: str) -> Graph:
    """Graphs of both details, with and without numbers, and one whose names try to break out."""
    match name:
        case "lecture_at":
            return sg.graph(sg.read(LECTURE), at=AT)
        case "branch_at":
            return sg.graph(sg.read(BRANCH), at={"x": 2})
        case "attention":
            return sg.graph(sg.read(EXAMPLES / "attention.yaml"), seed=0)
        case "attention_gates":
            return sg.graph(sg.read(EXAMPLES / "attention.yaml"), detail="gates")
        case "nasty":
            return nasty()
    return sg.graph(sg.read(LECTURE if name == "lecture" else EXAMPLES / f"{name}.yaml"))


def nasty() -> Graph:
    one = np.array(1.0)
    nodes = (
        Node("a", "input", (NASTY,), NASTY, shape=NASTY, value=one, gradient=one),
        Node("b", "equation", (NASTY,), NASTY, NASTY, NASTY, one, one),
    )
    return Graph(NASTY, "blocks", nodes, (Edge("a", "b", NASTY, NASTY, one, one),), "b", True)


LONG = ("attention", "attention_gates")
"""Too long to be drawn from left to right."""


def test_a_long_graph_runs_down() -> None:
    """Its wires enter numbers from above, and no way across is wider than a page."""
    chain = {
        "inputs": {"x": ["n", 4]},
        "targets": {"t": ["n", 4]},
        "layers": [f"dense({4 + number})" for number in range(9)] + ["dense(4)"],
        "loss": "mse",
    }
    short = {**chain, "layers": ["dense(4)"]}
    assert "rankdir=LR" in sg.graph(short).dot()
    assert sg.graph(short).mermaid().startswith("flowchart LR\n")
    long = sg.graph(chain, at={}, seed=0)
    assert "rankdir=TB" in long.dot()
    assert long.mermaid().startswith("flowchart TB\n")
    assert re.search(r"-> w\d+:n \[arrowhead=none\]\n  w\d+:s -> ", long.dot())
    assert "upper number on each line: the value" in long.dot()


# DOT ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_every_edge_of_the_dot_text_joins_declared_nodes(name: str) -> None:
    text = graph_named(name).dot()
    declared = set(re.findall(r"^  (\w+) \[", text, re.M)) - {"graph", "node", "edge"}
    edges = re.findall(r"^  (\w+)(?::[es])? -> (\w+)(?::[wn])?(?: \[.*\])?$", text, re.M)
    assert {end for edge in edges for end in edge} <= declared
    assert len(edges) == text.count(" -> n") + text.count(" -> w")
    assert len(edges) >= len(graph_named(name).edges)


@needs_graphviz
@pytest.mark.parametrize("name", GRAPHS)
def test_graphviz_draws_the_dot_text_without_a_word(name: str) -> None:
    dot = shutil.which("dot") or ""
    answer = subprocess.run(
        [dot, "-Tsvg"], input=graph_named(name).dot(), capture_output=True, encoding="utf-8"
    )
    assert (answer.returncode, answer.stderr) == (0, "")


@needs_graphviz
def test_the_svg_shows_values_and_gradients() -> None:
    graph = graph_named("lecture_at")
    texts = [
        "".join(e.itertext()) for e in ElementTree.fromstring(graph.svg()).iter() if e.tag.endswith("text")
    ]
    for shown in ("x", "y", "z", "f", "-2", "5", "-4", "3", "-12", "1", "distributor", "switcher"):
        assert shown in texts
    assert texts.count("-4") == 4
    assert graph.png().startswith(b"\x89PNG")


def test_names_stay_within_their_quotes() -> None:
    text = graph_named("nasty").dot()
    assert text.startswith('digraph "a\\"b\\\\<c>&{d}|#e;`f` %% ]) -->" {\n')
    assert "<c>" not in text.split("\n", 1)[1].replace('headlabel="a\\"b\\\\<c>', "")
    assert "&lt;c&gt;&amp;" in text


# Mermaid ------------------------------------------------------------------------------------

SHAPE = r'(\w+)(?:\(\[|\(\(|\[|\()"[^"]*"(?:\]\)|\)\)|\]|\)):::(\w+)'
WIRE = r'(\w+) -->(?:\|"[^"]*"\|)? (\w+)'
CLASS = r"classDef (\w+) [\w:#,-]+"


@pytest.mark.parametrize("name", GRAPHS)
def test_mermaid_text_is_shapes_wires_and_classes(name: str) -> None:
    first, *lines = graph_named(name).mermaid().splitlines()
    assert first == f"flowchart {'TB' if name in LONG else 'LR'}"
    lines = [line for line in lines if not line.startswith("  %% ")]
    kinds = {
        kind: [m.groups() for line in lines if (m := re.fullmatch(f"  {pattern}", line))]
        for kind, pattern in (("shapes", SHAPE), ("wires", WIRE), ("classes", CLASS))
    }
    assert sum(map(len, kinds.values())) == len(lines)
    declared = {shape for shape, _ in kinds["shapes"]}
    assert {end for wire in kinds["wires"] for end in wire} <= declared
    assert {kind for _, kind in kinds["shapes"]} == {kind for (kind,) in kinds["classes"]}
    assert not declared & {"end", "graph", "subgraph"}


def test_mermaid_labels_hold_entities_for_all_that_could_be_syntax() -> None:
    text = graph_named("nasty").mermaid()
    labels = [label for line in text.splitlines() if "%%" not in line for label in line.split('"')[1::2]]
    assert len(labels) == 5
    for label in labels:
        plain = re.sub(r"#\d+;|</?small>|<br/>", "", label)
        assert not set(plain) & set('"\\<>&{}|#;`%[]()*\n'), label
    assert "#43;<br/>" in graph_named("lecture").mermaid()  # a lone + would begin a list in Markdown


def test_mermaid_shows_values_and_gradients() -> None:
    text = graph_named("lecture_at").mermaid()
    for label in ("-2<br/>∂ -4", "5<br/>∂ -4", "-4<br/>∂ 3", "3<br/>∂ -4", "-12<br/>∂ 1"):
        assert f'-->|"{label}"|' in text


# Layout -------------------------------------------------------------------------------------


def test_wires_fork_where_gradients_add() -> None:
    text = graph_named("branch_at").mermaid()
    assert 'n2 -->|"y #61; 6<br/>∂ 3"| n2_fork' in text
    assert re.findall(r'n2_fork -->\|"(.*)"\|', text) == ["6<br/>∂ 2", "6<br/>∂ 1"]
    assert "at a branch • gradients add" in graph_named("branch_at").dot()
    assert "fork" not in graph_named("lecture_at").dot()


def test_long_formulas_are_cut_in_pictures_only() -> None:
    formula = " + ".join(["x"] * 60)
    graph = sg.graph(sg.read({"inputs": {"x": [2]}, "equations": {"f": formula}}))
    assert graph.node["f"].text == formula
    assert formula not in graph.dot()
    assert "…" in graph.dot()


@pytest.mark.parametrize(("name", "ending"), [("digits", "dot"), ("digits", "mmd")])
def test_the_digits_network_as_text(name: str, ending: str) -> None:
    graph = graph_named(name)
    golden.compare(f"graph_{name}.{ending}", graph.dot() if ending == "dot" else graph.mermaid())


# Graphviz -----------------------------------------------------------------------------------


def test_without_graphviz_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(sg.SymgradError, match="drawn by Graphviz, not found here; install Graphviz"):
        graph_named("lecture").svg()
    bundle = graph_named("lecture")._repr_mimebundle_()
    assert bundle["text/markdown"].startswith("```mermaid\nflowchart LR\n")


@needs_graphviz
def test_a_notebook_shows_the_picture() -> None:
    bundle = graph_named("lecture_at")._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html", "image/svg+xml"}
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["image/svg+xml"] in bundle["text/html"]


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (subprocess.CompletedProcess([], 1, b"", b"Error:\n syntax"), "Graphviz failed: Error: syntax"),
        (subprocess.TimeoutExpired("dot", 60), "has not laid the graph out within 60 seconds"),
        (PermissionError(13, "Permission denied"), "cannot be run: Permission denied"),
    ],
)  # fmt: skip
def test_graphviz_that_fails_is_told_of(outcome: Any, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(shutil, "which", lambda _: "dot")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(sg.SymgradError, match=problem) as caught:
        graph_named("lecture").png()
    assert caught.value.remedy


# The command --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["graph", *map(str, arguments)])


def test_the_command_prints_a_table_in_topological_order() -> None:
    result = run(LECTURE, "--at", "x=−2, y = 5", "--at", "z=-4")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["node", "is", "value", "gradient", "of", "f"],
        ["x", "input", "-2", "-4"],
        ["y", "input", "5", "-4"],
        ["z", "input", "-4", "3"],
        ["f_1", "+", "of", "x,", "y", "(distributor)", "3", "-4"],
        ["f", "×", "of", "f_1,", "z", "(switcher)", "-12", "1"],
    ]


@pytest.mark.parametrize(("ending", "start"), [("dot", "digraph"), ("gv", "digraph"), ("mmd", "flowchart")])
def test_the_ending_of_the_file_chooses_the_format(ending: str, start: str, folder: Path) -> None:
    result = run(LECTURE, "-o", f"picture.{ending}")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (folder / f"picture.{ending}").read_text(encoding="utf-8").startswith(start)


@needs_graphviz
def test_pictures_are_written(folder: Path) -> None:
    assert run(LECTURE, "--seed", "1", "-o", "picture.png").exit_code == 0
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in run(LECTURE, "--format", "svg").stdout


def test_numbers_come_from_lists_and_files(folder: Path) -> None:
    xor = EXAMPLES / "xor.yaml"
    np.savez(folder / "point.npz", t=[[1.0]], y_W=np.ones((2, 1)))
    result = run(xor, "--at", "x=[[0, 1]],h_W=0.5,h_b=0,y_b=[0]", "--at", "@point.npz")
    assert result.exit_code == 0, result.stderr
    assert "[[0.6225, 0.6225]]" in result.stdout  # the sigmoid of 1/2


def test_values_that_are_not_finite_are_pointed_out(folder: Path) -> None:
    (folder / "log.yaml").write_text("inputs: {x: []}\nequations: {f: log(x)}\n", encoding="utf-8")
    result = run("log.yaml", "--at", "x=0")
    assert result.exit_code == 0
    assert "not finite at this point: x, f" in result.stderr


BAD = {
    "no name": (("--at", "5"), "'5' gives no name a number"),
    "no number": (("--at", "x=,y=1"), "'' is no number"),
    "two numbers": (("--at", "x=1 2"), "'1 2' is no number"),
    "open list": (("--at", "x=[1,y=2"), "is no list of numbers"),
    "text after a list": (("--at", "x=[1]2"), "is no list of numbers"),
    "end": (("--at", "x=1,"), "gives no name a number"),
    "deep": (("--at", "x=" + "[" * 5000), "is no list of numbers"),
    "twice": (("--at", "x=1", "--at", "x=2"), "'x' is given twice"),
    "no file": (("--at", "@none.npz"), "none.npz: cannot be read: No such file"),
    "wrong file": (("--at", f"@{LECTURE}"), "no NPZ file of plain numbers"),
    "png as text": (("--format", "png"), "a PNG picture is no text"),
    "ending": (("-o", "picture.pdf"), "the ending '.pdf' names no format"),
    "no folder": (("-o", "none/picture.dot"), "No such file"),
    "the spec itself": (("--format", "dot", "-o", str(LECTURE)), "this would overwrite the spec"),
    "point": (("--at", "x=1"), "no numbers for 'y'"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_end_with_one_message(case: str) -> None:
    arguments, problem = BAD[case]
    result = run(LECTURE, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_hostile_text_is_shortened_and_refused(folder: Path) -> None:
    long: Sequence[str] = ("--at", "x=" + "9" * 2_000_000)
    assert "2,000,002 characters" in run(LECTURE, *long).stderr
    (folder / "objects.npz").write_bytes(b"")
    assert run(LECTURE, "--at", "@objects.npz").exit_code == 2
    np.savez(folder / "pickled.npz", x=np.array([{}], dtype=object))
    assert run(LECTURE, "--at", "@pickled.npz").exit_code == 2
