"""Learning-rate schedules: each against its published formula and PyTorch's, alone and composed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from building import interpreted, judged, written
from golden import FOLDER, compare

from symgrad.elaborate.optimizer import elaborate_optimizer
from symgrad.errors import SpecError
from symgrad.notation.update_rules import update_rule
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import scalar_value

ETA, EPOCHS = 0.1, 10
ALL_EPOCHS = range(EPOCHS)
PYTORCH = {
    "StepLR(step_size=3, gamma=0.5)": "step_decay(3, gamma=0.5)",
    "ExponentialLR(gamma=math.exp(-0.25))": "exponential(decay=0.25)",
    "PolynomialLR(total_iters=10, power=2)": "polynomial(power=2)",
    "PolynomialLR(total_iters=6)": "polynomial(total=6)",
    "CosineAnnealingLR(T_max=10, eta_min=0.01)": "cosine(eta_min=0.01)",
    "LinearLR()": "linear_warmup",
    "LinearLR(start_factor=0.2, total_iters=8)": "linear_warmup(8, start_factor=0.2)",
    "OneCycleLR(max_lr=0.1, total_steps=10)": "one_cycle",
    "OneCycleLR(max_lr=0.1, total_steps=10, anneal_strategy='linear')": "one_cycle_linear",
    "OneCycleLR(max_lr=0.1, total_steps=2)": "one_cycle(total=2)",
    "OneCycleLR(max_lr=0.1, total_steps=10, pct_start=0.45, div_factor=10)": "one_cycle(0.45, div_factor=10)",
}
"""PyTorch's call -> ours, at a learning rate of ETA and EPOCHS planned epochs."""


def spec(schedule, **train):
    return {
        "name": "line",
        "dtype": "float64",
        "inputs": {"x": ["batch", 2]},
        "targets": {"t": ["batch", 1]},
        "layers": ["dense(1)"],
        "loss": "mse",
        "train": {"optimizer": f"sgd({ETA})", "epochs": EPOCHS, "schedule": schedule, **train},
    }


def rates(schedule, epochs=ALL_EPOCHS, steps=0, planned=EPOCHS):
    """The learning rate in some epochs, by the judge."""
    model = expand(read(spec(schedule)))
    given = {"epoch": np.array(epochs, float), "step": steps, "epochs": planned, "learning_rate": ETA}
    names = {name: np.asarray(value, dtype=float) for name, value in given.items()}
    return np.broadcast_to(scalar_value(model.schedule, names, DOUBLE), len(epochs))


def shown(schedule):
    """The line of the update rule that says the learning rate."""
    return update_rule(elaborate_optimizer(expand(read(spec(schedule)))))[0]


def pytorch_rates(call):
    torch = pytest.importorskip("torch")
    name, _, arguments = call.partition("(")
    options = eval(f"dict({arguments}", {"math": math})
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=ETA)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    found = []
    for _ in range(options.get("total_steps", EPOCHS)):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


def test_pytorch_gives_the_golden_rates():
    pytest.importorskip("torch")
    lines = [f"{call}: {' '.join(f'{rate:.10g}' for rate in pytorch_rates(call))}\n" for call in PYTORCH]
    compare("pytorch_schedules.txt", "".join(lines))


@pytest.mark.parametrize("call", PYTORCH)
def test_schedules_are_those_of_pytorch(call):
    lines = dict(line.rsplit(": ", 1) for line in (FOLDER / "pytorch_schedules.txt").read_text().splitlines())
    golden = [float(rate) for rate in lines[call].split()]
    np.testing.assert_allclose(rates(PYTORCH[call], range(len(golden))), golden, rtol=1e-9)


def test_the_lectures_decays():
    k = np.arange(50)
    np.testing.assert_allclose(rates("inverse(decay=0.2)", k), ETA / (1 + 0.2 * k), rtol=1e-14)
    np.testing.assert_allclose(rates("exponential(decay=0.2)", k), ETA * np.exp(-0.2 * k), rtol=1e-14)
    np.testing.assert_allclose(rates("constant", k), ETA)


def test_beyond_their_length_schedules_stay_where_they_ended():
    late = range(EPOCHS, EPOCHS + 3)
    for schedule, end in [("polynomial", 0.0), ("cosine(eta_min=0.01)", 0.01), ("linear_warmup", ETA)]:
        np.testing.assert_allclose(rates(schedule, late), end, atol=1e-17)
    for schedule in ("one_cycle", "one_cycle_linear"):
        np.testing.assert_allclose(rates(schedule, late), ETA / 25e4, rtol=1e-9)


def test_time_may_be_counted_in_steps_and_the_length_be_given():
    by_step = rates("cosine(total=40, k=step)", [3], steps=30)
    np.testing.assert_allclose(by_step, rates("cosine", [30], planned=40))
    np.testing.assert_allclose(rates("cosine", [5], planned=20), rates("cosine(total=20)", [5]))


