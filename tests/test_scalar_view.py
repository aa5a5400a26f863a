"""The rule of every single weight, against differences of the loss and against what a lecture writes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
from click.testing import CliRunner
from corpus import CORPUS
from entry_values import EntryValues
from explicit_models import ExplicitModel, explicit

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import SpecError
from symgrad.explain.entry_formulas import MAX_NODES, length
from symgrad.explain.entry_gradients import MAX_ENTRIES, MAX_RULES, EntryFormula, ScalarRules
from symgrad.spec.reader import read
from symgrad.version import VERSION

if TYPE_CHECKING:
    from symgrad.calculus.terms import Entry

EXAMPLES = Path(__file__).parent.parent / "examples"
HOMEWORK = {
    "name": "homework",
    "dtype": "float64",
    "inputs": {"x": ["N", 2]},
    "targets": {"t": ["N", 1]},
    "layers": ["dense(2, activation=tanh, bias=false)", "dense(1, activation=sigmoid, bias=false)"],
    "loss": "mse",
    "train": {"optimizer": "sgd(learning_rate=0.1)"},
}
SOFTMAX = {
    "name": "softmax",
    "inputs": {"x": ["N", 2]},
    "targets": {"t": {"axes": ["N"], "classes": 3}},
    "layers": ["dense(3)"],
    "loss": "softmax_cross_entropy",
}
ATTENTION = {
    "name": "attention",
    "inputs": {"x": ["N", 2, 3]},
    "targets": {"t": ["N", 2, 2]},
    "parameters": {name: {"axes": [3, 2], "init": "normal(std=1)"} for name in ("Q", "K", "V")},
    "equations": {
        "q": "x @ Q",
        "k": "x @ K",
        "v": "x @ V",
        "S[n,i,j]": "sum(q[n,i,d] * k[n,j,d], d)",
        "P": "softmax(S)",
        "O[n,i,d]": "sum(P[n,i,j] * v[n,j,d], j)",
    },
    "loss": "mse(O, t)",
}
WIDE = {
    "name": "wide",
    "inputs": {"x": ["N", 30]},
    "targets": {"t": ["N", 1]},
    "layers": ["dense(40, activation=tanh)", "dense(1)"],
    "loss": "mse",
    "train": {"optimizer": "sgd(learning_rate=0.5)"},
}
CHECKED = {
    "homework": HOMEWORK,
    "softmax": SOFTMAX,
    "attention": ATTENTION,
    "wide": WIDE,
    **{
        name: CORPUS[name]
        for name in (
            "activation_softmax",
            "batch_axis_twice",
            "bilinear",
            "choices",
            "convolution",
            "distances",
            "embedding",
            "extrema",
            "input_gradients",
            "keepdims",
            "loss_huber",
            "norms",
            "own_softmax",
            "picked_entry",
            "powers",
            "regularised",
            "scalar_parameter",
            "scalars_only",
            "transposes",
            "two_layers_in_one",
            "unused_parameter",
        )
    },
}
DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789n")
POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class ByFormulas:
    """The values of entries by the formulas of the scalar view alone, from the data and the parameters."""

    def __init__(self, rules: ScalarRules, model: ExplicitModel) -> None:
        self.model = model
        self.formulas: dict[str, list[EntryFormula]] = {}
        for formula in (*rules.forward, *rules.backward):
            self.formulas.setdefault(formula.entry.tensor, []).append(formula)
        self.known: dict[tuple[str, tuple[int, ...]], float] = {}

    @cached_property
    def values(self) -> EntryValues:
        return EntryValues(self.entry, self.model.sizes)

    def entry(self, tensor: str, place: tuple[int, ...]) -> float:
        if tensor in self.model.arrays:
            return self.model.arrays[tensor][place]
        if (tensor, place) not in self.known:
            formula, at = next(
                (f, at) for f in self.formulas[tensor] if (at := matched(f.entry, place)) is not None
            )
            self.known[tensor, place] = self.values.value(formula.body, at)
        return self.known[tensor, place]


def matched(entry: Entry, place: tuple[int, ...]) -> dict[str, int] | None:
    """The values of the letters among an entry's indices, if it can be the entry at a place."""
    pairs = list(zip(entry.indices, place, strict=True))
    if any(index.is_Integer and int(index) != number for index, number in pairs):
        return None
    return {str(index): number for index, number in pairs if not index.is_Integer}


