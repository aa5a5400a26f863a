"""Equations that are solved: their value, their gradient by the implicit function theorem, refusals."""

from __future__ import annotations

import re
import runpy
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from building import interpreted as loaded
from building import written
from fuzz.modules import interpreted
from planting import planted

import symgrad as sg
from symgrad.calculus.axes import Axis
from symgrad.calculus.deriving.vanishing import without_vanishing
from symgrad.calculus.program import Equation, Loop, Program, Tensor
from symgrad.calculus.terms import Entry, index_symbol, stop_gradient
from symgrad.errors import ShapeError, SpecError, SpecWarning
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.sense import doubts
from symgrad.unsolved import unsolved
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.sampling.solved_points import is_solved

EXAMPLES = Path(__file__).parent.parent / "examples" / "solvers"
NET = "tanh(sum(z[n,j] * W[j,i], j) + x[n,i] + b[i])"
PICARD = {"solve": NET, "start": 0, "method": "picard", "steps": 40}


def spec_of(solved: Any = PICARD, **more: Any) -> dict[str, Any]:
    """A spec that solves for z [batch, 3]."""
    return {
        "name": "solved",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 3]},
        "parameters": {"W": {"axes": [3, 3], "init": "normal(std=0.3)"}, "b": [3]},
        "equations": {"z[n,i]": solved},
        "loss": "mean((z - t)**2)",
        "gradients": ["x"],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
        **more,
    }


def kepler(**more: Any) -> dict[str, Any]:
    """A spec that solves Kepler's equation."""
    solved = {"solve": "M[n] + e * sin(E[n])", "start": "M[n]", "method": "newton", "steps": 8}
    return {
        "name": "kepler",
        "dtype": "float64",
        "inputs": {"M": ["batch"]},
        "targets": {"t": ["batch"]},
        "parameters": {"e": {"axes": [], "init": 0.5}},
        "equations": {"E[n]": solved},
        "loss": "sum(E * t)",
        "gradients": ["M"],
        **more,
    }


def test_a_fixed_point_and_its_gradient_are_those_of_linear_algebra() -> None:
    """dL/dp = (I - J)^-T v times dg/dp, by a dense matrix for each row."""
    module, rng = interpreted(stages_of(read(spec_of())).text), np.random.default_rng(0)
    x, t = rng.normal(size=(2, 5, 3))
    params = module.init_params(seed=1)
    W, b = np.array(params.W), np.array(params.b)
    z = np.zeros_like(x)
    for _ in range(200):
        z = np.tanh(z @ W + x + b)
    np.testing.assert_allclose(module.forward(params, x), z, rtol=0, atol=1e-14)
    lam = [
        np.linalg.solve(np.eye(3) - W * s, 2 * (r - g) / 15) for r, g, s in zip(z, t, 1 - z**2, strict=True)
    ]
    delta = np.array(lam) * (1 - z**2)
    _, grads = module.loss_and_grad(params, x, t)
    np.testing.assert_allclose(grads.W, z.T @ delta, rtol=0, atol=1e-14)
    np.testing.assert_allclose(grads.b, delta.sum(0), rtol=0, atol=1e-14)
    np.testing.assert_allclose(module.input_gradients(params, x, t).x, delta, rtol=0, atol=1e-14)


def test_keplers_equation_and_its_gradient_are_those_of_calculus() -> None:
    module = interpreted(stages_of(read(kepler())).text)
    M, t = np.linspace(-3, 3, 7), np.arange(7.0)
    params = module.unflatten(np.array([0.8]))
    E = module.forward(params, M)
    np.testing.assert_allclose(E - 0.8 * np.sin(E), M, rtol=0, atol=1e-14)
    _, grads = module.loss_and_grad(params, M, t)
    assert float(grads.e) == pytest.approx(np.sum(t * np.sin(E) / (1 - 0.8 * np.cos(E))), rel=1e-13)
    np.testing.assert_allclose(module.input_gradients(params, M, t).M, t / (1 - 0.8 * np.cos(E)), rtol=1e-13)


