"""Nothing is handed over before it was found to be what its spec says, in Python and on the command line."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import ModuleWarning, NotIdenticalError
from symgrad.judgement import gate
from symgrad.verifier.identity import check, report_rows

SPEC = """
name: planted
inputs: {x: [batch, 3]}
targets: {t: [batch, 2]}
layers: [dense(2)]
loss: mse
"""
REAL = pipeline.emit


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "reports"))
    gate.emitted.cache_clear()


@pytest.fixture
def wrong(monkeypatch):
    """A compiler that halves a gradient."""
    half = "real(2) * t", "real(1) * t"
    monkeypatch.setattr(pipeline, "emit", lambda *given: REAL(*given).replace(*half, 1))


@pytest.fixture
def spec_file(tmp_path):
    file = tmp_path / "planted.yaml"
    file.write_text(SPEC)
    return file


@pytest.mark.usefixtures("wrong")
def test_no_wrong_module_is_written_built_or_trained(spec_file, tmp_path):
    target = tmp_path / "planted.py"
    attempts = (
        lambda: sg.generate(spec_file, target),
        lambda: sg.build(spec_file),
    )
    for attempt in attempts:
        with pytest.raises(NotIdenticalError, match=r"the gradient of \w+ is not the spec's") as refusal:
            attempt()
    assert not target.exists()
    report = Path(str(refusal.value).rsplit(" ", 1)[1])
    kept = report.read_text()
    assert "layers: [dense(2)]" in kept
    assert "real(1) * t" in kept
    assert "the gradient of W1" in kept or "the gradient of b1" in kept


@pytest.mark.usefixtures("wrong")
def test_the_judge_needs_no_gate_before_it_and_opens_none(spec_file, monkeypatch):
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    told = {check.name: check.message for check in sg.verify(spec_file, points=1).checks}
    assert "is not the spec's" in told["identity"]
    with pytest.raises(NotIdenticalError):
        sg.build(spec_file)


@pytest.mark.usefixtures("wrong")
def test_the_command_ends_with_70(spec_file, tmp_path):
    target = tmp_path / "planted.py"
    command = ["generate", str(spec_file), "-o", str(target)]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 70
    assert "a defect of symgrad" in refused.stderr
    assert not target.exists()
    assert CliRunner().invoke(main, [*command, "--no-identity"]).exit_code == 0
    assert target.exists()


@pytest.mark.usefixtures("wrong")
def test_training_writes_no_wrong_module(spec_file, tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    (tmp_path / "rows.csv").write_text("x1,x2,x3,t1,t2\n" + "1,2,3,4,5\n2,1,4,3,6\n" * 3)
    command = ["train", str(spec_file), "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "run")]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 70
    assert "is not the spec's" in refused.stderr
    assert not list(tmp_path.glob("run/*.py"))


@pytest.mark.usefixtures("wrong")
def test_who_asks_for_it_gets_it_unchecked(spec_file):
    assert "real(1) * t" in Path(str(sg.build(spec_file, identity=False).__file__)).read_text()
    with pytest.raises(NotIdenticalError):
        sg.build(spec_file)


def test_what_was_identical_is_not_tried_again(spec_file, tmp_path, monkeypatch):
    sg.generate(spec_file, tmp_path / "first.py")
    monkeypatch.setattr(gate, "_judged", lambda *_: pytest.fail("tried again"))
    sg.generate(spec_file, tmp_path / "second.py")
    assert (tmp_path / "first.py").read_text() == (tmp_path / "second.py").read_text()


def test_what_cannot_be_checked_is_warned_of(spec_file, tmp_path, monkeypatch):
    monkeypatch.setattr("symgrad.verifier.identity.check.LARGEST_WORK", 1)
    with pytest.warns(ModuleWarning, match=r"not compared exactly .* too large: .* symgrad verify"):
        sg.generate(spec_file, tmp_path / "large.py")


def test_what_the_judge_fails_at_is_not_handed_over_but_to_who_asks_for_it(spec_file, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("planted")

    for place in (check, report_rows):
        monkeypatch.setattr(place, "identity_of", fail)
    target = tmp_path / "odd.py"
    command = ["generate", str(spec_file), "-o", str(target)]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 70
    assert "comparing it with its spec failed (ZeroDivisionError: planted)" in refused.stderr
    assert "--no-identity, in Python identity=False" in refused.stderr
    assert not target.exists()
    assert CliRunner().invoke(main, [*command, "--no-identity"]).exit_code == 0
    assert target.exists()


@pytest.mark.usefixtures("wrong")
def test_a_report_that_cannot_be_kept_is_no_obstacle(spec_file, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(NotIdenticalError, match=r"please report it$"):
        sg.generate(spec_file, tmp_path / "m.py")


def test_no_cache_is_no_obstacle(spec_file, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sg.generate(spec_file, tmp_path / "m.py").exists()