@pytest.mark.parametrize("name", CHECKED)
def test_every_rule_agrees_with_differences_of_the_loss(name: str) -> None:
    work, model = sg.derive(read(CHECKED[name])), explicit(CHECKED[name], seed=1)
    rules = work.scalar_rules()
    by_formulas = ByFormulas(rules, model)
    trained = {p.name: model.gradient(p.name) for p in work.program.of_kind("parameter")}
    seen: dict[str, set[tuple[int, ...]]] = {parameter: set() for parameter in trained}
    for gradient in rules.gradients:
        expected = trained[gradient.parameter.tensor]
        for place in np.ndindex(expected.shape):
            at = matched(gradient.parameter, place)
            if at is None or (at and len(seen[gradient.parameter.tensor]) == 7):
                continue
            seen[gradient.parameter.tensor].add(place)
            for body in (gradient.gradient.body, gradient.written_out):
                if body is not None:
                    found = by_formulas.values.value(body, at)
                    assert found == pytest.approx(expected[place], rel=1e-6, abs=1e-8), (gradient, place)
    assert all(len(places) == min(trained[p].size, max(7, len(places))) for p, places in seen.items())
    for of in work.spec.gradients:
        expected = model.gradient(of)
        found = np.array([by_formulas.entry(f"d{of}", place) for place in np.ndindex(expected.shape)])
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-6, atol=1e-8)


def test_forward_entries_are_those_of_the_network() -> None:
    model = explicit(HOMEWORK)
    by_formulas = ByFormulas(sg.derive(sg.read(HOMEWORK)).scalar_rules(), model)
    for name in ("Z1", "A1", "Z2", "A2"):
        for place in np.ndindex(model.tensors[name].shape):
            assert by_formulas.entry(name, place) == pytest.approx(model.tensors[name][place], rel=1e-12)


def computed(formula: str, arrays: dict[str, Any]) -> float:
    """A line of the page as a reader would compute it: subscripts from 1, Σ_n over all that follows it."""
    before, total, after = formula.partition("Σ_n ")
    text = f"{before}sum(({after}) for n in range(N))" if total else before
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(POWERS), text)
    text = re.sub(
        r"([A-Za-z]\w*?)([₀₁₂₃₄₅₆₇₈₉ₙ]+)",
        lambda m: f"{m[1]}[{','.join(i if i == 'n' else str(int(i) - 1) for i in m[2].translate(DIGITS))}]",
        text,
    )
    return float(eval(text.replace("·", "*").replace("−", "-"), arrays))


def test_homework_1_as_printed() -> None:
    """The printed update of each of the six weights is one step of gradient descent, computed by hand."""
    model, text = explicit(HOMEWORK), str(sg.derive(sg.read(HOMEWORK)).showing(scalar=True))
    x, t, w1, w2 = (model.arrays[name] for name in ("x", "t", "W1", "W2"))
    a1 = np.tanh(x @ w1)
    a2 = 1 / (1 + np.exp(-a1 @ w2))
    delta2 = 2 / len(x) * (a2 - t) * a2 * (1 - a2)
    stepped = {"W2": w2 - 0.1 * a1.T @ delta2, "W1": w1 - 0.1 * x.T @ (delta2 @ w2.T * (1 - a1**2))}
    known = {"x": x, "t": t, "W1": w1, "W2": w2, "A1": a1, "A2": a2, "N": len(x)}
    written_out = text[text.index("Scalar view: rules written out") : text.index("\nRewrites")]
    lines = re.findall(r"^    (W\d)([₀-₉]+) ← (.*)$", written_out, re.MULTILINE)
    assert [name + at for name, at, _ in lines] == ["W1₁₁", "W1₁₂", "W1₂₁", "W1₂₂", "W2₁₁", "W2₂₁"]
    for name, at, formula in lines:
        row, column = (int(i) - 1 for i in at.translate(DIGITS))
        assert computed(formula, known) == pytest.approx(stepped[name][row, column], rel=1e-12)


