"""Local Jacobians against differences of the spec's own formulas, and their structures."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import sympy as sp
from corpus import CORPUS, GRAPHS, INDEXED, TRIED
from entry_values import EntryValues
from explicit_models import ExplicitModel, explicit
from seeds import one_in

import symgrad as sg
from symgrad.elaborate.elaborate import elaborate
from symgrad.explain.blocks import blocks
from symgrad.explain.jacobian_structure import footprint, structure
from symgrad.pipeline import Stages
from symgrad.report.derivation import derivation_of
from symgrad.spec.reader import read
from symgrad.version import VERSION

if TYPE_CHECKING:
    from symgrad.explain.jacobians import Jacobian

EXAMPLES = Path(__file__).parent.parent / "examples"
NETWORK = {
    "name": "network",
    "inputs": {"x": ["N", 3]},
    "targets": {"t": {"axes": ["N"], "classes": 2}},
    "parameters": {"a": {"axes": [], "init": 0.25}, "beta": {"axes": [2], "init": "constant(value=1)"}},
    "functions": {"prelu(v, a)": "where(v > 0, v, a*v)", "swish(v, beta)": "v * sigmoid(beta * v)"},
    "equations": {
        "Z": "dense(x, 2)",
        "R": "relu(Z)",
        "P": "prelu(Z, a)",
        "S": "swish(P + R, beta)",
        "Q": "softmax(S)",
        "T": "Q.T",
        "M": "mean(Q, axis=0)",
        "C": "2*Q - M",
        "F[n]": "C[n, 0]",
        "E": "S @ S.T",
        "L[n,k]": "max(S[n,k], Q[n,k])",
        "U": "sign(Z)",
        "y": "S + sum(E)*L + 0*U",
    },
    "loss": "softmax_cross_entropy(y, t) + 0.1*sum(F**2) + sum(T)",
}
LABELLED = {
    "name": "labelled",
    "inputs": {"w": {"axes": ["N"], "classes": 4}},
    "targets": {"t": ["N", 2]},
    "parameters": {"E": {"axes": [4, 2], "init": "normal(std=1)"}, "B": {"axes": [4, 2, 3], "init": "zeros"}},
    "equations": {"e[n,d]": "E[w[n], d]", "s[n]": "sum(E[w[n], d]**2, d)", "b[n,k]": "sum(B[w[n], d, k], d)"},
    "loss": "mse(e, t) + mean(s) + mean(b)",
}
SHOWN = {"network": NETWORK, "labelled": LABELLED, **GRAPHS, **INDEXED}
SHOWN |= {n: s for n, s in CORPUS.items() if n in TRIED and n.startswith(("activation_", "loss_"))}
STRUCTURES = {
    "Z/x": "block diagonal over n",
    "Z/Z_W": "only column i",
    "Z/Z_b": "identity for every n",
    "R/Z": "diagonal",
    "P/Z": "diagonal",
    "P/a": "shared by all entries",
    "S/beta": "diagonal for every n",
    "Q/S": "block diagonal over n, symmetric",
    "T/Q": "one entry",
    "M/Q": "only column i",
    "C/Q": "multiple of the identity",
    "C/M": "multiple of the identity for every n",
    "F/C": "one entry",
    "E/S": "full",
    "U/Z": "zero",
    "L/S": "diagonal",
    "loss/y": "gradient",
    "prediction/y": "block diagonal over n, symmetric",
}


def found_in(spec: Any) -> list[tuple[str, Jacobian]]:
    """Every Jacobian of a spec with its block's name."""
    return [(b.block.name, j) for b in derivation_of(read(spec)).jacobians for j in b.jacobians]


@pytest.fixture(scope="module")
def network() -> dict[str, Jacobian]:
    return {f"{block}/{j.by.tensor}": j for block, j in found_in(NETWORK)}


def values_of(jacobian: Jacobian, block: str, model: ExplicitModel) -> tuple[Any, Any]:
    """The Jacobian evaluated at every index, and whether the footprint covers it there."""
    tensors = {**model.tensors, **held(block, model)}
    values = EntryValues(lambda name, place: tensors[name][place], model.sizes)
    shape = [a.size if a.size is not None else model.sizes[a.name] for axes in jacobian.axes for a in axes]
    letters = [str(i) for i in (*jacobian.of.indices, *jacobian.by.indices)]
    numbers, inside = np.zeros(shape), np.ones(shape, dtype=bool)
    for place in product(*map(range, shape)):
        at = dict(zip(letters, place, strict=True))
        numbers[place] = values.value(jacobian.entire, at)
        for read_, index in zip(jacobian.reads, jacobian.by.indices, strict=True):
            inside[place] &= read_ is None or values.value(read_, at) == at[str(index)]
    return numbers, inside


