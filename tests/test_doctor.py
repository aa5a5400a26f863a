"""What the doctor finds here, and what it says where something is wrong. No speed is judged."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad.benchmark import machine_limits as speeds
from symgrad.cli import main
from symgrad.diagnosis import examine, hardware, installed, trial_module
from symgrad.diagnosis.diagnosis_report import Diagnosis, Finding
from symgrad.diagnosis.module_cache import cache
from symgrad.usable_cores import allowed_cores
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(speeds, "_SECONDS", 0.0)
        return sg.doctor()


def named(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    return {(f.topic, f.name): f for f in findings}


def test_this_machine_works(diagnosis: Diagnosis) -> None:
    assert diagnosis.passed
    found = named(diagnosis.findings)
    assert found["versions", "symgrad"].value == VERSION
    assert found["machine", "cores"].number == allowed_cores()
    assert "generated, compiled and verified" in found["trial", "a small module"].value
    for name in ("small product, float32", "large product, float64", "memory", "call of compiled code"):
        assert (found["speed", name].number or 0) > 0
    assert found["BLAS", "SciPy's library"].value
    assert found["cache", "folder"].value.endswith("yours alone")


def test_it_prints_and_can_be_read_by_machines(diagnosis: Diagnosis) -> None:
    assert "symgrad works here" in str(diagnosis)
    record = json.loads(json.dumps(diagnosis.as_dict(), allow_nan=False))
    assert record["passed"]
    assert len(record["findings"]) == len(diagnosis.findings)


def test_the_command(diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "examine", lambda progress: diagnosis)
    answer = CliRunner().invoke(main, ["doctor", "--json"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == diagnosis.as_dict()
    broken = Finding("cache", "folder", "gone", "broken", "make it again")
    monkeypatch.setattr(examine, "examine", lambda progress: Diagnosis((broken,)))
    answer = CliRunner().invoke(main, ["doctor"])
    assert answer.exit_code == 1
    assert answer.stderr == ""
    assert "symgrad cannot work here" in answer.stdout
    assert "make it again" in answer.stdout


def test_a_package_that_is_missing_ends_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = installed._version
    monkeypatch.setattr(installed, "_version", lambda name: None if name == "scipy" else versions(name))
    diagnosis = sg.doctor()
    scipy = named(diagnosis.findings)["versions", "scipy"]
    assert (scipy.verdict, scipy.value) == ("broken", "not installed")
    assert "pip install" in scipy.remedy
    assert not diagnosis.passed
    assert "trial" not in {finding.topic for finding in diagnosis.findings}


def test_a_package_that_cannot_be_imported_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    numba = named(installed.installed())["versions", "numba"]
    assert numba.verdict == "broken"
    assert "cannot be imported" in numba.value


def test_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "usable_cores", lambda: 0)
    threads = named(hardware.blas())["BLAS", "threads"]
    assert threads.verdict == "warning"
    assert "OPENBLAS_NUM_THREADS=0" in threads.remedy


def test_less_time_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for granted in (None, 10_000.0):
        monkeypatch.setattr(hardware, "granted_cores", lambda granted=granted: granted)
        assert ("machine", "time limit") not in named(hardware.processor())
    monkeypatch.setattr(hardware, "granted_cores", lambda: 0.5)
    limit = named(hardware.processor())["machine", "time limit"]
    assert (limit.verdict, limit.value[:9]) == ("warning", "0.5 cores")
    assert "OMP_NUM_THREADS=1" in limit.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="a profile folder is its user's by the system's rules")
def test_a_cache_that_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert [finding.verdict for finding in cache()] == ["fine", "fine"]
    (tmp_path / "symgrad").chmod(0o777)
    (folder,) = cache()
    assert folder.verdict == "broken"
    assert "other users can write" in folder.value
    assert "XDG_CACHE_HOME" in folder.remedy


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (folder,) = cache()
    assert folder.verdict == "broken"


def test_a_module_that_cannot_be_made_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "_SPEC", "inputs: {x: [N, 3]}\nlayers: [no_such_layer()]\n")
    monkeypatch.setattr(trial_module, "_speeds", lambda module: ())
    *_, made = trial_module.trial(lambda _: None)
    assert made.verdict == "broken"
    assert "no_such_layer" in made.value


def test_a_warning_does_not_fail(diagnosis: Diagnosis) -> None:
    first, *others = diagnosis.findings
    warned = Diagnosis((replace(first, verdict="warning", remedy="do this"), *others))
    assert warned.passed
    assert "do this" in str(warned)