@pytest.mark.parametrize("kind", ["txt", "tex"])
def test_homework_1_is_as_kept(kind: str) -> None:
    work = sg.derive(sg.read(HOMEWORK)).showing(scalar=True)
    page = str(work) + "\n" if kind == "txt" else work.latex()
    page = page.replace(work.spec.sha256, "(the spec's)").replace(VERSION, "(this one)")
    golden.compare(f"scalar_homework.{kind}", page)


def test_labels_count_from_0() -> None:
    text = str(sg.derive(sg.read(SOFTMAX)).showing(scalar=True))
    assert "  dZ1ₙ₂ = (exp(Z1ₙ₂)/(exp(Z1ₙ₁) + exp(Z1ₙ₂) + exp(Z1ₙ₃)) − δ(tₙ, 1))/N\n" in text
    assert "W1₁₂ is the array's W1[0, 1]." in text
    assert "δ(a, 0) is 1 where the label a is 0, else 0" in text


def test_states_bear_the_entrys_name() -> None:
    momentum = {**HOMEWORK, "train": {"optimizer": "momentum(learning_rate=0.1)"}}
    text = str(sg.derive(sg.read(momentum)).showing(parameters=["W2[1, 0]"]))
    assert "    v_W2₂₁ ← 0.9·v_W2₂₁ + Σ_n dZ2ₙ₁·A1ₙ₂\n    W2₂₁ ← W2₂₁ − 0.1·v_W2₂₁\n" in text
    assert "    v_W2₂₁ ← 0.9·v_W2₂₁ + (2/N)·Σ_n (A2ₙ₁ − tₙ₁)·A2ₙ₁·(1 − A2ₙ₁)·A1ₙ₂\n" in text


def test_a_gradient_that_is_used_twice_has_a_line_of_its_own() -> None:
    work = sg.derive(sg.read({**HOMEWORK, "train": {"optimizer": "adam"}})).showing(parameters=["W2[0,0]"])
    text = str(work)
    assert "    dW2₁₁ = Σ_n dZ2ₙ₁·A1ₙ₁\n    m_W2₁₁ ← 0.9·m_W2₁₁ + 0.1·dW2₁₁\n" in text
    assert "    dW2₁₁ = (2/N)·Σ_n (A2ₙ₁ − tₙ₁)·A2ₙ₁·(1 − A2ₙ₁)·A1ₙ₁\n" in text


def test_least_squares_is_the_lectures() -> None:
    """w_j ← w_j + 2α Σ_i δ_i x_ij with δ_i = y_i − wᵀx_i."""
    spec = {
        "name": "least_squares",
        "inputs": {"x": ["N", 2]},
        "targets": {"y": ["N"]},
        "parameters": {"w": [2]},
        "equations": {"f": "x @ w", "e": "y - f"},
        "loss": "sum(e**2)",
        "train": {"optimizer": "sgd(learning_rate=0.3)"},
    }
    text = str(sg.derive(sg.read(spec)).showing(scalar=True))
    assert "    w₂ ← w₂ + 0.3·2·Σ_n eₙ·xₙ₂\n" in text


def test_many_entries_share_one_rule() -> None:
    work = sg.derive(sg.read(WIDE)).showing(scalar=True)
    rules, text = work.scalar_rules(), str(work)
    assert rules.shortened == (("W1", 1200), ("b1", 40), ("W2", 40))
    assert "    W1ᵢⱼ ← W1ᵢⱼ − (1/2)·Σ_n dZ1ₙⱼ·xₙᵢ\n" in text
    assert "    W1ᵢⱼ ← W1ᵢⱼ − (1/2)·(2/N)·Σ_n (Z2ₙ₁ − tₙ₁)·W2ⱼ₁·(1 − A1ₙⱼ²)·xₙᵢ\n" in text
    assert (
        "W1 has 1,200 entries and one rule, with letters for indices; --parameter 'W1[0, 0]' writes one."
        in text
    )
    assert "--parameter b1 writes them all" in text
    assert text.count("\n") < 150
    assert all(length(f.body) < MAX_NODES for f in (*rules.forward, *rules.backward))


