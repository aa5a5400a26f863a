"""Derivatives beyond the gradient: products with matrices of second ones, gradients of single rows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from scipy.optimize import minimize
from seeds import one_in

import symgrad
from symgrad.cli import main
from symgrad.errors import SpecError, SpecWarning
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.reading.derive_block import with_derivatives
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.exact_tape import ExactTape
from symgrad.verifier.identity.further_meaning import direction, expected_further
from symgrad.verifier.identity.points import real_points
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.trials.curvature_order import curvature_order_checks
from symgrad.verifier.trials.further_values import further_checks
from symgrad.verifier.trials.subject import InProcess
from symgrad.verifier.trials.trial import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.verifier.identity.points import ExactPoint
    from symgrad.verifier.interpretation.array_library import Array

ALL = ["hvp", "gauss_newton", "per_sample"]


def spec_of(equations: dict[str, str], loss: str, **others: Any) -> dict[str, Any]:
    """A small spec of these equations."""
    given = {
        "name": "derived",
        "dtype": "float64",
        "inputs": {"x": ["N", 3]},
        "targets": {"t": ["N", 2]},
        "derive": ALL,
    }
    return {**given, "equations": equations, "loss": loss, **others}


NETWORK = spec_of({"h": "dense(x, 4, activation=tanh)", "y": "dense(h, 2)"}, "mse(y, t)")
LABELS = {"t": {"axes": ["N"], "classes": 3}}

SPECS: dict[str, dict[str, Any]] = {
    "network": NETWORK,
    "classes": spec_of({"y": "dense(x, 3)"}, "softmax_cross_entropy(y, t)", targets=LABELS),
    "shared and penalised": spec_of(
        {"h": "tanh(x @ U + a)", "y": "h @ U.T @ V"},
        "mse(y, t) + 0.1 * l2(U)",
        parameters={"U": [3, 4], "a": [4], "V": [3, 2]},
    ),
    "unused parameter": spec_of({"y": "x @ W"}, "mse(y, t)", parameters={"W": [3, 2], "idle": [5]}),
    "kinks": spec_of({"h": "dense(x, 4, activation=relu)", "y": "abs(dense(h, 2))"}, "huber(y, t)"),
    "maxima": spec_of(
        {"m[n]": "max(x[n,i] * w[i], i)", "y[n,k]": "m[n] * v[k]"},
        "mse(y, t)",
        parameters={"w": [3], "v": [2]},
    ),
    "embedding": spec_of(
        {"e[n,i,d]": "E[c[n,i], d]", "y[n,k]": "sum(e[n,i,d]**2 * W[i,d,k], i, d)"},
        "mse(y, t)",
        inputs={"c": {"axes": ["N", 2], "classes": 4}},
        parameters={"E": [4, 3], "W": [2, 3, 2]},
    ),
    "windows": spec_of(
        {"z": "conv1d(x, 2, 3, padding=1)", "y": "mean(tanh(z), axis=1)"},
        "mse(y, t)",
        inputs={"x": ["N", 5, 2]},
    ),
    "attention": spec_of(
        {"a": "attention(x, heads=1)", "y": "mean(a, axis=1)"}, "mse(y, t)", inputs={"x": ["N", 3, 2]}
    ),
    "norm": spec_of({"h": "layer_norm(dense(x, 4))", "y": "dense(h, 2)"}, "mse(y, t)"),
    "chain": spec_of(
        {"a[n,k]": "logsumexp(x[n,j] + A[j,k], j)", "y[n,k]": "logsumexp(a[n,j] + B[j,k], j)"},
        "mse(y, t)",
        parameters={"A": [3, 3], "B": [3, 2]},
    ),
    "two free axes": spec_of(
        {"y[n,k]": "mean(tanh(x[n,i,j] * w[j,k]), i, j)"},
        "mse(y, t)",
        inputs={"x": ["N", "T", 3]},
        parameters={"w": [3, 2]},
    ),
    "an equation by its input": spec_of(
        {"h": "tanh(x @ W)", "y": "h @ V"},
        "mse(y, t)",
        parameters={"W": [3, 2], "V": [2, 2]},
        derive=["jacobian(y, x)", "hessian(W)"],
    ),
    "by labels": spec_of(
        {"y[n,k]": "sum(E[c[n,i], d]**2 * W[i,d,k], i, d)"},
        "mse(y, t)",
        inputs={"c": {"axes": ["N", 2], "classes": 3}},
        parameters={"E": [3, 2], "W": [2, 2, 2]},
        derive=["jacobian(y, E)", "hessian(E)"],
    ),
    "windows and a maximum": spec_of(
        {"z": "conv1d(x, 2, 3)", "m": "max(z, axis=1)", "y": "m @ V"},
        "mse(y, t)",
        inputs={"x": ["N", 5, 1]},
        parameters={"V": [2, 2]},
        derive=["jacobian(m, x)", "hessian(z_W)"],
    ),
    "several of a kind": spec_of(
        {"h": "tanh(x @ W)", "y": "h @ V", "z": "y**2"},
        "mse(y, t)",
        parameters={"W": [3, 2], "V": [2, 2]},
        derive=["jacobian(y, x)", "jacobian(z, x)", "jacobian(y, W)", "hessian(W)", "hessian(V)"],
    ),
    "a Jacobian without a loss": {
        "name": "lossless",
        "dtype": "float64",
        "inputs": {"x": ["N", 3]},
        "parameters": {"W": [3, 2]},
        "equations": {"y": "tanh(x @ W)"},
        "derive": ["jacobian(y, W)"],
    },
    "a Jacobian of what counts the rows": spec_of(
        {"y": "tanh(x @ W) / size(x, 0)"}, "mse(y, t)", parameters={"W": [3, 2]}, derive=["jacobian(y, W)"]
    ),
    "a residual of second order": {
        "name": "residual",
        "dtype": "float64",
        "inputs": {"x": ["N", 1]},
        "equations": {"u": "dense(tanh(dense(x, 2)), 1)", "r": "d(u, x, x) + u"},
        "loss": "mean(r**2)",
        "derive": ALL,
    },
    "pieces and what is frozen": {**NETWORK, "train": {"freeze": ["h_W"], "micro_batch_size": 2}},
    "a sum over rows": spec_of({"y": "dense(x, 2)"}, "sum((y - t)**4)"),
}


@pytest.mark.parametrize("name", one_in(2, SPECS))
def test_a_module_computes_what_its_spec_says_of_them(name: str) -> None:
    model = expand(read(SPECS[name]))
    found = identity_of(model, stages_of(model.spec).text)
    assert found.state == "identical", found
    assert not found.left


def test_gradients_by_inputs_are_asked_for_in_either_place() -> None:
    spec = {**NETWORK, "inputs": {"x": ["N", 3], "c": {"axes": ["N"], "classes": 2}}}
    spec["equations"] = {"h": "dense(x, 4) + embedding(c, 4)", "y": "dense(h, 2)"}
    by_gradients = read({**spec, "derive": ["hvp"], "gradients": ["x", "h"]})
    by_derive = read({**spec, "derive": ["hvp", "input_gradient", "input_gradient(h)"]})
    by_call = with_derivatives(
        read({**spec, "derive": ["hvp"]}), ["input_gradient(x)", "input_gradient(x, h)"]
    )
    texts = {stages_of(asked).text.replace(asked.sha256, "") for asked in (by_gradients, by_derive, by_call)}
    assert len(texts) == 1


def test_growth_of_one_exponential_over_another_is_not_compared() -> None:
    """Exponents of both are infinite: their difference is no number, and nothing can be told from it."""
    spec = spec_of(
        {"y": "softmax(x @ W)", "s[n]": "d(y[n,2], y[n,3], y[n,3])**2"},
        "mean(log(1 + y**2))",
        inputs={"x": ["N", 4]},
        parameters={"W": [4, 4]},
        targets={},
        outputs=["s"],
        derive=["hvp"],
    )
    with pytest.warns(SpecWarning, match="does not depend on it"):
        text = stages_of(read(spec)).text
    assert identity_of(expand(read(spec)), text).state == "identical"


def _slopes(model: Any, point: ExactPoint, by: float, along: dict[str, Array]) -> dict[str, Array]:
    """The gradient of the spec's loss in 50 digits, a step further."""
    tape = ExactTape(FIFTY_DIGITS)
    moved = {
        n: a + FIFTY_DIGITS.array(np.float64(by)) * along[n] if n in along else a
        for n, a in point.numbers.items()
    }
    leaves: dict[str, Any] = {n: tape.variable(a) for n, a in moved.items()}
    loss = interpret(model, {**leaves, **point.labels}, tape.arithmetic).loss
    names = list(along)
    return dict(zip(names, tape.gradients(tape.of(loss), [leaves[n] for n in names]), strict=True))


