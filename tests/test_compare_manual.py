"""Manual derivatives: the lectures' are found right, and what is wrong with others is found and named."""

from __future__ import annotations

import time

import numpy as np
import pytest
from manual_specs import GRAPH, HINGE, LMS, MLP, PERCEPTRON, PLANES, PRELU, RIGHT, SOFTMAX, changed

from symgrad.comparison import check_manual
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw


def claims(spec, **options):
    return {claim.name: claim for claim in check_manual(read(spec), **options)}


@pytest.mark.parametrize("spec", RIGHT, ids=lambda spec: spec["name"])
def test_the_lectures_formulas_are_right(spec):
    found = claims(spec)
    helpers = {"delta"}
    assert list(found) == [name.partition("[")[0] for name in spec["manual"] if name not in helpers]
    assert {claim.verdict for claim in found.values()} == {"right"}, [c.message for c in found.values()]
    assert all(claim.digits >= 25 and not claim.message for claim in found.values())


def test_a_small_spec_takes_less_than_a_second():
    spec = read(MLP)
    check_manual(spec)
    start = time.process_time()
    check_manual(spec)
    assert time.process_time() - start < 3  # half of one, on a machine that does nothing else


@pytest.mark.parametrize(
    ("spec", "name", "formula", "hint"),
    [
        (LMS, "dw[j]", "-sum(delta[i] * x[i,j], i)", "is a factor 2 missing?"),
        (LMS, "dw[j]", "2 * sum(delta[i] * x[i,j], i)", "is the sign wrong?"),
        (LMS, "dw[j]", "sum(delta[i] * x[i,j], i)", "is a factor -2 missing?"),
        (LMS, "dw[j]", "-2/N * sum(delta[i] * x[i,j], i)", "is a factor N missing?"),
        (LMS, "dw[j]", "-2 * sum(delta[i] * x[i,j], i) * 1.001", "every entry is 1.001 times"),
        (LMS, "dw[j]", "0 * sum(delta[i] * x[i,j], i)", "it is 0 everywhere"),
        (LMS, "dw[j]", "log(-sum((x[i,j] + 0*delta[i])**2, i))", "not every entry is a finite number"),
        (PERCEPTRON, "dw", "-2 * sum(((y - s) * s * x.T), axis=1)", ""),
        (SOFTMAX, "ds", "softmax(s) - onehot(t)", "is a factor 1/N missing?"),
        (PLANES, "dW", "(X.T @ (dZ * (1 - Z**2))).T", "is it the transpose?"),
        (GRAPH, "dx", "x", "every entry is"),
        (PRELU, "da", "sum(where(h_Z > 0, h_Z, h_Z) * dh)", "every entry is"),
        (HINGE, "dw", "x.T @ dp - 0.1 * sign(w)", ""),
    ],
)
def test_a_wrong_formula_is_found_and_what_is_wrong_is_named(spec, name, formula, hint):
    claim = claims(changed(spec, **{name: formula}))[name.partition("[")[0]]
    assert claim.verdict == "wrong"
    assert claim.hint.startswith(hint), claim.message
    assert claim.digits == 0
    assert claim.where is not None
    assert not np.isclose(claim.where.claimed, claim.where.true, rtol=1e-9)
    assert "the derivative is" in claim.message


def test_the_true_number_is_that_of_an_explicit_formula():
    claim = claims(changed(LMS, **{"dw[j]": "-sum(delta[i] * x[i,j], i)"}), seed=5)["dw"]
    a = draw(expand(read(LMS)), "", 5).arrays
    true = -2 * a["x"].T @ (a["y"] - a["x"] @ a["w"])
    assert claim.where.index == (0,)
    assert claim.where.true == pytest.approx(true[0], rel=1e-14)
    assert claim.where.claimed == pytest.approx(true[0] / 2, rel=1e-14)


