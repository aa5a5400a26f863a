"""Equations that read themselves a step before: what is read, what is made of it, what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted
from planting import planted

from symgrad.compiler.planning.plan import LoopNest
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret

RNN = {
    "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j) + b[i])",
    "h[n,-1,i]": "0",
    "y": "h[:, -1]",
}


def spec_of(equations: dict[str, str], steps: int | None = 4, **more: Any) -> dict[str, Any]:
    """A spec of these equations over x[batch, T, 3]."""
    return {
        "name": "steps",
        "dtype": "float64",
        "axes": {} if steps is None else {"T": steps},
        "inputs": {"x": ["batch", "T", 3]},
        "parameters": {"W": [3, 5], "U": [5, 5], "b": [5]},
        "equations": equations,
        "outputs": ["y"],
        "loss": "mean(y**2)",
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
        **more,
    }


def test_derivative_of_a_recurrence_is_one_the_other_way() -> None:
    """Backpropagation through time as books have it, and one sum over rows and steps for each parameter."""
    derived = stages_of(read(spec_of(RNN))).derived
    found = {e.target: str(e) for e in derived.equations}
    assert found["dh_before"] == "dh_before[n, i, k] = sum_{j} U[k, j]*dh_net[n, i, j]"
    assert found["dU"] == "dU[k, j] = sum_{n, i} dh_net[n, i, j]*h_before[n, i, k]"
    assert found["dW"] == "dW[k, j] = sum_{n, i} dh_net[n, i, j]*x[n, i, k]"
    carried = derived.carried["dh_later"]
    assert str(carried) == "dh_before one step later, 0 at the last"
    assert (carried.source, carried.back, carried.start) == ("dh_before", True, "")


def test_module_is_as_long_whatever_the_number_of_steps() -> None:
    def lines(steps: int) -> int:
        return len(stages_of(read(spec_of(RNN, steps))).text.splitlines())

    assert lines(400) == lines(4000)


def test_inputs_of_all_steps_are_one_product_before_the_loop() -> None:
    text = stages_of(read(spec_of(RNN))).text
    assert "gemm(1, view(x_steps, 0, (4 * batch, 3)), W, 0, view(h_slope, 0, (4 * batch, 5)))" in text


def test_what_a_recurrence_leads_to_at_each_step_is_formed_in_its_loop() -> None:
    """Slopes of gates behind the way forward, and of two sums of pieces the one that goes no further back."""
    stages = stages_of(read(spec_of({"h": "gru(x, 5)", "y": "h[:, -1]"}, 4, parameters={})))
    steps = [step for phase in stages.phases for step in phase.steps if isinstance(step, LoopNest)]
    forward, back = ({e.target for e in step.equations} for step in steps if step.carried)
    assert {"h_r_slope", "h_z_below", "h_q_slope"} <= forward
    assert {"dh_s", "dh_a"} <= back
    assert {"dh_s_1_2", "dh_a_1", "h_a"} <= stages.plan.by_rows
    assert identity_of(stages.model, stages.text).state == "identical"


@pytest.mark.parametrize("layer", ["rnn", "lstm"])
def test_memory_that_another_recurrence_begins_in_stands_no_longer(layer: str) -> None:
    """Layers upon each other: what the second carries may lie where the first wrote."""
    spec = spec_of({"a": f"{layer}(x, 3)", "c": f"{layer}(a, 3)", "y": "c[:, -1]"}, 2, parameters={})
    stages = stages_of(read(spec))
    assert identity_of(stages.model, stages.text).state == "identical"


ACROSS = {
    "h[n,s,t,i]": "tanh(sum(x[n,s,t,d]*W[d,i], d) + sum(h[n,s-1,t,j]*W[j,i], j))",
    "h[n,-1,t,i]": "0",
    "q[n,s,t,i]": "tanh(h[n,s,t,i] + sum(q[n,s,t-1,j]*W[j,i], j))",
    "q[n,s,-1,i]": "h[n,s,0,i]",
    "r[n,s,t,i]": "r[n,s,t-1,i]*h[n,s,t,i] + h[n,s-1,t,i]",
    "r[n,s,-1,i]": "x[n,s,1,i]",
    "y": "q[:, :, -1] + r[:, 1]",
}


def test_recurrences_along_two_axes_of_one_size_lie_each_as_it_goes() -> None:
    """What lies in memory with its steps first is never read as if others came first."""
    spec = spec_of(ACROSS, 3, inputs={"x": ["batch", "T", "T", 3]}, parameters={"W": [3, 3]})
    stages = stages_of(read(spec))
    orders = {t.name: t.order for t in stages.laid_out.tensors}
    assert {orders["q"], orders["q_before"]} == {(2, 0, 1, 3)}
    assert identity_of(stages.model, stages.text).state == "identical"


FAULTS = (
    ("h_before[1 + {t}, {n}, {i}] = h[{n}, {i}]", "h_before[1 + {t}, {n}, {i}] = h[0, {i}]"),
    ("{t} = 4 - 1 - done", "{t} = done"),
    ("h_before[0, {n}, {i}] = real(0)", "h_before[0, {n}, {i}] = real(1)"),
    ("if 0 < {t}:", "if 1 < {t}:"),
)


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_judge_finds_a_fault_in_the_loop(right: str, wrong: str) -> None:
    stages = stages_of(read(spec_of(RNN)))
    assert identity_of(stages.model, planted(stages.text, right, wrong)).is_wrong


def test_judge_agrees_with_a_recurrence_of_two_states_and_a_free_length() -> None:
    equations = {
        "f[n,t,i]": "sigmoid(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j))",
        "c[n,t,i]": "f[n,t,i]*c[n,t-1,i] + (1 - f[n,t,i])*c[n,t-2,i]",
        "h[n,t,i]": "tanh(c[n,t,i])",
        "h[n,-1,i]": "b[i]",
        "c[n,-1,i]": "1",
        "c[n,-2,i]": "tanh(b[i])",
        "y[n,t,i]": "y[n,t+1,i] / 2 + h[n,t,i]",
        "y[n,T,i]": "0",
    }
    stages = stages_of(read(spec_of(equations, None)))
    assert identity_of(stages.model, stages.text).state == "identical"


REFUSED = (
    ({"h[n,t,i]": "h[n,t,i] + W[0,i]*x[n,t,0]"}, "'h' reads itself at its own step"),
    ({"h[n,t,i]": "h[n,t-1,i] + W[0,i]*x[n,t,0]"}, "'h' has no start"),
    (
        {"h[n,t,i]": "h[n,t-1,i-1] + W[0,i]*x[n,t,0]", "h[n,-1,i]": "0", "y": "h"},
        "this index leaves the axis 5 of 'h'",
    ),
    ({"h[n,t,i]": "h[n,t+1,i] + W[0,i]*x[n,t,0]"}, '"h[n,T,i]": 0, where T is the size of that axis'),
    ({**RNN, "c[n,-1,i]": "0"}, "this is a start of 'c', which no equation defines by its indices"),
    (
        {"h[n,t,i]": "W[0,i]*x[n,t,0]", "h[n,-1,i]": "0", "y": "h[:, -1]"},
        "nothing reads 'h' one step before the first",
    ),
    ({**RNN, "h[n,-2,i]": "0"}, "nothing reads 'h' 2 steps before the first"),
    ({"h[n,t,i]": RNN["h[n,t,i]"], "h[n,0,i]": "0"}, "step 0 of 'h' is the first that its equation gives"),
    ({"h[n,t,i]": "h[n,t+1,i] + W[0,i]*x[n,t,0]", "h[n,-1,i]": "0"}, "at a step that comes after its own"),
    ({"h[n,t,i]": "h[n,0,i] + W[0,i]*x[n,t,0]", "h[n,-1,i]": "0"}, "at no step near its own"),
    (
        {"a[n,t,i]": "c[n,t,i]*x[n,t,0]", "c[n,t,i]": "a[n,t,i] + b[i]"},
        "which is made of it, at the same step",
    ),
    ({"h[t,n,i]": "h[t,n-1,i] + W[0,i]*x[n,t,0]", "h[t,-1,i]": "0", "y": "h"}, "from row to row of 'batch'"),
    ({"h[n,t,i]": "h[n,t+1,i] + W[0,i]*x[n,t,0]", "h[n,5,i]": "0", "y": "h"}, "'h' has T steps"),
)


@pytest.mark.parametrize(("equations", "problem"), REFUSED)
def test_what_is_no_recurrence_is_refused(equations: dict[str, str], problem: str) -> None:
    given = equations if "y" in equations else {**equations, "y": "x"}
    with pytest.raises(SpecError, match=re.escape(problem)) as refused:
        _ = stages_of(read(spec_of(given))).text
    assert refused.value.remedy


def test_gradient_of_what_is_made_step_by_step_is_refused() -> None:
    problem = "'h' is made step by step, its gradient is not given"
    with pytest.raises(SpecError, match=problem):
        _ = stages_of(read(spec_of(RNN, gradients=["h"]))).text


DERIVED = {
    "hvp": {**RNN, "h[n,-1,i]": "tanh(b[i])", "y": "tanh(h)"},
    "gauss_newton": {
        "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-2,j]*U[j,i], j))",
        "h[n,-1,i]": "0",
        "h[n,-2,i]": "b[i]",
        "y": "h",
    },
    "per_sample": {**RNN, "h[n,-1,i]": "x[n,0,0]", "y": "h"},
    "jacobian(y, x)": {**RNN, "h[n,-1,i]": "0", "y": "h[:, -1]"},
    "hessian(b)": {
        "s[t:3,i]": "tanh(s[t-1,i]*b[i])",
        "s[-1,i]": "b[i]",
        "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(U[i,j]*h[n,t-1,j], j)*s[t,i])",
        "h[n,-1,i]": "0",
        "y": "h",
    },
}


@pytest.mark.parametrize("asked", DERIVED)
def test_derivatives_beyond_the_gradient(asked: str) -> None:
    """What is carried moves, comes back and stands apart for each row as all else does."""
    spec = spec_of(DERIVED[asked], 3, derive=[asked], parameters={"W": [3, 2], "U": [2, 2], "b": [2]})
    stages = stages_of(read(spec))
    assert identity_of(stages.model, stages.text).state == "identical"


def test_rows_have_no_gradients_of_a_recurrence_that_has_no_rows() -> None:
    spec = spec_of(DERIVED["hessian(b)"], 3, derive=["per_sample"])
    with pytest.raises(SpecError, match="a recurrence has no rows, and what comes back to it is summed"):
        _ = stages_of(read({**spec, "parameters": {"W": [3, 2], "U": [2, 2], "b": [2]}})).text


def test_prediction_asks_for_what_a_recurrence_starts_with() -> None:
    equations = {**RNN, "h[n,-1,i]": "s[n,i]"}
    inputs = {"x": ["batch", "T", 3], "s": ["batch", 5]}
    text = stages_of(read(spec_of(equations, inputs=inputs))).text
    assert 'PREDICTED_FROM = ("x", "s")' in text


def test_networks_of_other_starts_are_other_networks() -> None:
    starts = ("0", "1", "b[i]")
    models = [stages_of(read(spec_of({**RNN, "h[n,-1,i]": start}))).model for start in starts]
    assert len({network_sha256(model) for model in models}) == len(starts)


def test_pieces_of_a_batch_add_up_to_its_step() -> None:
    """With starts by rows and shared; rows that know of each other over the steps are refused."""
    equations = {**RNN, "h[n,-1,i]": "b[i] + x[n,0,0]"}
    rng, found = np.random.default_rng(0), []
    x, point = rng.normal(size=(5, 4, 3)), rng.normal(0, 0.5, 45)
    for more in ({}, {"micro_batch_size": 2}):
        train = {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1, "batch_size": 5, **more}
        stages = stages_of(read(spec_of(equations, train=train)))
        assert identity_of(stages.model, stages.text).state == "identical"
        module = interpreted(stages.text)
        params = module.unflatten(point.copy())
        module.train_step(params, module.init_state(params), x)
        found.append(module.flatten(params).copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    assert abs(found[0] - point).max() > 1e-3


@pytest.mark.parametrize(
    "equations",
    [
        {"h[t,d]": "tanh(mean(x[n,t,d], n) + h[t-1,d])", "h[-1,d]": "0", "y[n,d]": "h[3,d] * x[n,0,d]"},
        {"h[n,t,d]": "tanh(x[n,t,d] + h[n,t-1,d])", "h[n,-1,d]": "mean(x[k,0,d], k)", "y[n,d]": "h[n,3,d]"},
        {"h[t,d]": "mean(x[n,t,d], n) * h[t-1,d]", "h[-1,d]": "1", "y[n,d]": "h[3,d] + x[n,0,d]"},
    ],
)
def test_pieces_are_refused_where_steps_know_of_all_rows(equations: dict[str, str]) -> None:
    train = {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1, "batch_size": 6, "micro_batch_size": 2}
    spec = spec_of({**equations, "z": "y @ W"}, outputs=["z"], loss="mean(z**2)", train=train)
    with pytest.raises(SpecError, match="a gradient summed over micro-batches would not be that"):
        _ = stages_of(read({**spec, "parameters": {"W": [3, 5]}})).text


def test_training_and_inference_are_two_recurrences() -> None:
    """A choice at each step, in a start, and by a state that the steps of training change; beside NumPy."""
    spec = spec_of(
        {
            "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j) + training(b[i], m[i]))",
            "h[n,-1,i]": "training(0.5, m[i])",
            "y": "h[:, -1]",
        },
        state={"m": {"axes": [5], "init": 0.3, "next": "0.9*m + 0.1*mean(y, axis=0)"}},
    )
    stages = stages_of(read(spec))
    assert identity_of(stages.model, stages.text).state == "identical"
    module, rng = interpreted(stages.text), np.random.default_rng(0)
    params, x = module.unflatten(rng.normal(0, 0.5, module.SIZE)), rng.normal(size=(6, 4, 3))

    def last(start: Any, bias: Any) -> Any:
        h = np.zeros((6, 5)) + start
        for step in range(4):
            h = np.tanh(x[:, step] @ params.W + h @ params.U + bias)
        return h

    training, inference = last(0.5, params.b), last(params.m, params.m)
    np.testing.assert_allclose(module.forward(params, x), inference, rtol=1e-13)
    assert module.loss(params, x) == pytest.approx((inference**2).mean(), rel=1e-13)
    assert module.loss_and_grad(params, x)[0] == pytest.approx((training**2).mean(), rel=1e-13)
    expected = 0.9 * params.m + 0.1 * training.mean(axis=0)
    module.train_step(params, module.init_state(params), x)
    np.testing.assert_allclose(params.m, expected, rtol=1e-13)


def test_places_are_not_taken_for_steps_where_there_are_as_many() -> None:
    """What a recurrence leads to is formed in its loop: of each step its own alone."""
    equations = {
        "h[t,i]": "tanh(x[t,i] + sum(h[t-1,j]*U[j,i], j))",
        "h[-1,i]": "0",
        "y[t,i]": "sin(h[i,t]) + 2",
        "z[t,i]": "cos(h[T-1-t,i]) * y[t,i]",
        "w[t,i]": "cos(h[t,i])**2",
    }
    spec = {
        "name": "square",
        "dtype": "float64",
        "axes": {"T": 5},
        "inputs": {"x": ["T", 5]},
        "targets": {"t": ["T", 5]},
        "parameters": {"U": [5, 5]},
        "equations": equations,
        "outputs": ["z", "w"],
        "loss": "mse(z * w, t)",
    }
    stages = stages_of(read(spec))
    assert identity_of(stages.model, stages.text).state == "identical"


CHAINS = (
    (["dense(2)", "gru(4)", "last"], ["W1", "b1", "W2", "U2", "b2", "c2"]),
    (
        [{"repeat": {"times": 2, "layers": ["rnn(1, bidirectional=true)"]}}, "last"],
        ["W1", "U1", "b1", "W_r1", "U_r1", "b_r1", "W2", "U2", "b2", "W_r2", "U_r2", "b_r2"],
    ),
)


@pytest.mark.parametrize(("layers", "named"), CHAINS)
def test_a_chain_takes_the_last_step(layers: list[Any], named: list[str]) -> None:
    spec = {"inputs": {"x": ["batch", 6, 3]}, "targets": {"t": ["batch", 2]}, "layers": layers, "loss": "mse"}
    stages = stages_of(read({"name": "chain", "dtype": "float64", **spec}))
    assert [parameter.name for parameter in stages.model.parameters] == named
    assert len(layers) > 2 or identity_of(stages.model, stages.text).state == "identical"


def test_both_ways_are_said_by_true_or_false() -> None:
    with pytest.raises(SpecError, match="bidirectional: expected true or false"):
        stages_of(read(spec_of({"y": "lstm(x, 3, bidirectional=5)"}, parameters={})))


@pytest.mark.parametrize(
    ("names", "axes"), [("ktu", {}), ("ntu", {"u": 5}), ("ntu", {"n": 2, "u": 5}), ("mTu", {"m": 2})]
)
@pytest.mark.parametrize(("before", "first"), [("-1", "-1"), ("+1", "{T}")])
def test_an_index_may_have_the_name_of_an_axis(
    names: str, axes: dict[str, int], before: str, first: str
) -> None:
    """A start is told from the equation by the place in time alone, whatever the other places are called."""
    if names[1] == "T" and before == "+1":
        names = names.replace("T", "t")
    row, step, unit = names
    first = first.replace("{T}", "T")
    key = f"h[{row},{step},{unit}]"
    formula = f"tanh(sum(x[{row},{step},d]*W[d,{unit}], d) + h[{row},{step}{before},{unit}] + b[{unit}])"
    equations = {key: formula, f"h[{row},{first},{unit}]": "0.5", "y": "h"}
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)
    inputs = {"x": ["n" if "n" in axes else "m" if "m" in axes else "batch", "T", 3]}
    stages = stages_of(read(spec_of(equations, inputs=inputs, axes={"T": 4, **axes})))
    got = interpret(stages.model, {"x": x, "W": w, "U": np.ones((5, 5)), "b": b}, DOUBLE).outputs[0]
    h, expected = np.full((2, 5), 0.5), np.empty((2, 4, 5))
    for time in range(4) if before == "-1" else reversed(range(4)):
        h = expected[:, time] = np.tanh(x[:, time] @ w + h + b)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
