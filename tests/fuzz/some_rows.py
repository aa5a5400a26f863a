"""Loss and predictions of random networks on some rows at a time, beside those of all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from fuzz.gradients import GARBAGE, Outcome, module_of, plain
from fuzz.modules import with_garbage
from fuzz.shared import shared_spec
from symgrad.errors import SymgradError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.training.scores.in_pieces import _Rows, loss_of, prediction_of
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
ROUNDING = {"float64": 1e-12, "float32": 1e-4}


def some_rows_spec(random: Random) -> Spec:
    """A network of any kind, as those that ranks share: with labels that do not count, weights, sums."""
    return {**shared_spec(random), "name": "some_rows"}


def judge_some_rows(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The same numbers from one, two and three rows at a time, where the module says that it may be so."""
    own = {k: v for k, v in plain(spec).items() if k not in ("least", "key", "train")}
    try:
        module = module_of(own, by_rows)
        rows = random.randint(2, 7)
        found = draw(expand(read(own)), "", random.randrange(1000), batch=rows).arrays
    except SymgradError:
        return Outcome("unsound")
    inputs = [found[name] for name in module.INPUTS]
    data = [*inputs, *(found[name] for name in module.TARGETS)]
    theta = np.concatenate([np.zeros(0), *(np.ravel(found[name]) for name in module.SHAPES)])
    params = module.unflatten(theta.astype(module.DTYPE)) if module.SHAPES else module.Params()
    loss, predicted = module.loss(params, *data), _flat(module.predict(params, *inputs))
    if not all(np.isfinite(array).all() for array in (np.array(loss), *predicted)):
        return Outcome("unsound")
    near = ROUNDING[str(spec["dtype"])]
    for garbage in GARBAGE:
        with_garbage(module, garbage)
        for most in (1, 2, 3):
            with patch.object(_Rows, "at_once", lambda _, most=most: most):
                mine = loss_of(module, params, data)
                said = _flat(prediction_of(module, params, inputs))
            told = f"{most} of {rows} rows at a time"
            if not np.allclose(mine, loss, rtol=near, atol=near):
                return Outcome("another loss", f"{told}: {mine} for {loss} ({module.LOSS_BY_ROWS})")
            if [a.shape for a in said] != [a.shape for a in predicted]:
                return Outcome("other predictions", f"{told}: of other shapes")
            size = max(float(np.abs(a).max(initial=0)) for a in predicted)
            pairs = zip(said, predicted, strict=True)
            if not all(np.allclose(*pair, rtol=near, atol=near * (1 + size)) for pair in pairs):
                return Outcome("other predictions", told)
    return Outcome("right")


def _flat(said: Any) -> list[Any]:
    return [np.asarray(part) for part in (said if isinstance(said, tuple) else (said,))]
