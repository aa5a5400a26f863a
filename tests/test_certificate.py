"""Certificates: balls that hold the exact gradient, written, computed again, and refused where changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import ModuleError, SymgradError
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS

flint = pytest.importorskip("flint")
from symgrad.verifier.certificate.balls import BALLS, Ball, UndecidedError  # noqa: E402  # only with flint

SPEC = """
name: certified
dtype: float64
inputs: {x: [batch, 3]}
targets: {t: [batch, 2]}
layers: ["dense(2, activation=tanh)"]
loss: mse
"""


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("certificate") / "certified.yaml"
    file.write_text(SPEC)
    return file


@pytest.mark.parametrize("name", sorted(SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS))
def test_every_function_encloses_its_value(name):
    for number in (0.625, -0.375) if name not in ("log", "sqrt") else (0.625,):
        ball = BALLS.functions[name](BALLS.array(np.array(number))).item()
        exact = FIFTY_DIGITS.functions[name](FIFTY_DIGITS.array(np.array(number))).item()
        assert abs(ball.value - flint.arb(str(exact))) < 1e-14
        assert float(ball.value.rad()) < 1e-14


def test_products_of_matrices_are_those_of_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    product = BALLS.library.matmul(BALLS.array(a), BALLS.array(b))
    assert np.allclose([[float(e.value.mid()) for e in row] for row in product], a @ b, rtol=1e-14)


def test_what_balls_leave_open_is_not_decided():
    about = Ball(flint.arb(1, 0.5))
    assert about > 0.25
    for compare in (lambda: about > 1.25, lambda: about == 1.0, lambda: about <= 1):
        with pytest.raises(UndecidedError):
            compare()


def test_a_certificate_is_written_and_true_until_it_is_changed(spec_file, tmp_path):
    file = tmp_path / "certificate.json"
    written = CliRunner().invoke(main, ["verify", str(spec_file), "--certify", str(file)])
    assert written.exit_code == 0, written.output
    found = json.loads(file.read_text())
    assert all(block["worst_ulps"] < 50 for block in found["gradients"].values())
    checked = CliRunner().invoke(main, ["verify", str(spec_file), "--certificate", str(file)])
    assert checked.exit_code == 0, checked.output
    entry = found["gradients"]["W1"]["entries"][2]
    for key, other in (("ball", "[1.5 +/- 1e-30]"), ("ulps", entry["ulps"] / 2)):
        before, entry[key] = entry[key], other
        file.write_text(json.dumps(found))
        changed = CliRunner().invoke(main, ["verify", str(spec_file), "--certificate", str(file)])
        assert changed.exit_code == 1
        assert "gradients W1 entries 2" in changed.output
        entry[key] = before


def test_a_wrong_module_has_another_hash_and_other_errors(spec_file, tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    file, module = tmp_path / "certificate.json", tmp_path / "certified.py"
    sg.generate(spec_file, module)
    file.write_text(json.dumps(sg.certify(spec_file, module)))
    assert sg.check_certificate(spec_file, file, module) == []
    half = "real(2) * t", "real(1.9) * t"
    text = module.read_text()
    module.write_text(text.replace(*half, 1))
    assert text != module.read_text()
    untrue = "\n".join(sg.check_certificate(spec_file, file, module))
    assert "module_sha256" in untrue
    assert "gradients" in untrue


def test_no_certificate_is_told(spec_file, tmp_path):
    file = tmp_path / "other.json"
    file.write_text("{}")
    with pytest.raises(ModuleError, match="no certificate"):
        sg.check_certificate(spec_file, file)
    assert Path(file).exists()
    file.write_bytes(b"\xff\xfe")
    for unreadable in (file, tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ModuleError, match="the certificate cannot be read"):
            sg.check_certificate(spec_file, unreadable)
    with pytest.raises(SymgradError, match="time_limit is -1"):
        sg.certify(spec_file, time_limit=-1)