def test_one_entry_in_many_is_found_in_small_and_in_large_claims():
    """The entry where M is largest is off by 1e-9 of what it should be."""
    for size, hint in ((4, "1 of 16 entries differ"), (9, "1 of 9 entries looked at differ")):
        spec = {**PLANES, "inputs": {"X": ["N", size], "M": [size, size]}, "parameters": {"W": [size, size]}}
        off = "X.T @ (dZ * (1 - Z**2)) * where(M < max(M), 1, 1 + 1e-9)"
        claim = claims(changed(spec, dZ=f"2 * Z / ({size} * N)", dW=off))["dW"]
        largest = draw(expand(read(spec)), "", 0).arrays["M"]
        assert claim.verdict == "wrong"
        assert claim.where.index == np.unravel_index(largest.argmax(), largest.shape)
        assert claim.hint == hint
        assert str(claim.where).split()[4].rstrip(",") != str(claim.where).split()[-1]


def test_what_is_built_on_a_wrong_claim_says_so():
    found = claims(changed(MLP, dA1="dZ2 @ W2.T * 2"))
    wrong = {name for name, claim in found.items() if claim.verdict == "wrong"}
    assert wrong == {"dA1", "dZ1", "dW1", "db1", "dx"}
    assert found["dA1"].hint == "is a factor 1/2 missing?"
    assert all(found[name].hint == "it is built on dA1, which is wrong" for name in wrong - {"dA1"})


def test_a_claim_of_zero_where_nothing_else_was_seen_is_no_evidence():
    spec = {**LMS, "parameters": {**LMS["parameters"], "u": {"axes": [2], "init": "normal(std=1)"}}}
    found = claims(changed(spec, du="0 * u"))
    assert (found["du"].verdict, found["dw"].verdict) == ("no evidence", "right")
    assert claims(changed(spec, du="u"))["du"].hint == "the derivative is 0 everywhere"


@pytest.mark.parametrize(
    ("spec", "name", "formula", "message"),
    [
        (MLP, "dW1", "dZ1.T @ x", "'dW1' is [5, 3], but 'W1' is [3, 5]; its transpose would fit"),
        (MLP, "db1", "sum(dZ1, axis=0, keepdims=true)", "'db1' is [1, 5], but 'b1' is [5]; a derivative has"),
        (MLP, "db1", "sum(dZ3, axis=0)", "unknown name 'dZ3'; did you mean 'dZ2'?"),
        (MLP, "dx", "t", "an equation computes with numbers, 't' holds integer labels"),
        (MLP, "dt", "1", "'dt' claims the derivative with respect to 't', which holds integer labels"),
        (MLP, "dbatch", "1", "'dbatch' claims the derivative with respect to 'batch', which is a size"),
        (
            MLP,
            "dw1",
            "x.T @ dZ1",
            "'dw1' claims no derivative, and no formula below uses it; did you mean 'dW1'?",
        ),
        (MLP, "dloss", "1", "'dloss' claims no derivative, and no formula below uses it; claims are called"),
        (MLP, "dA1", "dZ2 @ W2", "'@' cannot contract [batch, 4] with [5, 4]"),
        (LMS, "dw[j]", "-2 * sum(delta[i] * x[i,k], i)", "the range of index 'j' is not known"),
        (LMS, "dw", "w", "the manual formula 'dw' has the name of the manual formula at"),
        ({**SOFTMAX, "loss": None}, "ds", "s", "'ds' claims a derivative of a loss; add loss: ..."),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused_at_its_place(spec, name, formula, message):
    given = {key: value for key, value in spec.items() if value is not None}
    with pytest.raises(SpecError) as caught:
        check_manual(read(changed(given, **{name: formula})))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"<dict>.manual.{name}:")


def test_manual_formulas_change_nothing_else():
    spec, bare = read(MLP), read({key: value for key, value in MLP.items() if key != "manual"})
    assert spec.sha256 != bare.sha256
    text = module_text(spec).replace(spec.sha256, bare.sha256)
    assert text.replace(spec.sha256[:16], bare.sha256[:16]) == module_text(bare)
    assert check_manual(bare) == ()
