"""The notations of lectures: what they show is true, equation by equation, and reads as it is taught."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import column_values
import formula_values
import golden
import numpy as np
import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.explain.roles import roles
from symgrad.explain.transposed import is_matrix_of_samples
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.symbols import latex_symbol
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.report.documents import escape_latex, mathml
from symgrad.report.notations import NOTATIONS
from symgrad.version import VERSION

SIZES = {"N": 4}
MLP = (
    "{name: mlp, inputs: {x: [N, 3]}, targets: {t: [N, 2]}, layers: ['dense(5, activation=tanh)', "
    "'dense(4, activation=sigmoid)', 'dense(2, activation=sigmoid)'], loss: mse, gradients: [x], "
    "train: {optimizer: sgd(learning_rate=0.1)}}"
)
SPECS = {
    "mlp": MLP,
    "softmax": "{inputs: {x: [N, 3]}, targets: {t: {axes: [N], classes: 4}}, layers: [dense(4)], "
    "loss: softmax_cross_entropy}",
    "xor": "{inputs: {x: [N, 2]}, targets: {t: [N, 1]}, equations: {h: 'dense(x, 2, activation=sigmoid)', "
    "y: 'dense(h, 1, activation=sigmoid)'}, loss: 'mse(y, t)'}",
    "linear": "{inputs: {x: [N, 3]}, targets: {t: [N]}, parameters: {w: [3], b: []}, "
    "equations: {y: x @ w + b}, loss: 'mse(y, t)'}",
    "hinge": "{inputs: {x: [N, 3]}, targets: {t: [N, 1]}, layers: [dense(1)], loss: hinge}",
    "gelu": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, "
    "layers: ['dense(4, activation=gelu)', 'dense(4, activation=softmax)', dense(2)], loss: huber}",
    "branches": "{inputs: {x: [N, 3]}, targets: {t: [N, 1]}, parameters: {U: [3, 4], a: [4]}, "
    "equations: {p: tanh(x @ U + a), q: sigmoid(x @ U - a), y: 'dense(p * q, 1) - dense(x, 1)'}, "
    "loss: 'binary_cross_entropy_with_logits(y, t) + 1e-3 * l2(U)'}",
    "per sample": "{inputs: {x: [N, 3]}, targets: {t: [N]}, parameters: {w: [3], G: [3, 3]}, "
    "equations: {q: 'sum((x @ G.T) * x, axis=1)', y: 'x @ w / (1 + exp(q)) - max(x, axis=1)'}, "
    "loss: mean((y - t)**2) / 3}",
    "over samples": "{inputs: {x: [N, 3]}, targets: {t: [N, 3]}, parameters: {w: [3]}, "
    "equations: {c: 'x - mean(x, axis=0, keepdims=true)', y: 'c * w + exp(w)'}, loss: 'mse(y, t)'}",
    "summed": "{inputs: {x: [N, 3]}, targets: {t: [N, 2]}, layers: ['dense(2, activation=tanh)'], "
    "loss: 'sum((A1 - t)**2)'}",
    "attention": "{axes: {L: 3, D: 2}, inputs: {x: [N, L, D]}, targets: {t: [N, L, D]}, "
    "parameters: {W: [D, D], V: [D, D]}, equations: {Q: x @ W, K: x @ V, "
    "'S[b,i,j]': 'sum(Q[b,i,d] * K[b,j,d], d) / sqrt(D)', P: softmax(S), "
    "'O[b,i,d]': 'sum(P[b,i,j] * x[b,j,d], j)'}, loss: mean((O - t)**2)}",
}
ALL_IN_MATRICES = ("mlp", "softmax", "xor", "linear", "hinge", "summed")
EXAMPLES = Path(__file__).parent.parent / "examples"


def derived(text):
    return sg.derive(sg.read(text))


@pytest.fixture(scope="module")
def mlp():
    return derived(MLP)


@pytest.fixture(scope="module", params=SPECS)
def case(request):
    """A derivation and the values of its tensors, computed entry by entry from the program as derived."""
    work = derived(SPECS[request.param])
    return request.param, work, formula_values.run(work.program, SIZES)


def shown_values(work, shown, arrays):
    """The values by what stands for them on the page: transposed, and times N where N has been taken out."""
    taken_out = "of the mean stands in" in shown.convention.note
    known = dict(SIZES)
    for tensor in work.program.tensors:
        array = arrays[tensor.name]
        if taken_out and tensor.kind == "cotangent" and any(a.size is None for a in tensor.axes[:1]):
            array = array * SIZES["N"]
        known[tensor.name] = array.T if is_matrix_of_samples(tensor) else array
    for name, symbol in shown.convention.symbols.items():
        value = known.pop(name)
        known[TEXT.spell(symbol) if isinstance(symbol, ts.Symbol) else symbol.base.text] = (
            value if isinstance(symbol, ts.Symbol) else value.T
        )
    return known, max((t.classes or 0 for t in work.program.tensors), default=0)


@pytest.mark.parametrize("notation", ["columns", "greek", "delta"])
def test_every_matrix_form_holds_in_numbers(case, notation):
    name, work, arrays = case
    shown = work.in_notation(notation)
    known, classes = shown_values(work, shown, arrays)
    known = {key: column_values.column(value) for key, value in known.items()}
    hidden = hidden_tensors(shown.program)
    unwritten = []
    for equation in shown_equations(shown.program, hidden):
        try:
            formula = MatrixWriter(shown.program, hidden, shown.convention).equation(equation)
        except NoMatrixFormError:
            unwritten.append(equation.target)
            continue
        left = column_values.value(formula.left, known, classes)
        right = column_values.value(formula.right, known, classes)
        spelled = TEXT.spell(formula)
        assert np.shape(right) in (np.shape(left), ()) or name == "over samples", spelled
        np.testing.assert_allclose(np.broadcast_to(right, np.shape(left)), left, atol=1e-9, err_msg=spelled)
    assert not unwritten or name not in ALL_IN_MATRICES


@pytest.mark.parametrize("notation", ["columns", "greek"])
def test_every_index_form_holds_in_numbers(case, notation):
    _, work, arrays = case
    shown = work.in_notation(notation)
    known, classes = shown_values(work, shown, arrays)
    hidden = hidden_tensors(shown.program)
    for equation in shown_equations(shown.program, hidden):
        formula = IndexWriter(shown.program, hidden, shown.convention).equation(equation)
        indices = [i.text for i in getattr(formula.left, "indices", ())]
        left = known[(formula.left.base if indices else formula.left).text]
        for at in np.ndindex(*np.shape(left)):
            here = {**known, **dict(zip(indices, at, strict=True))}
            found = formula_values.value(formula.right, here, classes)
            assert found == pytest.approx(left[at], abs=1e-9), TEXT.spell(formula)


def test_the_quantities_are_those_of_the_lectures_algorithms(mlp):
    """Forward and backward propagation over columns as taught, in NumPy."""
    arrays = formula_values.run(mlp.program, SIZES)
    shown = mlp.in_notation("greek")
    known, _ = shown_values(mlp, shown, arrays)
    samples = known["M"]
    slopes = [lambda a: 1 - a**2, lambda a: a * (1 - a), lambda a: a * (1 - a)]
    functions = [np.tanh, lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (1 + np.exp(-z))]
    activations = [known["α⁰"]]
    for layer, function in zip("¹²³", functions, strict=True):
        net = known[f"Ω{layer}"].T @ activations[-1] + known[f"β{layer}"][:, None]
        np.testing.assert_allclose(known[f"ζ{layer}"], net)
        activations.append(function(net))
        np.testing.assert_allclose(known[f"α{layer}"], activations[-1])
    of_loss = activations[3] - known["ρ"]  # of the mean over two outputs
    for layer, number in (("³", 3), ("²", 2), ("¹", 1)):
        backward = slopes[number - 1](activations[number]) * of_loss
        np.testing.assert_allclose(known[f"B{layer}"], backward)
        np.testing.assert_allclose(known[f"∇Ω{layer}"], activations[number - 1] @ backward.T / samples)
        np.testing.assert_allclose(known[f"∇β{layer}"], backward @ np.ones(samples) / samples)
        of_loss = known[f"Ω{layer}"] @ backward
        np.testing.assert_allclose(known[f"P{layer}"].T, of_loss)


def test_greek_reads_as_taught(mlp):
    text = mlp.text("greek")
    for line in (
        "  ζ² = [Ω²]ᵀ·α¹ + β²",
        "  B³ = (α³ − ρ) ⊙ α³ ⊙ (1 − α³)",
        "  [P³]ᵀ = Ω³·B³",
        "  B² = [P³]ᵀ ⊙ α² ⊙ (1 − α²)",
        "  [P¹]ᵀ = Ω¹·B¹",
        "  ∇Ω² = (1/M)·(α¹·[B²]ᵀ)",
        "  ∇β² = (1/M)·(B²·1_M)",
        "    Ω¹ ← Ω¹ − (0.1/M)·(α⁰·[B¹]ᵀ)",
        "    β¹ ← β¹ − (0.1/M)·(B¹·1_M)",
    ):
        assert re.search(rf"^{re.escape(line)}(   \[.*\])?$", text, re.MULTILINE), line
    assert re.search(r"^  \[P³\]ᵀ +dA2 +gradient +\[4, M\] +with respect to the activation α²$", text, re.M)
    assert re.search(r"^  B¹ +dZ1 +gradient +\[5, M\] +with respect to the net input ζ¹$", text, re.M)


def test_columns_keep_names_and_factors(mlp):
    text = mlp.text("columns")
    assert "  Z2 = W2ᵀ·A1 + b2\n" in text
    assert "  dZ3 = (A3 − t) ⊙ A3 ⊙ (1 − A3)/N   [" in text
    assert "  dW2 = A1·dZ2ᵀ   [" in text
    assert "    W1 ← W1 − 0.1·(x·dZ1ᵀ)\n" in text
    assert re.search(r"^  dA1 +gradient +\[5, N\] +with respect to the activation A1$", text, re.MULTILINE)


def test_delta_falls_out_of_the_table(mlp):
    text = mlp.text("delta")
    assert "  ∇₁ = W2·δ₂   [" in text
    assert "  δ₁ = ∇₁ ⊙ (1 − A1²)   [" in text


def test_a_graph_names_its_nodes():
    work = derived(SPECS["xor"])
    text = work.text("greek")
    assert "  ζ_h = Ω_hᵀ·x + β_h\n" in text
    assert "  P_h = Ω_y·B_y   [" in text
    assert "  B_h = P_h ⊙ α_h ⊙ (1 − α_h)   [" in text
    assert r"\Omega_{h}^{\top} \, x" in work.latex("greek")


def test_a_loss_that_is_no_mean_keeps_its_factors():
    text = derived(SPECS["summed"]).text("greek")
    assert "The factors of the loss stay in these gradients." in text
    assert "  ∇Ω¹ = α⁰·[B¹]ᵀ   [" in text


def test_what_has_no_matrix_form_keeps_its_indices():
    text = derived(SPECS["attention"]).text("columns")
    assert "  Q[b,j,d] = Σ_i x[b,j,i]·W[i,d]\n" in text
    assert "Tensors of three and more axes stand as in the spec, samples first." in text


@pytest.mark.parametrize("name", ["digits", "xor", "attention"])
def test_rows_are_what_was_always_shown(name):
    work = sg.derive(sg.read(str(EXAMPLES / f"{name}.yaml")))
    assert work.text("rows") == work.text() == str(work)
    assert work.latex("rows") == work.latex()
    greek = work.in_notation("greek")
    assert greek.text() == work.text("greek") == str(greek)
    assert greek.text("greek") == greek.text()
    assert greek.text("rows") == work.text()


@pytest.mark.parametrize(
    ("notation", "kind"), [("columns", "txt"), ("greek", "txt"), ("greek", "tex"), ("delta", "txt")]
)
def test_pages_are_as_kept(mlp, notation, kind):
    page = f"{mlp.text(notation)}\n" if kind == "txt" else mlp.latex(notation)
    page = page.replace(mlp.spec.sha256, "(the spec's)").replace(VERSION, "(this one)")
    golden.compare(f"notation_{notation}.{kind}", page)


@pytest.mark.parametrize("notation", ["columns", "greek", "delta"])
def test_every_format_is_well_formed(case, notation):
    _, work, _ = case
    page = work.html(notation)
    ElementTree.fromstring(page)
    document = work.latex(notation)
    assert document.isascii()
    bare = document.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"\^\{[^{}]*\}\^", document)
    data = json.loads(json.dumps(work.as_dict(notation)))
    assert data["notation"]["samples"] == "columns"
    written = {**{e["target"]: e["target"] for e in data["equations"]}, **data["notation"]["symbols"]}
    for equation in data["equations"]:
        assert equation["matrix"].startswith(re.match(r"\[?[^\]\[]+", written[equation["target"]])[0])


def test_own_symbols_are_written_everywhere(mlp):
    symbols = {"W1": "Ψ_in", "dZ1": "δ'", "N": "m", "x": "𝓧"}
    text = mlp.text("columns", symbols)
    assert "  Z1 = Ψ_inᵀ·𝓧 + b1\n" in text
    assert "    Ψ_in ← Ψ_in − 0.1·(𝓧·[δ']ᵀ)\n" in text
    assert re.search(r"^  𝓧 +x +input +\[3, m\]$", text, re.MULTILINE)
    latex = mlp.latex("columns", symbols)
    assert r"Z_{1} &= \Psi_{\mathit{in}}^{\top} \, \mathcal{X} + b_{1}" in latex
    assert r"\left[\delta^{\prime}\right]^{\top}" in latex
    assert "<mi>&#x003A8;</mi>" in mlp.html("columns", symbols)
    assert mlp.as_dict("columns", symbols)["notation"]["symbols"] == symbols
    assert "  Z1 = 𝓧·Ψ_in + b1\n" in mlp.text(symbols=symbols)


def test_own_symbols_go_before_those_of_the_notation(mlp):
    text = mlp.text("greek", {"W1": "V", "x": "ζ¹"})
    assert "  Z1 = Vᵀ·ζ¹ + β¹\n" in text
    assert "  ∇V = (1/M)·(ζ¹·[B¹]ᵀ)   [" in text


def test_symbols_of_a_notation_give_way_to_names():
    text = derived(
        "{inputs: {x: [M, 2]}, targets: {C: [M, 1]}, layers: ['dense(1, activation=tanh)'], loss: mse}"
    ).text("greek", {"C": "C"})
    assert "  loss = (Σ_{n,i} (α¹ − C)²)/M\n" in text


@pytest.mark.parametrize(
    ("symbols", "problem"),
    [
        ({"Ω1": "Ω"}, "nothing called 'Ω1' is shown"),
        ({"W11": "Ω"}, "did you mean 'W1'"),
        ({"Z1_1": "Ω"}, "nothing called 'Z1_1' is shown"),
        ({"W1": ""}, "is empty"),
        ({"W1": "  "}, "is empty"),
        ({"W1": "a\u202eb"}, "U\\+202E, which cannot be printed"),
        ({"W1": "a\nb"}, "U\\+000A"),
        ({"W1": "Ω" * 41}, "has 41 characters"),
        ({"W1": "2"}, "would read as a number"),
        ({"W1": "·"}, "would read as a number or an operator"),
        ({"W1": "\u0302"}, "accent that has no letter"),
        ({"W1": 3}, "is a int, no text"),
        ({"W1": "x"}, "'x' and 'W1' would both be written x"),
        ({"W1": "Ω", "W2": "Ω"}, "'W1' and 'W2' would both be written Ω"),
        ({"W1": "Ω", "W2": "\u2126"}, "would both be written Ω"),
    ],
)
def test_symbols_that_cannot_be(mlp, symbols, problem):
    with pytest.raises(sg.SpecError, match=problem):
        mlp.text("columns", symbols)


def test_an_unknown_notation(mlp):
    with pytest.raises(sg.SpecError, match="unknown notation 'grek'; did you mean 'greek'"):
        mlp.text("grek")


HOSTILE = (
    "<script>alert(1)</script>",
    "\\end{document}x",
    "$x$",
    "a&b%c#d",
    "x}_{y",
    '"><img src=x>',
    "\\input{a}",
)


@pytest.mark.parametrize("symbol", HOSTILE)
def test_hostile_symbols_do_no_harm(mlp, symbol):
    page = mlp.html("greek", {"W1": symbol, "dZ1": f"{symbol}'"})
    tags = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(page).iter()}
    assert not tags & {"script", "img"}
    document = mlp.latex("greek", {"W1": symbol})
    assert document.count("\\end{document}") == 1
    assert "\\input{" not in document.partition("\\begin{document}")[2]
    assert not re.search(r"(?<!\\)[$&%#](?=[xbcd])", document.partition("section*{Equations}")[2])


def test_a_sign_without_latex_is_refused_there_and_only_there(mlp):
    assert "漢ᵀ·x" in mlp.text("columns", {"W1": "漢"})
    ElementTree.fromstring(mlp.html("columns", {"W1": "漢"}))
    with pytest.raises(sg.SpecError, match="LaTeX has no sign for '漢', the symbol of 'W1'"):
        mlp.latex("columns", {"W1": "漢"})


@pytest.mark.parametrize(
    ("symbol", "latex"),
    [
        ("Ω¹", r"\Omega^{1}"),
        ("ζ¹²", r"\zeta^{12}"),
        ("δ₁", r"\delta_{1}"),
        ("δ_1", r"\delta_{1}"),
        ("W^{(1)}", "W^{( 1 )}"),
        ("α₁²", r"\alpha_{1}^{2}"),
        ("ᾱ⁰", r"\bar{\alpha}^{0}"),
        ("δ'", r"\delta^{\prime}"),
        ("∇Ω¹", r"\nabla \Omega^{1}"),
        ("∂C/∂z", r"\partial C / \partial z"),
        ("m_Ω¹", r"m_{\Omega^{1}}"),
        ("ℬ", r"\mathcal{B}"),
        ("ℝ", r"\mathbb{R}"),
        ("loss", r"\mathit{loss}"),
        ("λ", r"\lambda"),
        ("Β", r"\mathrm{B}"),
        ("_", r"\_"),
    ],
)
def test_symbols_as_latex(symbol, latex):
    assert latex_symbol(symbol) == latex
    ElementTree.fromstring(mathml(latex))


def test_brackets_keep_exponents_apart():
    squared = ts.Power(ts.Symbol("B¹"), ts.NumberText(2))
    assert TEXT.spell(squared) == "(B¹)²"
    assert TEXT.spell(ts.Transposed(ts.Symbol("B¹"))) == "[B¹]ᵀ"
    assert TEXT.spell(ts.Transposed(ts.Symbol("B"))) == "Bᵀ"
    assert TEXT.spell(ts.ProductText("entries", (ts.Symbol("∂C/∂z"), ts.NameText("x")))) == "(∂C/∂z) ⊙ x"


def test_symbols_in_the_words_of_a_document():
    assert escape_latex("B¹ is ∂C/∂ζ") == r"B${}^{1}$ is $\partial$C/$\partial$$\zeta$"


def test_roles_are_read_off_the_equations():
    assert roles(derived(SPECS["gelu"]).program) == {
        "Z1": "net input",
        "A1": "activation",
        "Z2": "net input",
        "A2": "activation",
        "Z3": "net input",
    }
    found = roles(derived(SPECS["branches"]).program)
    assert (found["y_Z1"], found["y_Z2"]) == ("net input", "net input")
    assert "y" not in found
    assert "loss" not in found
    assert roles(derived(SPECS["linear"]).program) == {"y": "net input"}


def test_the_command_offers_the_table(tmp_path):
    spec = tmp_path / "mlp.yaml"
    spec.write_text(MLP, encoding="utf-8")
    assert all(run("inspect", spec, "--notation", name).exit_code == 0 for name in NOTATIONS)
    shown = run("inspect", spec, "--notation", "greek", "--symbol", "W1=W^{(1)}", "--symbol", "x=χ")
    assert shown.exit_code == 0
    assert "  ζ¹ = [W^{(1)}]ᵀ·χ + β¹\n" in shown.stdout
    for arguments, problem in (
        (["--symbol", "W1"], "expected NAME=SYMBOL"),
        (["--symbol", "W1=a", "--symbol", "W1=b"], "'W1' has a symbol already"),
        (["--symbol", "W9=a", "--notation", "greek"], "nothing called 'W9' is shown"),
        (["--notation", "latin"], "'latin' is not one of"),
    ):
        refused = run("inspect", spec, *arguments)
        assert refused.exit_code == 2
        assert problem in refused.stderr
        assert not refused.stdout


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])
