"""Recurrences in parts: the same numbers from less memory, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted, with_garbage
from planting import planted

from symgrad.compiler.planning.residuals import memory_use
from symgrad.errors import SpecError
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

TANH = "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j))"
CASES: dict[str, dict[str, Any]] = {
    "layers upon each other": {
        "layers": ["lstm(4)", "gru(3)", "dense(2)"],
        "targets": {"y": ["batch", 6, 2]},
    },
    "both ways, ends of rows": {
        "inputs": {"x": ["batch", 6, 3], "m": ["batch"]},
        "equations": {"h": "gru(x, 3, lengths=m, bidirectional=true)", "z": "last(h, lengths=m)"},
        "loss": "mean(z**2)",
    },
    "what is drawn": {
        "layers": ["rnn(4)", "dropout(0.4)", "lstm(3)", "last", "dropout(0.4)", "dense(1)"],
        "targets": {"y": ["batch", 1]},
    },
    "two steps before, a start that is learnt, gradients of data": {
        "parameters": {"W": [3, 4], "U": [4, 4], "b": [4]},
        "equations": {
            "h[n,t,i]": f"{TANH} - 0.5*h[n,t-2,i]*q[n,t-1,i]",
            "q[n,t,i]": "sin(h[n,t,i]) + 0.3*q[n,t-1,i]",
            "h[n,-1,i]": "b[i]",
            "h[n,-2,i]": "sin(b[i])*x[n,0,0]",
            "q[n,-1,i]": "0",
            "r[n,t,i]": "r[n,t+1,i]*h[n,t,i] + q[n,t,i]",
            "r[n,T,i]": "1",
        },
        "loss": "mean(r**2) + mean(h[:, -1]**3)",
        "gradients": ["x"],
    },
    "two steps before of another, which goes on by itself": {
        "parameters": {"W": [3, 4], "U": [4, 4]},
        "equations": {
            "q[n,t,i]": "sin(sum(x[n,t,d]*W[d,i], d) + 0.3*q[n,t-1,i])",
            "q[n,-1,i]": "0.5",
            "q[n,-2,i]": "0.2",
            "h[n,t,i]": f"{TANH} - 0.5*q[n,t-1,i]*q[n,t-2,i]",
            "h[n,-1,i]": "0",
        },
        "loss": "mean(h**2) + mean(q**3)",
    },
    "a state, pieces of time": {
        "axes": {"rows": 5, "T": 6},
        "inputs": {"x": ["rows", "T", 3]},
        "parameters": {"W": [3, 4], "U": [4, 4]},
        "state": {"h0": {"axes": ["rows", 4], "init": 0, "next": "h[:, -1]"}},
        "equations": {"h[n,t,i]": TANH, "h[n,-1,i]": "h0[n,i]"},
        "loss": "mean(h**2)",
    },
    "pieces of the batch": {
        "layers": ["lstm(4)", "last", "dense(1)"],
        "targets": {"y": ["batch", 1]},
        "train": {"micro_batch_size": 2},
    },
}


def stages(case: dict[str, Any], parts: int | str | None = None) -> Stages:
    own = {"steps_at_once": parts} if parts else {}
    begun = {"name": "parted", "dtype": "float64", "axes": {"T": 6}, "inputs": {"x": ["batch", "T", 3]}}
    loss = {"loss": "mse"} if "layers" in case else {}
    return stages_of(read({**begun, **loss, **case, "train": {**case.get("train", {}), **own}}))


def answers(found: Stages, steps: int = 6) -> list[np.ndarray]:
    """The loss, all gradients and a step of training of a module, in memory full of garbage."""
    size_of = {"T": steps}
    module = with_garbage(interpreted(found.text), 1e300)
    rng, program = np.random.default_rng(3), found.derived
    data = [
        rng.integers(0, steps + 1, 5) if tensor.name == "m" else rng.normal(size=shape)
        for tensor in (*program.of_kind("input"), *program.of_kind("target"))
        for shape in ([axis.size or size_of.get(str(axis.name), 5) for axis in tensor.axes],)
    ]
    params = module.unflatten(rng.normal(0, 0.5, module.SIZE))
    loss, gradient = module.loss_and_grad(params, *data)
    given = module.input_gradients(params, *data) if found.model.spec.gradients else ()
    found_step = module.train_step(params, module.init_state(params), *data)
    return [np.ravel(a) for a in (loss, *gradient, *given, found_step, module.flatten(params))]


@pytest.mark.parametrize("name", CASES)
def test_parts_give_what_the_whole_gives(name: str) -> None:
    """The last part has as many steps as the others, fewer, or one."""
    rights = answers(stages(CASES[name]))
    for size in (4, 5):
        for ours, right in zip(answers(stages(CASES[name], size)), rights, strict=True):
            np.testing.assert_allclose(ours, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["both ways, ends of rows", "two steps before, a start that is learnt"])
def test_parts_of_as_many_steps_as_the_data_have(name: str) -> None:
    case = {**next(case for key, case in CASES.items() if key.startswith(name)), "axes": {}}
    if "ends of rows" in name:
        case["inputs"] = {"x": ["batch", "T", 3], "m": ["batch"]}
    whole, parted = stages(case), stages(case, 3)
    for steps in (2, 3, 4, 7):
        for ours, right in zip(answers(parted, steps), answers(whole, steps), strict=True):
            np.testing.assert_allclose(ours, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in CASES if "upon" in name or "by itself" in name])
def test_judge_finds_parts_identical(name: str) -> None:
    found = stages(CASES[name], 2)
    assert identity_of(found.model, found.text).state == "identical"


def test_judge_reads_parts_of_more_steps_than_there_are() -> None:
    """The last part hands nothing on, so none of its steps is read that it does not have."""
    found = stages({**CASES["two steps before, a start that is learnt, gradients of data"], "axes": {}}, 10)
    assert identity_of(found.model, found.text).state == "identical"


FAULTS = (
    (
        "h_before[0, {n}, {i}] = h_before_begun[{p}, {n}, {i}]",
        "h_before[0, {n}, {i}] = h_before_begun[0, {n}, {i}]",
    ),
    ("h_before_again[0, {n}, {i}] = h_before_begun[{p}, {n}, {i}]", "h_before_again[0, {n}, {i}] = real(0)"),
    (
        "h_before_begun[1 + {p}, {n}, {i}] = h_before_ended[{n}, {i}]",
        "h_before_begun[1 + {p}, {n}, {i}] = h_before[0, {n}, {i}]",
    ),
    (
        "dh_later_begun[{n}, {i}] = dh_later_ended[{n}, {i}]",
        "dh_later_begun[{n}, {i}] = dh_later[0, {n}, {i}]",
    ),
    ("{t} = 2 - 1 - done_", "{t} = done_"),
    ("dW[:] = 0", "dW[:] = 1"),
)


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_judge_finds_a_fault_in_a_part(right: str, wrong: str) -> None:
    equations = {"h[n,t,i]": TANH, "h[n,-1,i]": "0", "z": "h[:, -1]"}
    case = {
        "parameters": {"W": [3, 4], "U": [4, 4]},
        "equations": equations,
        "outputs": ["z"],
        "loss": "mean(z**2)",
    }
    found = stages(case, 2)
    assert identity_of(found.model, planted(found.text, right, wrong)).is_wrong


DERIVED = {
    "hvp": "hvp",
    "gauss_newton(h)": "gauss_newton",
    "per_sample": "per_sample_grad",
    "hessian(U)": "hessian",
    "jacobian(z, U)": "jacobian",
}


@pytest.mark.parametrize("asked", DERIVED)
def test_derivatives_beyond_the_gradient_are_the_same_in_parts_and_need_less(asked: str) -> None:
    equations = {"h[n,t,i]": TANH, "h[n,-1,i]": "0", "z": "h[:, -1]"}
    case = {
        "parameters": {"W": [3, 4], "U": [4, 4]},
        "equations": equations,
        "outputs": ["z"],
        "loss": "mean(z**2) + mean(h**4)",
        "derive": [asked],
    }

    def answer(parts: int | None) -> np.ndarray:
        module, rng = with_garbage(interpreted(stages(case, parts).text), 1e300), np.random.default_rng(3)
        params, vector = (module.unflatten(rng.normal(0, 0.5, module.SIZE)) for _ in range(2))
        given = [vector] if asked in ("hvp", "gauss_newton(h)") else []
        found = getattr(module, DERIVED[asked])(params, *given, rng.normal(size=(5, 6, 3)))
        return np.concatenate([np.ravel(a) for a in (found if isinstance(found, tuple) else (found,))])

    def numbers(parts: int | None) -> int:
        (found,) = stages({**case, "axes": {"T": 60}}, parts).further
        return dict(found.plan.work_units)["batch",]

    for parts in (2, 4):
        np.testing.assert_allclose(answer(parts), answer(None), rtol=1e-12, atol=1e-14)
    assert numbers(6) < 0.7 * numbers(None)


def test_only_what_parts_start_with_is_kept_of_their_inside() -> None:
    """Of every step what others read, of every part what it starts with, there; back of one."""
    layers, width = ["lstm(7)", "last", "dense(1)"], 7

    def numbers(steps: int, parts: int | None) -> int:
        case = {"axes": {"T": steps}, "layers": layers, "targets": {"y": ["batch", 1]}}
        return dict(stages(case, parts).plan.work_units)["batch",]

    assert numbers(160, 8) - numbers(80, 8) == 80 * width + 10 * 2 * width
    assert numbers(80, None) > 4 * numbers(80, 8)


def test_about_as_many_steps_as_parts() -> None:
    case = CASES["pieces of the batch"]
    assert stages(case, "auto").in_parts == stages(case, 3).in_parts != stages(case).in_parts


def test_as_few_parts_as_fit_into_memory() -> None:
    """One, 2, 4 and so on; where none fits, what is told to be needed does."""

    def spec(megabytes: float) -> dict[str, Any]:
        case = {"axes": {"T": 33}, "layers": ["lstm(7)", "last"], "targets": {"y": ["batch", 7]}}
        return {**case, "train": {"batch_size": 100, "steps_at_once": {"megabytes": megabytes}}}

    def needed(found: Stages) -> int:
        return memory_use(found.plan, "float64").workspace.of({"batch": 100})

    sizes = [needed(stages({**spec(1), "train": {}}, None if n == 1 else -(-33 // n))) for n in (1, 2, 4)]
    assert sizes == sorted(sizes, reverse=True)
    for size in sizes:
        assert needed(stages(spec((size + 1) / 1e6))) == size
    with pytest.raises(SpecError, match="a step of 100 rows works in") as refused:
        _ = stages(spec(0.01)).text
    least = float(refused.value.problem.split()[-4])
    assert needed(stages(spec(least))) <= least * 1e6


REFUSED = (
    ({"layers": ["rnn(2)"], "axes": {}}, "auto", "how many steps 'h1' has, only the data decide", "give T a"),
    ({"layers": ["dense(2)"]}, 2, "nothing goes on from step to step here", "leave steps_at_once out"),
)


@pytest.mark.parametrize(("case", "parts", "problem", "remedy"), REFUSED)
def test_what_has_no_such_parts_is_refused(case: Any, parts: int, problem: str, remedy: str) -> None:
    """By `inspect` too, which derives and makes no module."""
    with pytest.raises(SpecError, match=re.escape(problem)) as refused:
        _ = stages({"targets": {"y": ["batch", "T", 2]}, **case, "loss": "mse"}, parts).derived
    assert remedy in refused.value.remedy