def test_the_adjoint_is_the_equation_of_books_and_no_step_is_differentiated() -> None:
    derived = stages_of(read(spec_of())).derived
    found = {e.target: str(e) for e in derived.equations}
    assert found["dz_move_before"].endswith("sum_{i} W[j, i]*dz_next_1_move[k, n, i]")
    slope = "(1 - z[n, j]**2)*(dz[n, j] + dz_move_later[i, n, j])"
    assert found["dz_next_1_move"] == f"dz_next_1_move[i, n, j] = {slope}"
    assert found["dW"] == "dW[j, i] = sum_{n} dz_next_1[n, i]*z_held[n, j]"
    assert not any(name.startswith(("dz_step", "z_move")) for name in found)


COSINE = {"solve": "s * cos(z[i])", "start": 0, "method": "newton", "steps": 8}
NUMBERS = {
    "newton": {"z[i:1]": COSINE},
    "picard": {"z[i:1]": {**COSINE, "method": "picard", "steps": 90}},
    "as a whole": {"z[:1]": {**COSINE, "solve": "s * cos(z)", "method": "picard", "steps": 90}},
}


@pytest.mark.parametrize("solved", NUMBERS.values(), ids=NUMBERS)
def test_a_single_number_is_solved_for(solved: dict[str, Any]) -> None:
    """By a parameter without axes: its slope is formed of numbers, one of which is a step's, kept alone."""
    equations, s = {**solved, "y[n,i]": "x[n,i] * z[0]"}, {"s": {"axes": [], "init": 0.8}}
    stages = stages_of(read(spec_of(equations=equations, parameters=s, loss="mse(y, t)", outputs=["y", "z"])))
    assert identity_of(stages.model, stages.text).state == "identical"
    module, (x, t) = interpreted(stages.text), np.random.default_rng(0).normal(size=(2, 5, 3))
    _, z = module.forward(params := module.init_params(0), x)
    np.testing.assert_allclose(z, 0.8 * np.cos(z), rtol=1e-14)
    slope = np.cos(z) / (1 + 0.8 * np.sin(z))
    _, grads = module.loss_and_grad(params, x, t)
    np.testing.assert_allclose(grads.s, np.mean(2 * (x * z - t) * x) * slope[0], rtol=1e-13)


@pytest.mark.parametrize("spec", [spec_of, kepler], ids=["picard", "newton"])
def test_memory_is_that_of_one_step_whatever_their_number(spec: Any) -> None:
    def units(steps: int) -> Any:
        given = spec()
        (name,) = given["equations"]
        given["equations"] = {name: {**given["equations"][name], "steps": steps}}
        stages = stages_of(read(given))
        return stages.plan.work_units, len(stages.text.splitlines())

    assert units(4)[0] == units(4000)[0]
    assert units(2000) == units(4000)  # fewer are made by one thread


def test_what_is_zero_is_taken_out_and_copies_of_copies_with_it() -> None:
    """But no sum of equal terms, which is no copy."""
    i, k = index_symbol("i"), index_symbol("k")
    three, two = Loop(i, Axis(None, 3)), Loop(k, Axis(None, 2))

    def at(name: str) -> sp.Expr:
        return Entry(name, (i,))

    given = {
        "a": sp.sin(at("x")),
        "o": at("a") - stop_gradient(at("a")),
        "b": at("a") + at("o"),
        "c": at("b") + at("o"),
        "d": at("c") * at("b") + at("a"),
    }
    equations = [Equation(name, (i,), (three,), "none", body) for name, body in given.items()]
    equations.append(Equation("s", (i,), (three, two), "sum", at("d") + at("o")))
    tensors = (
        Tensor("x", (three.axis,), "input"),
        *(Tensor(n, (three.axis,), "value") for n in (*given, "s")),
    )
    told = without_vanishing(Program(tensors, tuple(equations), ("s",), None))
    assert str(told) == "c[i] = sin(x[i])\nd[i] = c[i]**2 + c[i]\ns[i] = sum_{k} d[i]"


