"""Derivations as students read them: text, LaTeX, HTML and data, for every example."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import golden
import pytest

import symgrad as sg
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.pipeline import Stages
from symgrad.report.documents import escape_latex, mathml
from symgrad.report.page import page_of
from symgrad.version import VERSION

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))
KEPT = ("digits", "xor", "attention", "swish")
HOSTILE = "<script>&amp;%#_{}$^~\\end{document}'\"|"


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def work(request):
    return sg.derive(sg.read(str(request.param)))


@pytest.fixture(scope="module")
def digits():
    return of_example("digits")


def of_example(name):
    return sg.derive(sg.read(str(Path(__file__).parent.parent / "examples" / f"{name}.yaml")))


def of_text(text):
    return sg.derive(sg.read(text))


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("kind", ["txt", "tex"])
def test_pages_are_as_kept(name, kind):
    work = of_example(name)
    page = str(work) + "\n" if kind == "txt" else work.latex()
    page = page.replace(work.spec.sha256, "(the spec's)").replace(VERSION, "(this one)")
    golden.compare(f"inspect_{name}.{kind}", page)


def test_every_gradient_and_update_is_shown(work):
    text = str(work)
    for gradient in work.program.gradients:
        assert re.search(rf"^  {gradient.name}(\[[a-z,]*\])? = ", text, re.MULTILINE), gradient
    for parameter in work.program.of_kind("parameter"):
        assert f"    {parameter.name} ← {parameter.name} − " in text
    assert max(map(len, text.splitlines())) < 200
    assert not re.search(r"_row|_i\d\b", text)


def test_the_html_page_is_whole_and_needs_nothing_else(work):
    page = work.html()
    root = ElementTree.fromstring(page)
    assert root.tag.endswith("html")
    assert page.count("<math") >= len(work.program.gradients)
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", page)
    assert set(re.findall(r"https?://[^\"]*", page)) <= {
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/1998/Math/MathML",
    }


def test_the_fragment_for_notebooks_is_well_formed(work):
    fragment = work._repr_mimebundle_()["text/html"]
    assert ElementTree.fromstring(fragment).attrib == {"class": "symgrad-report"}
    assert "<html" not in fragment
    assert "<body" not in fragment


def test_the_latex_document_is_balanced(work):
    document = work.latex()
    assert document.startswith("\\documentclass")
    assert document.rstrip().endswith("\\end{document}")
    opened = []
    for what, environment in re.findall(r"\\(begin|end)\{([a-z*]+)\}", document):
        if what == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert not opened
    bare = document.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    assert bare.count("\\left") == bare.count("\\right") + bare.count("\\leftarrow") - bare.count(
        "\\rightarrow"
    )
    assert work._repr_mimebundle_()["text/latex"].startswith("$$\\begin{aligned}")
    assert document.isascii()


def test_every_format_tells_every_reason(work):
    """What the chain rule went through, where a gradient starts, whose update it is, what was rewritten."""
    page, data = page_of(work, TEXT), work.as_dict()
    fragment, document = work.written("latex-fragment"), work.latex()
    assert fragment.strip() in document
    written = {
        name: " ".join(re.sub("<[^>]*>", "", text).split())
        for name, text in (("latex", fragment), ("markdown", work.written("markdown")), ("html", work.html()))
    }
    cotangents = [e["reason"] for e in data["equations"] if e["kind"] == "cotangent"]
    shown = [row for s in page.sections if s.title == "Gradients" for row in s.rows]
    assert [r["origin"] for r in cotangents] == [row.label for row in shown]
    assert [[e["matrix"] for e in r["through"]] for r in cotangents] == [list(row.through) for row in shown]
    assert any(row.through for row in shown) or work.name in (
        "gradients_only",
        "linear_regression",
        "perceptron",
    )
    for text in written.values():
        assert text.count("chain rule through") >= sum(bool(row.through) for row in shown)
        assert text.count("from the loss") >= sum("from the loss" in row.label for row in shown)
    for section in page.sections:
        labels = [row.label for row in section.rows if row.label and section.kind in ("updates", "rewrites")]
        assert all(f"{escape_latex(label)}:" in written["latex"] for label in labels)
    assert data["legend"] == list(page.legend)
    assert all(rewrite["latex"] and rewrite["within"] for rewrite in data["rewrites"])


def test_the_data_is_as_kept():
    work = of_example("xor")
    text = work.written("json").replace(work.spec.sha256, "(the spec's)").replace(VERSION, "(this one)")
    golden.compare("inspect_xor.json", text + "\n")


def test_every_formula_is_mathml(work):
    page = page_of(work, LATEX)
    rows = [row for section in page.sections for row in section.rows]
    assert rows
    for formula in (f for row in rows for f in (row.formula, row.indexed, *row.through) if f):
        ElementTree.fromstring(mathml(formula))


def test_the_data_is_json_and_complete(work):
    data = json.loads(json.dumps(work.as_dict()))
    assert data == work.as_dict()
    assert data["name"] == work.name
    assert len(data["sha256"]) == 64
    assert [g["of"] for g in data["gradients"]] == [g.of for g in work.program.gradients]
    assert data["update"]["parameters"].keys() == {p.name for p in work.program.of_kind("parameter")}
    for equation in (*data["equations"], *data["gradients"]):
        assert equation["target"] in equation["matrix"]
        assert all(equation[key] for key in ("index", "latex"))


def test_sgd_is_composed_with_the_gradient():
    text = str(of_example("linear_regression"))
    assert "    w ← w − 0.01·(xᵀ·dy)\n" in text
    assert "    b ← b − 0.01·Σ_n dy\n" in text
    assert "  dy = 2·(y − t)/batch   [from the loss]\n" in text


def test_momentum_clipped():
    text = str(of_example("branches"))
    assert "    g ← (5/max(5, ‖g‖))·g\n" in text
    assert "    v_y_W1 ← 0.9·v_y_W1 + clip(gatedᵀ·dy)\n" in text
    assert "    y_W1 ← y_W1 − 0.02·v_y_W1\n" in text


def test_a_schedule_is_shown(digits):
    assert "    learning_rate ← 0.003·exp(−0.1·epoch)\n" in str(digits)


def test_the_chain_rule_is_told(digits):
    text = str(digits)
    assert "dZ2 = (softmax(Z2) − onehot(t))/batch   [from the loss]" in text
    assert "dZ1 = dA1 ⊙ relu′(Z1)   [chain rule through A1 = relu(Z1)]" in text


def test_cotangents_that_were_merged_are_passed_through():
    text = str(of_example("xor"))
    assert (
        "dy_Z = 2·(y − t) ⊙ y ⊙ (1 − y)/batch   [from the loss; chain rule through y = sigmoid(y_Z)]" in text
    )
    assert "dh_Z = dh ⊙ h ⊙ (1 − h)   [chain rule through h = sigmoid(h_Z)]" in text


def test_rewrites_are_shown_once(digits):
    rules = [row.label for s in page_of(digits, LATEX).sections if s.kind == "rewrites" for row in s.rows]
    assert len(rules) == len(set(rules)) == 3
    assert "log exp(v) = v, in loss" in rules


def test_nothing_to_train_has_no_update():
    text = str(of_example("gradients_only"))
    assert "dz = x + y" in text
    assert "Update" not in text


def test_an_optimiser_that_reads_theta_after_its_step_says_which():
    work = of_text(
        "{inputs: {x: [N, 2]}, targets: {t: [N, 1]}, layers: [dense(1)], loss: mse, train: {optimizer: "
        "{state: {last: 0}, update: {theta: theta - 0.1*g, last: theta - last}}}}"
    )
    assert "    before ← theta\n    theta ← theta − 0.1·g\n    last ← before − last\n" in str(work)


def test_hostile_names_do_no_harm():
    names = ("frac", "left", "text_1", "d", "dd", "delta", "pi", "mathrm", "begin", "x__y", "a_", "end_1_2")
    for name in names:
        work = of_text(
            f"{{inputs: {{x: [N, 2]}}, targets: {{t: [N, 3]}}, parameters: {{{name}: [2, 3]}}, "
            f"equations: {{y: x @ {name}}}, loss: 'mse(y, t)'}}"
        )
        ElementTree.fromstring(work.html())
        assert f"d{name} = xᵀ·dy" in str(work)
        assert re.search(r"\\(frac|left|text|begin|end|mathrm)(?![{(|a-zA-Z])", work.latex()) is None


def test_a_hostile_title_is_escaped(digits):
    model = replace(digits.stages.model, spec=replace(digits.spec, name=HOSTILE))
    work = replace(digits, stages=Stages(model))
    root = ElementTree.fromstring(work.html())
    namespace = "{http://www.w3.org/1999/xhtml}"
    assert root.find(f"{namespace}head/{namespace}title").text == HOSTILE
    assert root.find(f".//{namespace}script") is None
    document = work.latex()
    assert document.count("\\end{document}") == 1
    assert escape_latex(HOSTILE) in document
    assert escape_latex("50% & _x") == r"50\% \& \_x"


def test_a_derivation_is_frozen(digits):
    with pytest.raises(FrozenInstanceError):
        digits.update = None
    assert digits.name == "digits"


def test_a_name_like_that_of_a_gradient_hides_no_gradient():
    """An equation called dZ: the gradient at Z gets another name, and a line of its own all the same."""
    spec = {
        "name": "like",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"W": {"axes": [3, 2], "init": "normal(std=1)"}},
        "equations": {"Z": "x @ W", "dZ": "tanh(Z) + Z"},
        "loss": "mean(mse(dZ, t))",
    }
    found = sg.derive(spec)
    assert found.program.cotangent["Z"] == "dZ_2"
    rows = next(s for s in page_of(found, TEXT).sections if s.title == "Gradients").rows
    assert [row.formula.partition(" = ")[0] for row in rows] == ["dZ_2", "dW"]
    assert not any("intermediate" in row.label for row in rows)


def test_a_slope_that_is_a_part_of_another_is_told_as_such():
    spec = {
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": ["batch", 2]},
        "equations": {"q": "dense(x, 4)", "a, b": "split(q, 2, axis=1)", "y": "a * b"},
        "loss": "mse(y, t)",
    }
    text = str(sg.derive(spec))
    assert text.count("[a part of dq]") == 2
    assert not re.search(r"(\w+) is an intermediate result in \1\]", text)


def test_derivatives_stand_by_their_names_where_the_chain_rule_went_through_them() -> None:
    spec = {
        "inputs": {"x": ["n", 1]},
        "equations": {"u": "dense(dense(x, 3, activation=tanh), 1)", "r": "d(u, x, x) + d(u, x)"},
        "loss": "mean(r**2)",
    }
    text = sg.derive(spec).text()
    assert "chain rule through u_x and u_xx and r = u_x + u_xx]" in text
    assert "chain rule through u_xx = " not in text
