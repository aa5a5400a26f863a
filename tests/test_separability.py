"""Which losses are means over the rows: decided from the equations, compared with their values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corpus import GRAPHS, INDEXED

from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import SpecError
from symgrad.passes.dividing.separability import check_micro_batches, why_no_mean
from symgrad.passes.stabilise import stabilise
from symgrad.spec.expand import expand
from symgrad.spec.model import MicroBatches
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

HEAD = {
    "axes": {"K": 3},
    "inputs": {"x": ["N", 4], "c": [3]},
    "targets": {"t": ["N", "K"]},
    "parameters": {"W": {"axes": [4, 3], "init": "normal(std=1)"}, "b": [3]},
}
MEANS = [
    "mse(y, t)",
    "mse(y, t) + 0.1*l2(W)",
    "mean(sum((y - t)**2, axis=1)) / K + exp(sum(b))",
    "sum((y - t)**2) / N - 3",
    "sum(((y - t) / sqrt(N))**2)",
    "2 * mean(abs(y)) * sum(W**2) + mean(t * c)",
    "mean(logsumexp(y, axis=1)) + mean(max(y, axis=1))",
    "mean(where(y > t, y, t * b))",
    "where(sum(b) > 0, mean(y), mean(t) + sum(W))",
    "sum(mean(y, axis=0))",
    "where(sum(b) > 1, sum(y), 0) / N",
    "sum(W**2)",
    "mean(x @ W)",
]
OTHERS = {
    "mse(y, t, reduction=sum)": "'loss' is a sum over the rows, not their mean",
    "mse(y, t) + sum(t**2)": "'loss' adds terms that grow differently with the number of rows",
    "mse(y, t) + sum(W**2) / N": "'loss' adds terms that grow differently",
    "N * sum(W**2)": "'loss' depends on their number",
    "sqrt(mse(y, t))": "'loss' takes a power of a sum over the rows",
    "log(mean(y**2))": "'loss' puts a sum over the rows into a function",
    "sum(t * (y - t)**2) / sum(t)": "'loss' divides by a sum over the rows",
    "mse(y, t, weights=1 + t**2)": "'loss' divides by a sum over the rows",
    "mean(y) * mean(t)": "'loss' multiplies a sum over the rows",
    "mean((y - mean(y, axis=0))**2)": "'loss' compares rows with a sum over the rows",
    "mean(y / max(t))": "'loss' takes the max over the rows",
    "logsumexp(y)": "'loss' takes the logsumexp over the rows",
    "mean((y @ y.T)**2)": "'loss' pairs rows with other rows",
    "sum(W @ W.T) + mean((y.T @ y)**2)": "'loss' takes a power of a sum over the rows",
    "mean(where(y > mean(y), y, t))": "'loss' compares rows with a sum over the rows",
    "mean(exp(y / N))": "'loss' puts the number of rows into a function",
}


def model_of(spec):
    return expand(read(spec))


def reason(model):
    found = why_no_mean(stabilise(elaborate(model)), model.batch_axis)
    return None if found is None else str(found)


def with_loss(loss):
    return model_of({**HEAD, "equations": {"y": "x @ W + b"}, "loss": loss})


def losses(model, rows=7, piece=3):
    """The loss of a batch, and the mean of its pieces' losses, weighted by their rows."""
    sample = draw(model, "", 3, batch=rows)
    axis = model.batch_axis
    batched = {t.name for t in (*model.spec.inputs, *model.spec.targets) if t.axes[:1] == (axis,)}
    whole = float(interpret(model, sample.arrays, DOUBLE).loss)
    pieces = 0.0
    for start in range(0, rows, piece):
        chosen = slice(start, start + piece)
        arrays = {n: a[chosen] if n in batched else a for n, a in sample.arrays.items()}
        count = min(piece, rows - start)
        pieces += count / rows * float(interpret(model, arrays, DOUBLE).loss)
    return whole, pieces


@pytest.mark.parametrize("loss", MEANS)
def test_a_mean_over_the_rows_is_one(loss):
    model = with_loss(loss)
    assert reason(model) is None
    whole, pieces = losses(model)
    assert pieces == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("loss", OTHERS)
def test_another_loss_is_none_and_the_reason_is_given(loss):
    model = with_loss(loss)
    assert reason(model).startswith(OTHERS[loss])
    whole, pieces = losses(model)
    assert pieces != pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("name", [*GRAPHS, *INDEXED])
def test_the_decision_fits_the_values_of_the_corpus(name):
    model = model_of({**GRAPHS, **INDEXED}[name])
    if not model.batch_axis or name == "batch_axis_twice":
        assert "no axis of rows" in reason(model)
        return
    whole, pieces = losses(model)
    assert (reason(model) is None) == (pieces == pytest.approx(whole, rel=1e-9))


def test_the_equation_that_mixes_rows_is_named():
    equations = {"y": "x @ W + b", "m": "mean(y, axis=0)", "z": "y - m", "unused": "y @ y.T"}
    spec = {**HEAD, "equations": equations, "loss": "mse(z, t)", "outputs": ["z"]}
    assert reason(model_of(spec)) == "'z' compares rows with a sum over the rows"
    assert reason(model_of({**spec, "loss": "mse(y, t)"})) is None, "what the loss does not read is free"


def test_labels_look_up_rows_of_parameters():
    assert reason(model_of(INDEXED["embedding"])) is None


def test_micro_batches_are_refused_where_they_stand():
    model = with_loss("mse(y, t, reduction=sum)")
    program = stabilise(elaborate(model))
    check_micro_batches(model, program)
    pieces = MicroBatches(2, model.spec.at)
    train = replace(model.spec.train, micro_batches=pieces)
    asked = replace(model, spec=replace(model.spec, train=train))
    with pytest.raises(SpecError, match=r"would not be that of the batch: 'loss' is a sum .*; make the loss"):
        check_micro_batches(asked, program)
    check_micro_batches(replace(asked, loss=None), replace(program, loss=None))