def held(block: str, model: ExplicitModel) -> dict[str, Any]:
    """The values of a block and of the unnamed tensors in its formula."""
    found: dict[str, Any] = {}
    derived = blocks(elaborate(model.model), lambda part: Stages(model.model, part).derived)
    program = next(b.program for b in derived if b.name == block)
    for equation in program.equations:
        known = {**model.tensors, **found}
        values = EntryValues(lambda name, place, known=known: known[name][place], model.sizes)
        found[equation.target] = _entries(equation, program, values, model)
    return found


def _entries(equation: Any, program: Any, values: EntryValues, model: ExplicitModel) -> Any:
    def span(axis: Any) -> range:
        return range(axis.size if axis.size is not None else model.sizes[axis.name])

    array = np.zeros([len(span(a)) for a in program.tensor[equation.target].axes])
    if equation.scatters:
        letters = [str(loop.index) for loop in equation.loops]
        for numbers in product(*(span(loop.axis) for loop in equation.loops)):
            at = dict(zip(letters, numbers, strict=True))
            array[tuple(int(values.value(p, at)) for p in equation.indices)] += values.value(
                equation.body, at
            )
        return array
    reduced = {"logsumexp": np.logaddexp.reduce, "max": max, "min": min}.get(equation.reduction, sum)
    for place in np.ndindex(array.shape):
        outer = {str(p): n for p, n in zip(equation.indices, place, strict=True)}
        names = [str(loop.index) for loop in equation.bound]
        spans = product(*(span(loop.axis) for loop in equation.bound))
        terms = [values.value(equation.body, {**outer, **dict(zip(names, n, strict=True))}) for n in spans]
        array[place] = reduced(terms)
    return array


@pytest.mark.parametrize("name", one_in(2, SHOWN))
def test_jacobians_and_structures_agree_with_differences(name: str) -> None:
    model = explicit(SHOWN[name])
    found = found_in(SHOWN[name])
    assert found
    for block, jacobian in found:
        expected = model.jacobian(block, jacobian.by.tensor)
        numbers, inside = values_of(jacobian, block, model)
        where = f"{jacobian.of} by {jacobian.by}"
        assert numbers.shape == expected.shape, where
        np.testing.assert_allclose(numbers, expected, rtol=1e-6, atol=1e-7, err_msg=where)
        assert np.abs(expected[~inside]).max(initial=0) == 0, where
        check_structure(structure(jacobian), jacobian, numbers)


def check_structure(name: str, jacobian: Jacobian, numbers: Any) -> None:
    """Demand of the explicit array what the name says, by definitions of its own."""
    of, by = (numbers.shape[: len(jacobian.of.indices)], numbers.shape[len(jacobian.of.indices) :])
    square = numbers.reshape(int(np.prod(of)), int(np.prod(by)))
    name, _, symmetric = name.partition(", ")
    if symmetric:
        np.testing.assert_allclose(square, square.T)
    eye = np.eye(*square.shape)
    match name.split(" for every ")[0]:
        case "identity":
            assert_every(numbers, jacobian, name, lambda part: np.array_equal(part, np.eye(*part.shape)))
        case "multiple of the identity":
            assert_every(
                numbers, jacobian, name, lambda part: np.array_equal(part, part[0, 0] * np.eye(*part.shape))
            )
        case "diagonal":
            assert_every(numbers, jacobian, name, lambda part: np.array_equal(part, np.diag(np.diag(part))))
        case "zero":
            assert not numbers.any()
        case "one entry":
            assert (np.count_nonzero(square, axis=1) <= 1).all()
        case "gradient":
            assert of == ()
            assert by
        case "shared by all entries":
            assert by == ()
            assert of
        case "one number":
            assert numbers.shape == ()
        case "full":
            assert not set(jacobian.reads) - {None}
            assert eye.shape == square.shape
        case _:
            axis = next(a for a, read_ in enumerate(jacobian.reads) if read_ is not None)
            assert re.fullmatch(r"only (row|column) .*|block diagonal over .*|only \w+\[.*", name), name
            if name.startswith(("only row", "only column")):
                assert axis == ("only row", "only column").index(name[: name.index(" ", 5)])
                rows = np.moveaxis(numbers, len(of) + axis, -1).reshape(*of, -1, by[axis])
                assert (np.count_nonzero(np.abs(rows).sum(axis=len(of)), axis=-1) <= 1).all()


def assert_every(numbers: Any, jacobian: Jacobian, name: str, holds: Any) -> None:
    """`holds` for the square matrix that belongs to every value of the indices the output has alone."""
    others = name.partition(" for every ")[2].split(" and ") if " for every " in name else []
    letters = [str(i) for i in jacobian.of.indices]
    own = [number for number, letter in enumerate(letters) if letter not in others]
    alone = [number for number, letter in enumerate(letters) if letter in others]
    ordered = np.transpose(numbers, (*alone, *own, *range(len(letters), numbers.ndim)))
    size = int(np.prod([numbers.shape[number] for number in own]))
    for part in ordered.reshape(-1, size, size):
        assert holds(part)