@pytest.mark.parametrize("name", ["network", "classes", "shared and penalised", "norm", "chain"])
def test_the_judges_own_second_derivatives_are_differences_of_its_gradient(name: str) -> None:
    model = expand(read({**SPECS[name], "derive": ["hvp"]}))
    point = next(real_points(model, 0))
    along = direction(point, {p.name: point.numbers[p.name].shape for p in model.parameters})
    found = dict(expected_further(model, point, FIFTY_DIGITS, model.spec.derive))
    step = 2.0**-60
    ahead, behind = (_slopes(model, point, by, along) for by in (step, -step))
    for parameter in along:
        difference = (ahead[parameter] - behind[parameter]) / (2 * step)
        error = np.abs((found[f"hvp ({parameter})"] - difference).astype(float)).max()
        assert error < 1e-25


def _edited(text: str, function: str, before: str, after: str) -> str:
    """The text with the first of something in a function, or behind its beginning, changed."""
    start = text.index(f"def {function}(")
    place = text.index(before, start)
    return text[:place] + after + text[place + len(before) :]


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        ("_hvp", "gemm(1, x, ", "gemm(-1, x, "),
        ("_hvp", "view(direction, 16, (4, 2))", "view(theta, 16, (4, 2))"),
        ("_hvp", "view(direction, 0", "view(direction, 1"),
        ("_gauss_newton", "view(product, 24, (2,))", "view(product, 23, (2,))"),
        ("_gauss_newton", "gemm(1, ", "gemm(2, "),
        ("_per_sample_grad_results", "(batch, 4)", "(batch, 4)[:1]"),
        ("hvp", "_hvp_work_size, params, vector", "_hvp_work_size, vector, params"),
    ],
)
def test_planted_faults_are_found(function: str, before: str, after: str) -> None:
    model = expand(read({**NETWORK, "inputs": {"x": ["batch", 3]}, "targets": {"t": ["batch", 2]}}))
    text = stages_of(model.spec).text
    assert identity_of(model, _edited(text, function, before, after)).is_wrong