def test_hidden_tensors_and_the_index_of_steps_take_no_name_of_the_spec() -> None:
    more = {"k": ["batch", 3], "z_step": ["batch", 3]}
    solved = {**PICARD, "solve": f"{NET} + 0.1 * k[n,i] * z_step[n,i]", "steps": 2}
    spec = spec_of(solved, inputs={"x": ["batch", 3], **more})
    stages = stages_of(read(spec))
    assert [e.name for e in stages.model.equations][:2] == ["z_step_2", "z_held"]
    assert stages.model.equations[0].index_names == ("k_2", "n", "i")


BESIDE = {
    "a recurrence in parts": {
        "inputs": {"x": ["batch", 3], "s": ["batch", "T", 2]},
        "axes": {"T": 6},
        "equations": {
            "h[n,t,i]": "tanh(sum(s[n,t,d] * U[d,i], d) + h[n,t-1,i] * b[i])",
            "h[n,-1,i]": 0,
            "z[n,i]": {**PICARD, "solve": f"{NET} + 0.2 * h[n,5,i]", "steps": 5},
        },
        "parameters": {"W": [3, 3], "b": [3], "U": [2, 3]},
        "train": {"steps_at_once": 2, "epochs": 1},
    },
    "dropout above, each step of time by itself": {
        "inputs": {"x": ["batch", 3], "s": ["batch", "T", 3]},
        "axes": {"T": 2},
        "equations": {
            "d": "dropout(s, 0.5)",
            "z[n,t,i]": {
                "solve": "tanh(sum(z[n,t,j] * W[j,i], j) + d[n,t,i] * b[i])",
                "start": "d[n,t,i]",
                "method": "picard",
                "steps": 2,
            },
        },
        "targets": {"t": ["batch", "T", 3]},
    },
    "a network that is called below, too": {
        "networks": {"net(u, v)": ["dense(4, activation=tanh)", "dense(3)"]},
        "parameters": {},
        "equations": {
            "z[:, :3]": {"solve": "net(z, x) / 9", "start": 0, "method": "picard", "steps": 2},
            "y": "net(z, x)",
        },
        "loss": "mean((y - t)**2)",
    },
    "newton of what picard gave, and back": {
        "equations": {
            "z[n,i]": {**PICARD, "steps": 2},
            "w[n,i]": {
                "solve": "w[n,i] - w[n,i]**3 - w[n,i] + z[n,i]",
                "start": "b[i]",
                "method": "newton",
                "steps": 2,
            },
            "v[n,i]": {"solve": "0.3 * sin(v[n,2 - i]) + w[n,i]", "start": 1, "method": "picard", "steps": 2},
        },
        "loss": "mean((v - t)**2)",
    },
}


@pytest.mark.parametrize("more", BESIDE.values(), ids=BESIDE)
def test_judge_agrees_beside_all_else(more: dict[str, Any]) -> None:
    stages = stages_of(read({**spec_of(), "gradients": [], **more}))
    assert identity_of(stages.model, stages.text).state == "identical"


def test_a_solver_beside_recurrences_in_parts_keeps_one_step() -> None:
    def units(steps: int) -> Any:
        more = BESIDE["a recurrence in parts"]
        solved = {"z[n,i]": {**more["equations"]["z[n,i]"], "steps": steps}}
        spec = {**spec_of(), "gradients": [], **more, "equations": {**more["equations"], **solved}}
        return stages_of(read(spec)).plan.work_units

    assert units(8) == units(80)