def test_parameters_can_be_chosen() -> None:
    work = sg.derive(sg.read(WIDE))
    chosen = work.scalar_rules("b1", "W1[29, 0]", "b1")
    assert [str(g.parameter) for g in chosen.gradients] == [*(f"b1[{i}]" for i in range(40)), "W1[29, 0]"]
    assert chosen.shortened == ()
    text = str(work.showing(parameters=["W1[29, 39]"]))
    assert "    W1₃₀,₄₀ ← W1₃₀,₄₀ − (1/2)·Σ_n dZ1ₙ,₄₀·xₙ,₃₀\n" in text
    assert MAX_ENTRIES < 40 < MAX_RULES < 1200


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("W3", "there is no trained parameter 'W3'; the trained parameters are: W1, b1, W2, b2"),
        ("W11", "there is no trained parameter 'W11'; did you mean 'W1'?"),
        ("x", "there is no trained parameter 'x'; the trained parameters are: W1, b1, W2, b2"),
        ("W1", "'W1' has 1,200 entries, and at most 300 rules are written; ask for one of them: W1[0, 0]"),
        ("W1[0]", "'W1' has no entry W1[0]; entries count from 0, the last is W1[29, 39]"),
        ("W1[30, 0]", "'W1' has no entry W1[30, 0]; entries count from 0, the last is W1[29, 39]"),
        ("b1[-1]", "'b1[-1]' names no parameter; write W1, or W1[0, 3] for one entry"),
        ("b1[]", "'b1[]' names no parameter; write W1, or W1[0, 3] for one entry"),
        ("W1[0, " + "9" * 5000 + "]", "names no parameter"),
        ("__import__('os')", "names no parameter"),
        ("", "'' names no parameter"),
    ],
)
def test_what_is_no_parameter_is_refused(name: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        sg.derive(sg.read(WIDE)).scalar_rules(name)
    assert message in str(error.value)


def test_every_format_carries_it() -> None:
    work = sg.derive(sg.read(HOMEWORK)).showing(scalar=True)
    data = json.loads(json.dumps(work.as_dict()))["scalar"]
    assert [(r["tensor"], r["indices"]) for r in data["rules"]][1] == ("W1", [0, 1])
    assert data["rules"][1]["rule"] == ["W1₁₂ ← W1₁₂ − 0.1·Σ_n dZ1ₙ₂·xₙ₁"]
    assert data["forward"][0] == {
        "tensor": "Z1",
        "indices": ["n", 0],
        "text": "Z1ₙ₁ = xₙ₁·W1₁₁ + xₙ₂·W1₂₁",
        "latex": r"Z_{1;n1} = x_{n1} \, W_{1;11} + x_{n2} \, W_{1;21}",
    }
    written_out = data["rules"][4]["latex_written_out"][0]
    assert written_out.startswith(r"W_{2;11} \leftarrow W_{2;11} - 0.1 \, \frac{2}{N} \, \sum_{n}")
    assert written_out.replace(r" \leftarrow ", r" &\leftarrow ", 1) in work.latex()
    assert "Scalar view: rules written out" in "".join(ElementTree.fromstring(work.html()).itertext())
    assert "Scalar" not in str(sg.derive(work.spec))
    assert "scalar" not in sg.derive(work.spec).as_dict()


def test_the_command_shows_what_is_asked_for() -> None:
    spec = str(EXAMPLES / "xor.yaml")
    plain, chosen, wrong = (
        CliRunner().invoke(main, ["inspect", spec, *more])
        for more in ([], ["--parameter", "y_W[1, 0]", "--jacobians"], ["--parameter", "w"])
    )
    assert (plain.exit_code, chosen.exit_code, wrong.exit_code) == (0, 0, 2)
    assert plain.stdout == str(sg.derive(sg.read(spec))) + "\n"
    assert "dy_W₂₁ = Σ_n dy_Zₙ₁·hₙ₂" in chosen.stdout
    assert "h_W₁₁ ←" not in chosen.stdout
    assert "Local Jacobians" in chosen.stdout
    assert wrong.stderr.startswith(
        "error: there is no trained parameter 'w'; the trained parameters are: h_W,"
    )


def test_no_index_is_called_like_a_size() -> None:
    spec = {**HOMEWORK, "inputs": {"x": ["n", 2]}, "targets": {"t": ["n", 1]}}
    text = str(sg.derive(sg.read(spec)).showing(scalar=True, jacobians=True))
    assert "    W2₁₁ ← W2₁₁ − 0.1·(2/n)·Σ_m (A2ₘ₁ − tₘ₁)·A2ₘ₁·(1 − A2ₘ₁)·A1ₘ₁\n" in text
    assert "∂loss/∂A2[m,i] = 2·(A2[m,i] − t[m,i])/n" in text


def test_lecture_symbols_are_kept() -> None:
    text = str(sg.derive(sg.read(HOMEWORK)).in_notation("greek").showing(scalar=True))
    assert "  B²₁ₙ = 2·(α²₁ₙ − ρ₁ₙ)·α²₁ₙ·(1 − α²₁ₙ)\n" in text
    assert "  B¹₂ₙ = P²ₙ₂·(1 − (α¹₂ₙ)²)\n" in text
    assert "    Ω¹₂₁ ← Ω¹₂₁ − 0.1·(1/M)·Σ_n B¹₁ₙ·α⁰₂ₙ\n" in text
    latex = sg.derive(sg.read(HOMEWORK)).in_notation("greek").showing(scalar=True).latex()
    assert r"\Omega^{1}_{21}" in latex
    assert not re.search(r"\^\{[^{}]*\}(_\{[^{}]*\})?\^", latex), "two exponents in a row"


def test_without_parameters_the_derivatives_remain() -> None:
    text = str(sg.derive(sg.read(str(EXAMPLES / "gradients_only.yaml"))).showing(scalar=True))
    assert "Scalar view: derivatives\n" in text
    assert "Scalar view: rules" not in text


def test_without_a_loss_the_forward_values_remain() -> None:
    spec = {"name": "f", "inputs": {"x": ["N", 2]}, "equations": {"y": "x**2", "z": "sum(y, axis=1)"}}
    text = str(sg.derive(sg.read(spec)).showing(scalar=True, jacobians=True))
    assert "Scalar view: forward values\n" in text
    assert "  zₙ = yₙ₁ + yₙ₂\n" in text
    assert "∂y[n,i]/∂x[m,j] = 2·δ(n, m)·δ(i, j)·x[n,i]" in text


def test_sums_run_over_letters() -> None:
    """Those of a rule that stands in another rule too: an index is no number there to count from 1."""
    text = (
        sg.derive(EXAMPLES / "lectures" / "10_stored_values.yaml")
        .showing(scalar=True, parameters=["b3"])
        .text()
    )
    assert "    b3₁ ← b3₁ − 0.1·Σ_n dZ3ₙ₁\n" in text
    assert set(
        re.findall(r"Σ_(\S+ - \S+|\S+)", text.partition("Scalar view: rules")[2].partition("Rewrites")[0])
    ) == {"n"}


def test_what_a_recurrence_carries_back_is_told_entry_by_entry() -> None:
    """`dh_later` is `dh_before` of the next step, which has to be among the derivatives."""
    spec = {
        "inputs": {"x": ["batch", "T", 2]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"W": [2, 2], "U": [2, 2]},
        "equations": {
            "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j))",
            "h[n,-1,i]": 0,
            "y": "h[:, -1]",
        },
        "loss": "mse(y, t)",
    }
    derived = sg.derive(sg.read(spec))
    told = {formula.entry.tensor for formula in derived.scalar_rules().backward}
    back = {c.source for c in derived.program.carried.values() if c.back}
    assert len(back) == 1
    assert back <= told