def _numbers(module: Any, seed: int = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    return module.init_params(1), rng.normal(size=module.SIZE), rng.normal(size=module.SIZE), data


def test_symmetry_and_order_of_the_remainder(tmp_path: Path) -> None:
    module = interpreted(written(NETWORK, tmp_path))
    params, u, v, data = _numbers(module)
    theta = module.flatten(params).copy()
    product = module.hvp(params, v, *data)
    assert u @ product == pytest.approx(v @ module.hvp(params, u, *data), rel=1e-12)
    loss, gradient = module.loss_and_grad(params, *data)
    slope = module.flatten(gradient) @ v

    def remainder(h: float) -> float:
        there = module.loss(module.unflatten(theta + h * v), *data)
        return abs(there - loss - h * slope - h * h / 2 * (v @ product))

    assert np.log2(remainder(2e-2) / remainder(1e-2)) == pytest.approx(3, abs=0.3)
    assert v @ module.gauss_newton(params, v, *data) > 0


def test_answers_come_in_the_form_of_the_vector_and_fit_scipy(tmp_path: Path) -> None:
    module = interpreted(written(NETWORK, tmp_path))
    params, _, v, data = _numbers(module)
    theta = module.flatten(params).copy()
    flat = module.hvp(theta, v, *data)
    fields = module.hvp(params, module.unflatten(v), *data)
    assert isinstance(flat, np.ndarray)
    assert type(fields) is type(params)
    np.testing.assert_array_equal(module.flatten(fields), flat)

    def value(vector: Array, *given: Array) -> tuple[float, Array]:
        loss, gradient = module.loss_and_grad(module.unflatten(vector), *given)
        return loss, module.flatten(gradient)

    for hessp in (module.hvp, module.gauss_newton):
        found = minimize(
            value, theta, args=data, jac=True, hessp=hessp, method="trust-ncg", options={"maxiter": 25}
        )
        assert found.fun < 0.5 * value(theta, *data)[0]


def test_rows_alone_have_the_gradients_of_batches_of_one(tmp_path: Path) -> None:
    module = interpreted(written(NETWORK, tmp_path))
    params, _, _, (x, t) = _numbers(module)
    found = module.per_sample_grad(params, x, t)
    other = module.per_sample_grad(params, x + 1, t)
    assert not any(np.shares_memory(a, b) for a, b in zip(found, other, strict=True))
    for row in range(6):
        alone = module.loss_and_grad(params, x[row : row + 1], t[row : row + 1])[1]
        for every, one in zip(found, alone, strict=True):
            np.testing.assert_allclose(every[row], one, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_rows_alone_are_written_where_an_earlier_answer_lies(seed: int, tmp_path: Path) -> None:
    module, numbers = interpreted(written(NETWORK, tmp_path)), np.random.default_rng(seed)
    params, _, _, data = _numbers(module)
    answers: list[Any] = []
    for _ in range(12):
        rows = int(numbers.integers(1, 6))
        given = [np.concatenate([array, array])[numbers.permutation(12)[:rows]] for array in data]
        wanted = module.per_sample_grad(params, *given)
        fitting = [answer for answer in answers if len(answer[0]) == rows]
        if fitting:
            out = fitting[int(numbers.integers(len(fitting)))]
            others = [(other, [part.copy() for part in other]) for other in answers if other is not out]
            out[0].base[:] = np.nan
            found = module.per_sample_grad(params, *given, out=out)
            assert found is out
            for other, parts in [*others, (found, wanted)]:
                for part, known in zip(other, parts, strict=True):
                    np.testing.assert_array_equal(part, known)
        else:
            answers.append(wanted)


def test_what_is_no_earlier_answer_is_refused(tmp_path: Path) -> None:
    module = interpreted(written(NETWORK, tmp_path))
    params, _, _, data = _numbers(module)
    answer = module.per_sample_grad(params, *data)
    fewer = [array[:3] for array in data]
    inside = module.unflatten(answer[0].base[: module.SIZE])
    for out, given, error, said in (
        (list(answer), data, TypeError, "out: expected an answer of this function, got list"),
        (
            module.Params(*map(np.copy, answer)),
            data,
            ValueError,
            "out: expected an answer of this function for",
        ),
        (module.Params(*answer[::-1]), data, ValueError, "out: expected an answer of this function for"),
        (answer, fewer, ValueError, "out: expected an answer of this function for as many rows as here"),
    ):
        with pytest.raises(error, match=re.escape(said)):
            module.per_sample_grad(params, *given, out=out)
    with pytest.raises(ValueError, match="out: expected memory in which neither params nor data lie"):
        module.per_sample_grad(inside, *data, out=answer)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((None, np.zeros(5)), "vector: expected Params or a vector of 26 numbers, got [5]"),
        ((None, "up"), "vector: expected Params or a vector of 26 numbers, got str"),
        ((np.zeros((26, 1)), np.zeros(26)), "params: expected Params or a vector of 26 numbers, got [26, 1]"),
    ],
)
def test_what_is_no_vector_is_refused(given: tuple[Any, Any], problem: str, tmp_path: Path) -> None:
    module = interpreted(written(NETWORK, tmp_path))
    params, _, _, data = _numbers(module)
    with pytest.raises((ValueError, TypeError), match=re.escape(problem)):
        module.hvp(params if given[0] is None else given[0], given[1], *data)