FAULTS = (
    ("for {k} in range(4):", "for {k} in range(3):"),
    ("z_step_before[{n}, {i}] = z_step[{n}, {i}]", "z_step_before[{n}, {i}] = z_step[0, {i}]"),
    ("z_step_before[{n}, {i}] = real(0)", "z_step_before[{n}, {i}] = real(1)"),
    ("z_held[{n}, {i}] = z_step[{n}, {i}]", "z_held[{n}, {i}] = z_step[0, {i}]"),
    ("dz_move_later[{n}, {i}] = real(0)", "dz_move_later[{n}, {i}] = real(1)"),
    ("(dz_next_1[{n}, {i}] + dz_move_later[{n}, {i}])", "dz_next_1[{n}, {i}]"),
    ("(dz_next_1[{n}, {i}] + dz_move_before[{n}, {i}])", "dz_next_1[{n}, {i}]"),
)


def test_a_whole_matrix_is_solved_for_as_its_entries_are() -> None:
    whole = {"z[:, :3]": {**PICARD, "solve": "tanh(z @ W + x + b)"}}
    found = []
    for spec in (spec_of(), spec_of(equations=whole)):
        module = interpreted(stages_of(read(spec)).text)
        x, t = np.random.default_rng(0).normal(size=(2, 4, 3))
        value, grads = module.loss_and_grad(module.init_params(seed=3), x, t)
        found.append(np.concatenate([[value], module.flatten(grads)]))
    np.testing.assert_allclose(*found, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_judge_finds_a_fault_in_either_loop(right: str, wrong: str) -> None:
    stages = stages_of(read(spec_of({**PICARD, "steps": 5}, gradients=[])))
    assert identity_of(stages.model, planted(stages.text, right, wrong)).is_wrong


NEWTON_FAULTS = (
    ("for {k} in range(7):", "for {k} in range(6):"),
    ("E_rest_move[{n}] = real(1) - ", "E_rest_move[{n}] = real(1) + "),
)


@pytest.mark.parametrize(("right", "wrong"), NEWTON_FAULTS)
def test_judge_finds_a_fault_in_newtons_method(right: str, wrong: str) -> None:
    stages = stages_of(read(kepler()))
    assert identity_of(stages.model, planted(stages.text, right, wrong)).is_wrong


REFUSED = {
    "no start": ({k: v for k, v in PICARD.items() if k != "start"}, "the key 'start' is missing"),
    "no steps at all": ({**PICARD, "steps": 0}, "steps is 0; expected at least 2"),
    "another method": ({**PICARD, "method": "anderson"}, "expected 'picard' or 'newton'"),
    "newton of a system": ({**PICARD, "method": "newton"}, "another of 'z'; write method: picard"),
    "nothing to solve": ({**PICARD, "solve": "x[n,i]"}, "this formula does not read 'z'"),
    "a whole tensor": ({**PICARD, "solve": "tanh(z @ W + x)"}, "here it stands as a whole; give it indices"),
    "too few indices": ({**PICARD, "solve": "z[n] + x[n,i]"}, "'z' has 2 axes, here it has 1 indices"),
    "a start of itself": ({**PICARD, "start": "z[n,i]"}, "the start of 'z' reads 'z'"),
    "an infinite start": ({**PICARD, "start": "-inf"}, "nothing that solves for 'z' may be infinite"),
    "a layer": ({**PICARD, "solve": "dense(z[n,i], 3)"}, "'dense' brings parameters along"),
    "chance": ({**PICARD, "solve": "x[n,i] + z[n,i] * normal()"}, "'normal' draws numbers"),
    "a mode": ({**PICARD, "solve": "training(z[n,i], x[n,i])"}, "training and inference cannot solve"),
    "itself without solve": ("z[n,i] / 2 + x[n,i]", "or solve for it:"),
}


@pytest.mark.parametrize(("solved", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_solved_is_refused(solved: Any, said: str) -> None:
    with pytest.raises((SpecError, ShapeError)) as refusal:
        stages_of(read(spec_of(solved))).formulas  # noqa: B018
    assert said in str(refusal.value)
    assert "equations.z[n,i]" in str(refusal.value)


WHOLE = {
    "no size": (
        "z",
        {**PICARD, "solve": "tanh(z @ W + x)"},
        'so nothing says how large it is; say so on the left: "z[:, :8]"',
    ),
    "newton": ("z[:, :3]", {**PICARD, "solve": "tanh(z) + x", "method": "newton"}, "give each axis an index"),
    "an entry": ("z[:, :3]", {**PICARD, "solve": "z @ W + z[n,0]"}, "as a whole, here it has indices"),
    "both": ("z[:, i]", PICARD, "entry by entry, or as a whole"),
    "several": ("z, w", PICARD, "are several names, and one is solved for"),
}


@pytest.mark.parametrize(("left", "solved", "said"), WHOLE.values(), ids=WHOLE)
def test_what_cannot_be_solved_as_a_whole_is_refused(left: str, solved: Any, said: str) -> None:
    with pytest.raises(SpecError) as refusal:
        read(spec_of(equations={left: solved}))
    assert said in str(refusal.value)


AROUND = {
    "an equation below": {"z[n,i]": {**PICARD, "solve": "a[n,i] + z[n,i] / 2"}, "a[n,i]": "z[n,i] / 3"},
    "a recurrence": {
        "z[n,t,i]": {**PICARD, "solve": "tanh(h[n,t-1,i] + x[n,i] + z[n,t,i])"},
        "h[n,t:3,i]": "h[n,t-1,i] + z[n,t,i]",
        "h[n,-1,i]": 0,
    },
}


@pytest.mark.parametrize("equations", AROUND.values(), ids=AROUND)
def test_what_is_solved_is_no_part_of_a_circle(equations: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"'z', which is solved for, reads '.', which is made of it"):
        stages_of(read(spec_of(equations=equations, targets={}, loss="mean(z**2)"))).formulas  # noqa: B018


SECOND = {
    "hvp": {"derive": ["hvp"]},
    "hessian": {"derive": ["hessian(W)"]},
    "a finish": {"train": {"finish": "newton_cg()", "epochs": 0}},
}


@pytest.mark.parametrize("more", SECOND.values(), ids=SECOND)
def test_second_derivatives_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="no second derivatives are made where 'z' is solved for"):
        stages_of(read(spec_of(**more))).formulas  # noqa: B018


def test_a_hessian_is_not_shown_and_derivatives_are_no_terms() -> None:
    with pytest.raises(SpecError, match="no second derivatives"):
        sg.derive(spec_of()).showing(hessian=True).text()
    equations = {"z[n,i]": PICARD, "y": "d(z, x)"}
    with pytest.raises(SpecError, match="no equation takes a derivative beside that of 'z'"):
        stages_of(read(spec_of(equations=equations))).formulas  # noqa: B018


def test_what_is_not_solved_is_said_with_what_its_last_step_changed() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    point = {"W": np.full((3, 3), 0.2), "b": np.zeros(3)}
    assert not unsolved(read(spec_of()), point, {"x": x})
    (doubt,) = unsolved(read(spec_of({**PICARD, "steps": 3})), point, {"x": x})
    assert isinstance(doubt, SpecWarning)
    assert "'z' is not solved: the last of 3 steps changes it by 0." in str(doubt)
    (doubt,) = unsolved(read(spec_of()), {**point, "W": np.diag([-9.0, 9, -9])}, {"x": x})  # goes to and fro
    half = re.search(r'solve: "(.*)"$', str(doubt))
    assert half is not None
    assert half[1] == "0.5 * z[n,i] + 0.5 * (tanh(sum(z[n, j] * W[j, i], j) + x[n, i] + b[i]))"
    assert read(spec_of({**PICARD, "solve": half[1]})).solved, "it can be pasted"


@pytest.mark.parametrize("large", [False, True])
def test_the_judge_looks_where_equations_are_solved(large: bool) -> None:
    model = stages_of(read(spec_of())).model
    sample = draw(model, "here", 1, large=large)
    assert is_solved(model.spec, interpret(model, sample.arrays, DOUBLE).tensors)
    far = {**sample.arrays, "W": np.diag([-9.0, 9, -9])}
    assert not is_solved(model.spec, interpret(model, far, DOUBLE).tensors)


def test_a_parameter_that_a_solver_begins_with_is_doubted() -> None:
    more = {"parameters": {"W": [3, 3], "b": [3], "c": [3]}}
    (doubt,) = doubts(expand(read(spec_of({**PICARD, "start": "c[i]"}, **more))))
    assert "nothing is learnt of 'c': a solver begins with it" in str(doubt)
    assert not doubts(expand(read(spec_of({**PICARD, "start": "b[i]"}))))


def test_training_says_what_was_not_solved(tmp_path: Path) -> None:
    x, t = np.random.default_rng(0).normal(size=(2, 8, 3))
    for steps, count in ((30, 0), (2, 1)):
        spec = read(spec_of({**PICARD, "steps": steps}))
        module = loaded(written(spec, tmp_path))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            sg.train(spec, module, data={"x": x, "t": t}, progress=False)
        assert sum("is not solved" in str(w.message) for w in said) == count


def test_a_loss_that_changes_within_a_short_step_has_the_slope_of_a_shorter_one() -> None:
    spec = {"name": "steep", "inputs": {"x": []}, "equations": {"y": "sin(1e12 * x)"}, "loss": "y + 2"}
    model = stages_of(read({**spec, "gradients": ["x"]})).model
    slope = Differences(model, {"x": np.array(0.0)}, FIFTY_DIGITS).slope("x", np.array(1.0))
    assert slope.low == pytest.approx(1e12, rel=1e-15)
    assert slope.uncertainty < 1e-15 * slope.low


def learns(spec: Any, data: dict[str, Any], tmp_path: Path, rate: float) -> None:
    """A step against the gradient lowers the loss."""
    module = loaded(written(spec, tmp_path))
    arrays = [data[name] for name in (*module.INPUTS, *module.TARGETS)]
    params = module.init_params(0)
    before, grads = module.loss_and_grad(params, *arrays)
    step = module.unflatten(module.flatten(params) - rate * module.flatten(grads))
    assert module.loss_and_grad(step, *arrays)[0] < before


def test_the_equilibrium_network_learns(tmp_path: Path) -> None:
    text = (EXAMPLES / "equilibrium.yaml").read_text(encoding="utf-8").replace("float32", "float64")
    rng = np.random.default_rng(0)
    data = {"x": rng.uniform(0, 16, size=(3, 64)), "t": rng.integers(0, 10, size=3)}
    learns(text, data, tmp_path, 1e-3)


def test_the_orbit_that_is_drawn_is_learnt(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "solvers")
    runpy.run_path(str(tmp_path / "solvers" / "draw_orbit.py"), run_name="__main__")
    table = np.loadtxt(tmp_path / "solvers" / "orbit.csv", delimiter=",", skiprows=1)
    spec = tmp_path / "solvers" / "kepler.yaml"
    module = loaded(written(spec, tmp_path))
    M, seen, a = table[:, :1], table[:, 1:], 0.0
    for _ in range(25):
        _, grads = module.loss_and_grad(module.unflatten(np.array([a])), M, seen)
        a -= 4 * float(grads.a)
    assert 1 / (1 + np.exp(-a)) == pytest.approx(0.6, abs=0.01)


WHOLE = {"solve": "tanh(z @ W + x)", "start": 0, "method": "picard", "steps": 40}


@pytest.mark.parametrize(
    ("left", "changed", "told"),
    [
        (
            "z",
            {"start": "s"},
            "'z' starts with a number, so nothing says how large it is; .*, as in \"z[:, :8]\"",
        ),
        (
            "z",
            {"start": "b"},
            "'z' is [batch, 3], but [3] where it starts; .* left, \"z[:, :3]\", and start with",
        ),
        ("z", {"solve": "sum(z)", "start": "x"}, "what this gives is []; expected 1 axis or more"),
        ("z[n,i]", {"solve": "z[n,i+1] / 5"}, "give its range: z[n:batch, i:10]"),
        ("z[n,i]", {"solve": "z[n,i] @ W"}, "write the name alone, z, where"),
        ("z[n,i]", {"solve": "tanh(z[n,i] + x[n,i])", "start": "x"}, "each entry of 'z' must be one number"),
        ("z[n,i]", {"solve": "tanh(z[n,i] * x[n,i] + y[n,i])"}, "there are x, t, W, b, s"),
        ("y, z[n]", {}, "side by side in one: y[n, i:2]"),
    ],
)
def test_what_is_wrong_is_said_of_what_the_user_wrote(left: str, changed: dict[str, Any], told: str) -> None:
    """Tensors that stand for an equation are nobody's; what it is mended with can be pasted."""
    parameters = {"W": {"axes": [3, 3], "init": "normal(std=0.3)"}, "b": [3], "s": {"axes": [], "init": 0.5}}
    given = spec_of(None, equations={left: {**WHOLE, **changed}}, parameters=parameters)
    with pytest.raises(SpecError, match=re.escape(told).replace(r"\.\*", ".*")) as found:
        assert stages_of(read(given)).derived
    assert "z_" not in str(found.value)
    for pasted in re.findall(r"left, (?:as in )?.(z\[[^]]*\])", str(found.value)):
        sized = {**WHOLE, **changed}
        fits = pasted.replace("8", "3")  # as what the formula gives
        assert stages_of(read({**given, "equations": {fits: sized}})).text


@pytest.mark.parametrize(
    ("left", "formula", "told"),
    [
        ("z[n,i]", "tanh(z[n,i] + x[n,i])", 'solve for it: "z[n,i]": {solve: ..., start: 0,'),
        (
            "z[m,i]",
            "tanh(z[m,i] + x[m,i])",
            'read the step before, z[m,t-1,i], and give it a start: "z[m,-1,i]": 0',
        ),
        ("z[:, s]", "tanh(z[:, s] + x)", 'read the step before, z[:,s-1], and give it a start: "z[:,-1]": 0'),
        ("z", "tanh(z @ W + x)", 'solve for it: "z[:, :8]": {solve: ..., start: 0,'),
    ],
)
def test_what_reads_itself_is_told_how_its_own_steps_are_written(left: str, formula: str, told: str) -> None:
    with pytest.raises(SpecError, match=re.escape(told)):
        assert stages_of(read(spec_of(None, equations={left: formula}))).derived


@pytest.mark.parametrize(
    ("equations", "told"),
    [
        (
            {"z": {**WHOLE, "start": "t"}},
            "'z' is solved for from the target 't', so nothing made of it is predicted",
        ),
        ({"u": "2 * t", "z": {**WHOLE, "start": "u"}}, "'z' is solved for from the target 't'"),
        (
            {"h[:, k:4]": "tanh(h[:, k-1] @ W + x)", "h[:, -1]": "t", "z": "h[:, 3]"},
            "'h' starts with the target 't'",
        ),
        ({"z": {**WHOLE, "start": "x"}}, ""),
    ],
)
def test_a_start_that_predictions_do_not_have_is_doubted(equations: dict[str, Any], told: str) -> None:
    said = [str(doubt) for doubt in doubts(expand(read(spec_of(None, equations=equations))))]
    found = [each for each in said if "the target" in each]
    assert len(found) == bool(told)
    assert told in "".join(found)