def test_schedules_compose_in_formulas_and_in_each_other():
    cosine = ETA * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2
    for composed in ("min(1, (step + 1) / 100) * cosine()", "cosine * min(1, (step + 1) / 100)"):
        np.testing.assert_allclose(rates(composed, steps=24), 0.25 * cosine, rtol=1e-14)
    warm = np.minimum(1, 1 / 3 + 2 / 3 * np.arange(10) / 5)
    for composed in (
        "linear_warmup(learning_rate=cosine())",
        "cosine(learning_rate=linear_warmup)",
        "linear_warmup() / learning_rate * cosine()",
    ):
        np.testing.assert_allclose(rates(composed), warm * cosine, rtol=1e-14)
    then = "linear_warmup(2, learning_rate=cosine(total=epochs - 2, k=max(epoch - 2, 0)))"
    after = ETA * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2
    np.testing.assert_allclose(rates(then)[2:], after, rtol=1e-14)


def test_a_branch_may_guard_the_first_step():
    guarded = rates("where(epoch > 0, learning_rate / epoch, learning_rate)")
    np.testing.assert_allclose(guarded, [ETA, *(ETA / k for k in range(1, EPOCHS))])


def test_a_rate_that_is_not_multiplied_twice_is_accepted():
    for schedule in (
        "max(cosine(), 0.001)",
        "where(epoch < 3, linear_warmup(), cosine())",
        "cosine() + 0.01",
    ):
        assert rates(schedule)[0] > 0


@pytest.mark.parametrize("product", ["cosine() * linear_warmup()", "learning_rate * cosine", "cosine()**2"])
def test_a_product_of_two_schedules_is_no_learning_rate(product):
    with pytest.raises(SpecError, match=r"train.schedule.*more than once; pass one schedule to the other"):
        expand(read(spec(product)))


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        ("inverse(decay=0.5)", "0.1/(1 + epoch/2)"),
        ("step_decay(10)", "0.1·10^(−floor(0.1·epoch))"),
        ("polynomial(power=2)", "0.1·(1 − min(1, epoch/epochs))²"),
        ("cosine", "0.05·(1 + cos(π·min(1, epoch/epochs)))"),
        ("max(0.01, learning_rate - step / 1000)", "max(0.01, 0.1 − 0.001·step)"),
        ("where(epoch < 2, where(step < 9, 1, 2), 3)", "((1 if step < 9 else 2) if epoch < 2 else 3)"),
    ],
)
def test_a_schedule_is_shown_as_its_formula(schedule, formula):
    assert shown(schedule) == f"learning_rate ← {formula}"


SCHEDULES = ["step_decay(3)" if name == "step_decay" else name for name in library.schedules]


@pytest.mark.parametrize(
    "schedule",
    [
        *SCHEDULES,
        "one_cycle(k=step, total=30)",
        "where(epoch < 3, min(step, 4), where(step > 9, 1, 2)) / 100",
    ],
)
def test_the_emitted_module_follows_the_formula(schedule, tmp_path):
    report = judged(spec(schedule), tmp_path, compiled=False)
    assert report.passed, report.table()


@pytest.mark.parametrize(
    ("right", "wrong"), [("float(epochs)", "10.0"), ("float(epoch) ", "float(epoch + 1) ")]
)
def test_the_judge_sees_a_wrong_schedule(right, wrong, tmp_path):
    def edit(text):
        assert right in text
        return text.replace(right, wrong)

    report = judged(spec("cosine"), tmp_path, edit, compiled=False)
    assert "schedule" in [check.name for check in report.checks if check.verdict == "fail"]


def test_who_trains_says_how_many_epochs_there_are(tmp_path):
    module = interpreted(written(spec("polynomial"), tmp_path))
    x, t = np.ones((4, 2)), np.ones((4, 1))
    assert module.EPOCHS == EPOCHS

    def after(**time):
        params = module.init_params(0)
        module.train_step(params, module.init_state(params), x, t, **time)
        return module.flatten(params) - module.flatten(module.init_params(0))

    np.testing.assert_allclose(after(epoch=5), after(epoch=0) / 2)
    np.testing.assert_allclose(after(epoch=5, epochs=20), after(epoch=0) * 0.75)
    with pytest.raises(ValueError, match="epochs: expected a whole number from 1"):
        after(epochs=0)
    _, history = module.fit(x, t, epochs=2, shuffle=False)
    params = module.init_params(0)
    state = module.init_state(params)
    losses = [module.train_epoch(params, state, x, t, "full", epoch=k, epochs=2) for k in range(2)]
    assert history == losses


def test_floor_is_for_what_is_never_differentiated():
    with pytest.raises(SpecError, match=r"floor has no slope .* keep it to schedules and updates"):
        expand(read({**spec("cosine"), "loss": "mean((floor(y1) - t)**2)"}))
