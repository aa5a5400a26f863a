"""Specs that once went wrong, each right now: at the points and with the values that tests/cases gives.

Right values are from mpmath or by hand; a case without a point is compared with the oracle of tests/fuzz at
random ones.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz.gradients import GARBAGE, module_of
from fuzz.judge import judge
from fuzz.modules import with_garbage
from ruamel.yaml import YAML

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
CASES: dict[str, dict[str, Any]] = {
    f"{path.stem}-{name}": case for path in FILES for name, case in YAML(typ="safe").load(path).items()
}
AT_A_POINT = [name for name, case in CASES.items() if "at" in case]
AT_RANDOM = [name for name, case in CASES.items() if "at" not in case]


def spec_of(name: str) -> dict[str, Any]:
    return {"name": "case", **CASES[name]["spec"]}


@pytest.mark.parametrize("name", AT_RANDOM)
def test_the_module_is_right_at_random_points(name: str) -> None:
    by_rows = len(name) % 2 == 1
    outcome = judge(spec_of(name), Random(name), by_rows, limit=60)
    assert outcome.kind == "right", outcome


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("name", AT_A_POINT)
def test_the_module_is_right_at_its_point(name: str, by_rows: bool) -> None:
    case, spec = CASES[name], spec_of(name)
    module = module_of(spec, by_rows)
    good = 1e-13 if spec["dtype"] == "float64" else 1e-6
    data = [np.array(case["at"][n], module.DTYPE) for n in (*module.INPUTS, *module.TARGETS)]
    params = module.Params(*(np.reshape(case["at"][n], shape) for n, shape in module.SHAPES.items()))
    for garbage in GARBAGE:
        with np.errstate(all="ignore"):
            with_garbage(module, garbage)
            value, grads = module.loss_and_grad(params, *data)
            slopes = grads._asdict()
            if "gradients" in spec:
                slopes |= module.input_gradients(params, *data)._asdict()
        np.testing.assert_allclose(value, case["value"], good, err_msg="value")
        for wanted, slope in case.get("gradients", {}).items():
            np.testing.assert_allclose(slopes[wanted], slope, good, err_msg=wanted)
