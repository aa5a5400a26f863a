"""Slices, reshape, transpose, split, einsum, outer, cumsum, one_hot, gather: as NumPy's, and as indices."""

from __future__ import annotations

import numpy as np
import pytest
from any_letters import code_of_any_letters
from fuzz.modules import interpreted, with_garbage
from seeds import one_in

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret

RNG = np.random.default_rng(3)
X, Z = RNG.normal(size=(3, 4, 6)), RNG.normal(size=(3, 4, 6))
C = RNG.integers(0, 4, (3, 2))
W, V = RNG.normal(size=(4, 6)), RNG.normal(size=6)
DATA = {"x": X, "z": Z, "c": C, "W": W, "v": V}


def spec(equations):
    equations = equations if isinstance(equations, dict) else {"p": equations}
    labels = {"axes": ["batch", 2], "classes": 4}
    return read(
        {
            "axes": {"J": 4},
            "dtype": "float64",
            "inputs": {"x": ["batch", 4, 6], "z": ["batch", 4, 6], "c": labels},
            "parameters": {"W": [4, 6], "v": [6]},
            "equations": equations,
            "loss": "mean(p**2) + sum(W**3) + sum(v**2)",
            "outputs": ["p"],
        }
    )


FORMS = [
    ("x[:, 1:, ::2] * W[1:, ::2]", lambda: X[:, 1:, ::2] * W[1:, ::2]),
    ("x[:, ::-1] * W[::-1, :]", lambda: X[:, ::-1] * W[::-1]),
    ("x[:, -1] * v", lambda: X[:, -1] * V),
    ("x[:, 3:0:-2, -2] * W[0, 0]", lambda: X[:, 3:0:-2, -2] * W[0, 0]),
    ("x[:, :J - 1, 2:-1] + W[J - 4:3, 3:]", lambda: X[:, :3, 2:-1] + W[:3, 3:]),
    (
        {"p[n, i]": "sum(x[n, 1:, i] * W[i // 2, 3:])"},
        lambda: np.stack([X[:, 1:, i] @ W[i // 2, 3:] for i in range(6)], 1),
    ),
    ("reshape(x * W, [batch, 24])", lambda: (X * W).reshape(3, 24)),
    ("reshape(x, [batch, 2, 2, -1]) * v", lambda: X.reshape(3, 2, 2, 6) * V),
    ("reshape(x, [batch, 3, 8]) * W[0, 0]", lambda: X.reshape(3, 3, 8) * W[0, 0]),
    ("reshape(x, [batch, 1, J, 3, 1, 2, 1]) * W[0, 0]", lambda: X.reshape(3, 1, 4, 3, 1, 2, 1) * W[0, 0]),
    ("transpose(x, 0, 2, 1) * W.T", lambda: X.transpose(0, 2, 1) * W.T),
    ("transpose(transpose(W), -1, 0) * 2", lambda: W * 2),
    ("split(x, 3, part=1) * W[:, :2]", lambda: X[..., 2:4] * W[:, :2]),
    ({"a, b": "split(x, [1, 3], axis=1)", "p": "a * b * v"}, lambda: X[:, :1] * X[:, 1:] * V),
    ('einsum("nid,njd->nij", x, z) * W[:, :4]', lambda: np.einsum("nid,njd->nij", X, Z) * W[:, :4]),
    ("einsum('nid,jd,id->nj', x, W, W)", lambda: np.einsum("nid,jd,id->nj", X, W, W)),
    ("einsum('ii->i', W[:, :4])", lambda: np.einsum("ii->i", W[:, :4])),
    ("outer(x[:, 0, 0], W)", lambda: np.multiply.outer(X[:, 0, 0], W)),
    ("cumsum(x * W, axis=1)", lambda: np.cumsum(X * W, 1)),
    ("gather(W[:, :4], c, axis=1)", lambda: W[:, :4][:, C]),
    ("one_hot(c, 6) * v", lambda: np.eye(6)[C] * V),
    ({"p[n, i, d]": "W[c[n, i], d] * v[d]"}, lambda: W[C] * V),
    ("x[:, :1] * W", lambda: X[:, :1] * W),
    ("(x @ W.T) @ z", lambda: (X @ W.T) @ Z),
    ("x @ v", lambda: X @ V),
]


@pytest.mark.parametrize(("equations", "expected"), one_in(2, FORMS))
def test_arrays_are_rearranged_as_by_numpy(equations, expected):
    """To the verifier and in the emitted text, which is proved against it: its slopes too."""
    stages = stages_of(spec(equations))
    meaning = interpret(stages.model, DATA, DOUBLE).outputs[0]
    np.testing.assert_allclose(meaning, expected(), rtol=1e-13)
    found = identity_of(stages.model, stages.text)
    assert found.state == "identical", found
    module = with_garbage(interpreted(stages.text), -7e30)
    got = module.forward(module.Params(W=W, v=V), X, Z, C)
    np.testing.assert_allclose(got, expected(), rtol=1e-12)


@pytest.mark.parametrize(
    ("form", "plain"),
    [
        ("x[:, 1:, ::2] * W[1:, ::2]", {"p[n, i:3, j:3]": "x[n, i + 1, 2*j] * W[i + 1, 2*j]"}),
        ("x[:, ::-1] * W", {"p[n, i, j]": "x[n, 3 - i, j] * W[i, j]"}),
        ("einsum('nid,njd->nij', x, z) * 2", {"p[n, i, j]": "sum(x[n, i, d] * z[n, j, d], d) * 2"}),
        ("einsum('nid,kd->nik', x, W)", {"p[n, i, k]": "sum(x[n, i, d] * W[k, d], d)"}),
        ("transpose(x, 2, 0, 1) * W[0, 0]", {"p[d, n, i]": "x[n, i, d] * W[0, 0]"}),
        ("reshape(x, [batch, 4, 2, 3]) * W[0, 0]", {"p[n, i, a:2, b:3]": "x[n, i, 3*a + b] * W[0, 0]"}),
        ("outer(v, v)", {"p[i, j]": "v[i] * v[j]"}),
        ("gather(W, c)", {"p[n, i, d]": "W[c[n, i], d]"}),
    ],
)
def test_a_form_computes_what_its_indices_would(form, plain):
    one, other = (stages_of(spec(equations)) for equations in (form, plain))
    assert str(one.derived) == str(other.derived)
    assert code_of_any_letters(one.in_python) == code_of_any_letters(other.in_python)


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ("x[:, ::0]", "the step of a slice is 0"),
        ("x[:, 5:]", "the end 5 of this slice leaves an axis of 'x', which has 4 entries; expected one from"),
        ("x[:, 2:2]", "takes nothing of 4 entries"),
        ("x[:, 3:1]", "takes nothing"),
        ("x[1:]", "this takes some rows of 'x', but 'batch' come in batches"),
        ("x[:, 4, :]", "this axis of 'x' has 4 entries, none is number 4; expected one from -4 to 3"),
        ("x[:, :, :, :]", r"'x' is \[batch, 4, 6\], too few axes for 4 indices"),
        ("x[:, W, :]", "unknown index 'W'"),
        ("x[:, Q:]", "'Q' is no size"),
        ("x[:, 0.5:]", "the end of a slice is no whole number"),
        ("x[:, i, :]", "unknown index 'i'"),
        (
            "reshape(x, [batch, 5, 5])",
            r"reshape of \[batch, 4, 6\]: \[batch, 5, 5\] does not hold as many entries",
        ),
        ("reshape(x, [batch, -1, 5])", "24 entries are no multiple of 5"),
        ("reshape(x, [batch, -1, -1])", "more than one size is -1"),
        ("reshape(x, [4, batch, 6])", "does not hold as many"),
        ("reshape(x, [24])", "does not hold as many"),
        ("reshape(x, [batch, 0, 24])", "a size is 0; expected 1 or more"),
        ("reshape(x, 24)", r"reshape takes a list of sizes; write reshape\(x, \[batch, 8, 8\]\)"),
        ("reshape(x)", "reshape lacks 'shape'"),
        ("transpose(x, 0, 1)", "are not all 3 axes once; name the axes 0 to 2, each once"),
        ("transpose(x, 0, 1, 3)", "there is no axis 3"),
        ("split(x, 4, part=0)", "6 entries make no 4 equal parts; give a divisor"),
        ("split(x, [1, 2], part=0)", "the sizes 1, 2 do not make up 6"),
        ("split(x, 2, part=2)", "there is no part 2 of 2"),
        ("split(x, 2)", "split gives several parts; name them all on the left"),
        ({"a, b": "split(x, 3)", "p": "a"}, "split into 3 parts, and 2 names on the left; name every part"),
        ({"a, b": "x + z", "p": "a"}, "only split gives several tensors"),
        ({"a, b": "split(x * z, 2)", "p": "a"}, "split of a formula would compute it for each part"),
        ("einsum('nid,njd', x, z)", "'nid,njd' does not say which axes there are and which are left; "),
        ("einsum('nid,njd->nq', x, z)", "the letter 'q' .* no axis; expected some of d, i, j, n"),
        ("einsum('nid->nid', x, z)", "letters of 1 tensors, and 2 tensors"),
        ("einsum('nd,njd->nj', x, z)", "'nd' for tensor 1, which has 3 axes; give one letter per axis"),
        ("einsum('nid,ndj->nij', x, z)", "'d' is the axis 6 and the axis 4"),
        ("einsum('nid->nn', x)", "the letter 'n' stands twice in the result"),
        ("einsum(x, z)", "takes letters in quotes, then tensors"),
        ("einsum('nid,nid->n', x, c)", "'nid' for tensor 2, which has 2 axes"),
        ("cumsum(x)", "cumsum lacks 'axis'"),
        ("cumsum(x, axis=0)", "cumsum along the rows 'batch'"),
        ("one_hot(x, 4)", "one_hot takes integer labels; declare them with their number"),
        ("one_hot(c, 3)", "the labels 'c' are below 4, not 3; write 4 or more"),
        ("gather(W, x)", "gather takes integer labels"),
        ("gather(W, c, axis=1)", r"labels below 4 for the axis 6 of \[4, 6\]"),
        ("gather(W, c, axis=2)", "there is no axis 2"),
        ({"p[n, i, d]": "x[n, v[i], d]"}, "'v' holds no integer labels, it cannot be an index"),
        ("outer(x, c)", "computes with numbers, 'c' holds integer labels"),
        ("x['a']", "a string is not in the language|this index is not"),
        ("sum(x, [1])", "a list is not in the language"),
    ],
)
def test_what_arrays_do_not_have_is_refused_where_it_stands(equations, message):
    with pytest.raises(SpecError, match=message) as refused:
        assert stages_of(spec(equations)).derived
    assert refused.value.at is not None
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x[:, :, :1] * W", lambda: X[:, :, :1] * W),
        ("reshape(x[:, :, 0], [batch, 4, 1]) * W", lambda: X[:, :, :1] * W),
        ("x[:, :1] * W + reshape(v[:4], [4, 1])", lambda: X[:, :1] * W + V[:4, None]),
        ("v + x", lambda: V + X),
    ],
)
def test_axes_are_matched_from_the_right_at_any_rank(formula, expected):
    found = interpret(stages_of(spec(formula)).model, DATA, DOUBLE).outputs[0]
    np.testing.assert_allclose(found, expected(), rtol=1e-14)
    assert stages_of(spec(formula)).derived.gradients


def test_a_column_against_a_vector_is_still_taken_for_a_slip():
    with pytest.raises(SpecError, match="cannot combine"):
        assert stages_of(spec("x[:, :, :1] - v")).derived