@pytest.mark.parametrize("pair", STRUCTURES)
def test_structures_are_named(pair: str, network: dict[str, Jacobian]) -> None:
    assert structure(network[pair]) == STRUCTURES[pair]


def test_labels_choose_a_row() -> None:
    found = {f"{block}/{j.by.tensor}": j for block, j in found_in(LABELLED)}
    assert structure(found["s/E"]) == "only row w[n]"
    assert str(footprint(found["s/E"])) == "E[w[n], :]"
    assert structure(found["e/E"]) == "one entry"
    assert structure(found["b/B"]) == "block diagonal over k"
    assert str(footprint(found["b/B"])) == "B[w[n], :, k]"


def test_the_lectures_fully_connected_layer(network: dict[str, Jacobian]) -> None:
    """∂h_k/∂W_ij is x_i if k = j, else 0; the Jacobian of h in b is the identity for every observation."""
    weights, bias = network["Z/Z_W"], network["Z/Z_b"]
    assert str(weights.entire) == "delta(i, k)*x[n, j]"
    assert (str(weights.of), str(weights.by)) == ("Z[n, i]", "Z_W[j, k]")
    assert bias.value == 1
    assert [str(a) for axes in bias.axes for a in axes] == ["N", "2", "2"]


def test_softmax_is_in_terms_of_its_own_values(network: dict[str, Jacobian]) -> None:
    value = network["Q/S"].value
    assert {e.tensor for e in value.atoms(sp.Expr) if hasattr(e, "tensor")} == {"Q"}


def test_a_loss_reads_what_the_user_wrote() -> None:
    """The logarithm of a softmax is stable in the gradient; the block of the loss still reads P alone."""
    found = {f"{block}/{j.by.tensor}": j for block, j in found_in(CORPUS["own_softmax"])}
    assert str(found["loss/P"].value) == "-t[n, k]/(batch*P[n, k])"
    assert structure(found["P/z"]) == "block diagonal over n, symmetric"


def test_targets_and_labels_are_no_variables() -> None:
    assert {j.by.tensor for _, j in found_in(CORPUS["loss_softmax_cross_entropy"])}.isdisjoint({"t"})
    assert {j.by.tensor for _, j in found_in(CORPUS["embedding"])}.isdisjoint({"w", "t"})


def test_what_is_too_long_is_named() -> None:
    spec = {
        "name": "deep",
        "inputs": {"x": ["N", 2]},
        "functions": {"h(v)": "sin(v) * softmax(v) + v / sum(v**2)"},
        "equations": {"y": "h(h(h(h(x))))"},
        "loss": "mean(y)",
        "gradients": ["x"],
    }
    work = sg.derive(read(spec)).showing(jacobians=True)
    assert work.jacobians[0].too_long == ("x",)
    assert "Too long to be written: ∂y/∂x." in str(work)
    assert work.as_dict()["jacobians"][0]["too_long"] == ["x"]


@pytest.mark.parametrize("kind", ["txt", "tex"])
def test_the_page_is_as_kept(kind: str) -> None:
    work = sg.derive(read(NETWORK)).showing(jacobians=True)
    page = str(work) if kind == "txt" else work.latex()
    start, end = (
        ("Local Jacobians", "Rewrites\n") if kind == "txt" else ("\\subsection*{Local", "\\subsection*{Rew")
    )
    assert VERSION in page
    golden.compare(f"jacobians.{kind}", page[page.index(start) : page.index(end)])


def test_every_format_carries_them() -> None:
    work = sg.derive(sg.read(str(EXAMPLES / "xor.yaml"))).showing(jacobians=True)
    data = json.loads(json.dumps(work.as_dict()))["jacobians"]
    assert [b["block"] for b in data] == ["h_Z", "h", "y_Z", "y", "loss"]
    weights = data[0]["jacobians"][1]
    assert weights["text"] == "∂h_Z[n,i]/∂h_W[j,k] = δ(i, k)·x[n,j]"
    assert (weights["structure"], weights["reads"]) == ("only column i", "h_W[:,i]")
    assert weights["axes"] == [["batch", 2], [2, 2]]
    page = ElementTree.fromstring(work.html())
    assert "only column i: h_Z[n,i] reads h_W[:,i]" in "".join(page.itertext())
    assert r"\frac{\partial h_{Z}[n,i]}{\partial h_{W}[j,k]}" in work.latex()
    assert "Jacobian" not in str(sg.derive(work.spec))
    assert "jacobians" not in sg.derive(work.spec).as_dict()


def test_samples_may_be_columns() -> None:
    work = sg.derive(sg.read(str(EXAMPLES / "xor.yaml"))).in_notation("columns").showing(jacobians=True)
    text = str(work)
    assert "∂h_Z[i,n]/∂x[j,m] = δ(n, m)·h_W[j,i]   [block diagonal over n: h_Z[i,n] reads x[:,n]" in text
    assert "∂h_Z[i,n]/∂h_W[j,k] = δ(i, k)·x[j,n]" in text