def test_training_is_the_same_text_with_and_without_them() -> None:
    bare, whole = (stages_of(read({**NETWORK, "derive": derive})).text for derive in ([], ALL))
    functions = re.compile(r"^def (_forward|_loss|_gradient|_step|_work_size)\(.*?(?=^\S)", re.M | re.S)
    assert functions.findall(bare)
    assert [m[0] for m in functions.finditer(bare)] == [m[0] for m in functions.finditer(whole)]


def test_their_size_is_linear_in_the_network() -> None:
    def count(layers: int) -> int:
        chain = [*["dense(4, activation=tanh)"] * layers, "dense(2)"]
        spec = {"inputs": {"x": ["N", 3]}, "targets": {"t": ["N", 2]}, "layers": chain, "loss": "mse"}
        (product,) = stages_of(read({**spec, "derive": ["hvp"]})).further
        return len(product.derived.equations)

    four, eight, twelve = map(count, (4, 8, 12))
    assert twelve - eight == eight - four


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"derive": ["hesian(W)"]}, "did you mean 'hessian'"),
    "arguments": ({"derive": ["hvp(W)"]}, "write hvp"),
    "twice": ({"derive": ["hvp", "hvp"]}, "stands twice in derive"),
    "the same twice": ({"derive": ["jacobian(y, x)", "jacobian(y, x)"]}, "'jacobian(y, x)' stands twice"),
    "one name for two": (
        {
            "parameters": {"c": [1], "b_by_c": [1]},
            "equations": {"a_by_b": "x[:, :2] * c", "a": "a_by_b * b_by_c", "y": "1 * a"},
            "derive": ["jacobian(a_by_b, c)", "jacobian(a, b_by_c)"],
        },
        "would both be the function 'jacobian_a_by_b_by_c'",
    ),
    "another word": ({"derive": ["grad(x)"]}, "gradients: [x]"),
    "asked for twice": ({"gradients": ["x"], "derive": ["input_gradient(x)"]}, "'x' is asked for twice"),
    "of no name": ({"derive": ["input_gradient(2 * x)"]}, "write input_gradient(x)"),
    "of nothing known": ({"derive": ["input_gradient(q)"]}, "'q'"),
    "no loss": ({"loss": None, "targets": {}}, "needs a loss"),
    "no equation": ({"derive": ["gauss_newton(q)"]}, "'q' is no equation"),
    "beside": ({"derive": ["gauss_newton(h)"]}, "beside h"),
    "coupled": (
        {"equations": {"h": "dense(x - mean(x, axis=0), 4)", "y": "dense(h, 2)"}, "derive": ["per_sample"]},
        "no row has a gradient of its own",
    ),
    "too large": (
        {"inputs": {"x": ["N", 600]}, "derive": ["hessian(h_W)"]},
        "'h_W' has 2,400 entries, so 5,760,000 second derivatives; at most 1,048,576",
    ),
    "no parameter": ({"derive": ["hessian(x)"]}, "'x' is no parameter"),
    "no dependence": ({"derive": ["jacobian(h, y)"]}, "'h' does not depend on 'y'"),
    "no curvature": (
        {"equations": {"y": "dense(x, 2)", "l": "mse(y, t)"}, "loss": "l", "derive": ["gauss_newton"]},
        "gauss_newton(y)",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_is_refused_with_its_place(name: str) -> None:
    changes, said = PROBLEMS[name]
    spec = {k: v for k, v in {**NETWORK, **changes}.items() if v is not None}
    with pytest.raises(SpecError, match=re.escape(said)):
        _ = stages_of(read(spec)).text


def test_all_that_a_loss_depends_on_is_named_for_gauss_newton() -> None:
    spec = {**NETWORK, "inputs": {"x": ["N", 1]}, "targets": {"t": ["N", 1]}}
    spec |= {"equations": {"u": "dense(x, 1)"}, "loss": "mean((d(sin(u), x) - t)**2)"}
    with pytest.raises(SpecError) as told:
        _ = stages_of(read({**spec, "derive": ["gauss_newton"]})).text
    (named,) = re.findall(r'derive: \["(.*)"\]', str(told.value))
    assert stages_of(read({**spec, "derive": [named]})).text


def test_a_spec_is_read_with_more_of_them_than_it_names() -> None:
    bare = read({**NETWORK, "derive": ["hvp"]})
    more = symgrad.read(bare, derive=["hvp", "jacobian(y, x)"])
    assert [str(asked) for asked in more.derive] == ["hvp", "jacobian(y, x)"]
    assert [asked.function for asked in more.derive] == ["hvp", "jacobian"]
    both = symgrad.read(more, derive=["jacobian(h, x)"])
    assert [asked.function for asked in both.derive] == ["hvp", "jacobian_y_by_x", "jacobian_h_by_x"]
    with pytest.raises(SpecError, match="did you mean 'hvp'"):
        symgrad.read(bare, derive=["hvpp"])


@pytest.mark.parametrize("asked", ["hvpp", "1", "jacobian(y, q)", "jacobian(y,"])
def test_what_is_asked_for_beside_a_spec_is_placed_in_its_own_text(asked: str) -> None:
    bare = read({**NETWORK, "derive": []})
    with pytest.raises(SpecError, match=rf"^derive {re.escape(asked)}:1:\d+: "):
        _ = stages_of(symgrad.read(bare, derive=asked)).text


def test_the_command_line_takes_a_list_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "dtype: float64\ninputs: {x: [N, 2]}\ntargets: {t: [N, 1]}\nlayers: [dense(1)]\nloss: mse\n"
    )
    target = tmp_path / "net.py"
    given = [
        "generate",
        str(spec),
        "-o",
        str(target),
        "--with",
        "hvp,jacobian(Z1, x)",
        "--with",
        "per_sample",
    ]
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 0, capsys.readouterr().err
    text = target.read_text()
    assert all(f"def {name}(" in text for name in ("hvp", "jacobian", "per_sample_grad"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_verdict_has_a_row_for_each(dtype: str, tmp_path: Path) -> None:
    asked = [*ALL, "jacobian(y, x)", "jacobian(h, x)", "hessian(h_b)"]
    spec = read({**NETWORK, "dtype": dtype, "derive": asked})
    model = expand(spec)
    module = interpreted(written(spec, tmp_path))
    double = interpreted(written(replace(spec, dtype="float64"), tmp_path))
    trial = prepare(model, InProcess(module), InProcess(double), 2, 0, [])
    rows = list(further_checks(trial))
    jacobians = ["jacobian_y_by_x", "jacobian_h_by_x"]
    assert [row.name for row in rows] == ["hvp", "gauss_newton", "per_sample_grad", *jacobians, "hessian"]
    assert [row.verdict for row in rows] == ["pass"] * 6, rows
    double._hvp = lambda *given: given[2].fill(1.0)
    assert next(iter(further_checks(trial))).verdict == "fail"


class _Tampered:
    """A module whose second derivatives are a thousandth too large."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        original = getattr(self.module, name)
        if name not in ("hvp", "hessian"):
            return original

        def tampered(*given: Any) -> Any:
            answer = original(*given)
            return type(answer)(*(1.001 * a for a in answer)) if isinstance(answer, tuple) else 1.001 * answer

        return tampered


TAYLOR = ["network", "classes", "kinks", "maxima", "norm", "a residual of second order", "by labels"]


@pytest.mark.parametrize("name", TAYLOR)
def test_the_remainder_of_a_step_has_order_three_and_a_thousandth_more_is_seen(
    name: str, tmp_path: Path
) -> None:
    module = interpreted(written(SPECS[name], tmp_path))
    model = expand(read(SPECS[name]))
    verdicts = []
    for door in (InProcess(module), InProcess(_Tampered(module))):
        (row,) = curvature_order_checks(prepare(model, door, door, 2, 0))
        verdicts.append(row.verdict)
    assert verdicts == ["pass", "fail"], row


@pytest.mark.parametrize(
    ("equation", "said"),
    [
        ("x @ W + 1e-14 * abs(sin(1e14 * (x @ W)))", "every step leads over a kink"),
        ("x @ stop_gradient(W) + x @ W", "with stop_gradient the gradient is not the slope of the loss"),
    ],
)
def test_where_the_remainder_says_nothing_the_row_says_why(equation: str, said: str, tmp_path: Path) -> None:
    spec = spec_of({"y": equation}, "mean(tanh(y - t))", parameters={"W": [3, 2]}, derive=["hvp"])
    door = InProcess(interpreted(written(spec, tmp_path)))
    (row,) = curvature_order_checks(prepare(expand(read(spec)), door, door, 2, 0))
    assert row.verdict == "no evidence"
    assert row.message.startswith(said)


def test_pages_show_the_classical_forms() -> None:
    labels = spec_of(
        {"z": "x @ W"},
        "softmax_cross_entropy(z, t)",
        targets=LABELS,
        parameters={"W": [3, 3]},
        derive=["hvp"],
    )
    page = str(symgrad.derive(read(labels)).showing(hessian=True))
    assert "dẆ = xᵀ·(softmax(z) ⊙ (ż − rowsum(ż ⊙ softmax(z)))/N)" in page
    assert "∂²loss/∂z[n]² = (diag(p[n]) − p[n]·p[n]ᵀ)/N" in page
    assert "∂dz[n,i]/∂z[m,j] = δ(n, m)·p[n,i]·(δ(i, j) − p[n,j])/N" in page
    binary = spec_of(
        {"z": "x @ w"},
        "binary_cross_entropy_with_logits(z, t)",
        targets={"t": ["N"]},
        parameters={"w": [3]},
        derive=["hessian(w)"],
    )
    page = str(symgrad.derive(read(binary)))
    assert "dẇ = (xᵀ ⊙ sigmoid(z) ⊙ (1 − sigmoid(z))/N)·x" in page
    page = str(symgrad.derive(read({**NETWORK, "derive": ["gauss_newton", "per_sample"]})))
    assert "Gh_W = xᵀ·Gh_Z" in page
    assert "dy_W[n,j,i] = dy_Z[n,i]·h[n,j]" in page or "dy_W[n,j,i] = dy[n,i]·h[n,j]" in page


def test_pages_have_a_section_for_each_in_every_format() -> None:
    derivation = symgrad.derive(read(NETWORK))
    assert [found["asked"] for found in derivation.as_dict()["derive"]] == ALL
    assert r"\dot" in derivation.written("latex")
    assert "gauss_newton" in derivation.written("markdown")
