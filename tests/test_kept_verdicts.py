"""A verdict is kept of the very text that passed: never of another text, judge or machine, nor damaged."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import symgrad as sg
from symgrad import api
from symgrad.cli import main
from symgrad.judgement import gate, kept_reports, kept_verdicts, verification
from symgrad.judgement.kept_verdicts import Question, keep, kept
from symgrad.verifier.report import Check, GradientEntry, ParameterResult, Report

SPEC = """
name: small
inputs: {x: [batch, 2]}
targets: {t: [batch, 1]}
layers: [dense(1)]
loss: mse
train: {data: rows.csv, epochs: 2}
"""
posix = pytest.mark.skipif(os.name == "nt", reason="folders of a Windows profile are private by themselves")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of verdicts. Modules are run by Python, which is part of what is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "symgrad" / "verdicts"


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SPEC)
    (tmp_path / "rows.csv").write_text("x1,x2,t\n" + "".join(f"{n},{n % 3},{2 * n}\n" for n in range(8)))
    return file


REPORT = Report(
    "small",
    (ParameterResult("W1", (2, 1), 1e-13, 1e-8, "pass", GradientEntry((0, 0), 1.0, 1.5, "at a point"), ""),),
    (Check("identity", "text", float("inf"), 0.0, "no evidence", "too large", "not checked"),),
    ("a note",),
)


@pytest.fixture
def judgements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were judged, by a judge that finds nothing wrong."""
    seen: list[str] = []

    def judge(how: kept_reports.Judgement, file: Path | None, anew: bool) -> Report:
        seen.append(file.read_text() if file else gate.derived_text(how.spec))
        return REPORT

    monkeypatch.setattr(api, "_judged", judge)
    return seen


def test_what_is_written_is_read_again() -> None:
    assert Report.read(REPORT.written()) == REPORT
    assert REPORT.as_dict()["kept"] is None


def test_a_verdict_is_taken_for_the_same_text_alone(spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sg.generate(spec_file, "small.py")
    found = sg.verify(spec_file, module, points=1)
    assert found.passed
    assert not found.kept
    judged: list[Path] = []

    def judge(how: object, file: Path, anew: bool) -> Report:
        judged.append(file)
        return REPORT

    monkeypatch.setattr(api, "_judged", judge)

    def again(**options: object) -> Report:
        return sg.verify(spec_file, module, **{"points": 1, "anew": False, **options})  # type: ignore[arg-type]  # names of options

    once_more = again()
    assert (once_more.parameters, once_more.checks) == (found.parameters, found.checks)
    assert once_more.kept.endswith(f"of the text with SHA-256 {_sha256(module)[:16]}")
    assert f"judged before, on {once_more.kept}" in str(once_more)
    elsewhere = module.rename("other.py")
    assert sg.verify(spec_file, elsewhere, points=1, anew=False).kept
    module = elsewhere
    assert judged == []
    for count, options in enumerate(({"anew": True}, {"points": 2}, {"seed": 1}, {"time_limit": 60.0}), 1):
        assert not again(**options).kept
        assert len(judged) == count
    module.write_text(module.read_text() + "#")
    assert not again().kept
    spec_file.write_text(SPEC.replace("mse", "mae"))
    assert not again().kept


def _sha256(file: Path) -> str:
    return Question(file.read_bytes(), ()).text_sha256


def test_what_is_edited_or_wrong_leaves_no_verdict(
    spec_file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sg.generate(spec_file, "small.py")
    before, text = set(cache.iterdir()), module.read_text()
    door = SimpleNamespace(facts=SimpleNamespace(at=str(module)))
    monkeypatch.setattr(verification, "isolated", lambda *_: nullcontext((door, door)))
    wrong = replace(REPORT, checks=(Check("loss", "loss", 1.0, 0.0, "fail"),))
    for content, found in ((text, wrong), (text + "# edited", REPORT)):
        module.write_text(content)
        monkeypatch.setattr(verification, "verify", lambda *_, found=found, **__: found)
        assert sg.verify(spec_file, module) == found
        assert set(cache.iterdir()) == before
    module.write_text(text)
    sg.verify(spec_file, module)
    assert len(set(cache.iterdir()) - before) == 1


def test_what_passed_whole_passes_the_gate(spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text as emitted, of whose rows none leaves its identity open; any other is judged there."""
    spec, asked, own = sg.read(spec_file), [], gate._judged
    text = gate.derived_text(spec)
    module = Path("small.py")
    door = SimpleNamespace(facts=SimpleNamespace(at=str(module)))
    monkeypatch.setattr(verification, "isolated", lambda *_: nullcontext((door, door)))
    monkeypatch.setattr(gate, "_judged", lambda *given: asked.append(1) or own(*given))
    same = replace(REPORT, checks=(Check("identity", "text", 0.0, 0.0, "pass"),))
    wrong = replace(same, checks=(*same.checks, Check("loss", "loss", 1.0, 0.0, "fail")))
    # What the gate finds by itself is not noted here: only that a text was admitted.
    monkeypatch.setattr(gate, "keep", lambda question, found: found or keep(question, found))
    for content, found, judged in (
        (text, REPORT, 1),
        (text, wrong, 2),
        (f"{text}#", same, 3),
        (text, same, 3),
    ):
        module.write_text(content)
        monkeypatch.setattr(verification, "verify", lambda *_, found=found, **__: found)
        sg.verify(spec_file, module)
        assert gate.admitted(spec, text) == text
        assert len(asked) == judged
    assert sg.generate(spec_file, "other.py").read_text() == text
    assert len(asked) == 3


def test_a_damaged_verdict_is_none(cache: Path) -> None:
    one, other = Question(b"text", ("verify", 1)), Question(b"text", ("verify", 2))
    for question in (one, other):
        keep(question, "found")
        assert kept(question)
    file, foreign = (cache / question.digest[:32] for question in (one, other))
    whole = file.read_bytes()
    damages = [b"", whole[:-2], whole[1:], whole.replace(b"found", b"other"), b"\xff" + whole, b"\n" * 5]
    for damage in (*damages, foreign.read_bytes()):
        file.write_bytes(damage)
        assert kept(one) is None
    file.write_bytes(whole)
    assert kept(one)


def test_another_judge_or_package_judges_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    question = Question(b"text", ("verify",))
    keep(question, "found")
    for name, value in {"VERSION": "0.0", "_version": lambda _: "0.0", "PACKAGE": tmp_path}.items():
        with monkeypatch.context() as changed:
            changed.setattr(kept_verdicts, name, value)
            kept_verdicts._judge_digest.cache_clear()
            assert kept(question) is None
    kept_verdicts._judge_digest.cache_clear()
    assert kept(question)


def test_what_numba_is_told_is_part_of_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept_reports._machine()
    monkeypatch.setenv("NUMBA_OPT", "0")
    assert kept_reports._machine() != before
    monkeypatch.delenv("NUMBA_OPT")
    assert kept_reports._machine() == before
    monkeypatch.setattr("numba.config.DISABLE_JIT", False)
    assert kept_reports._machine() != before


@posix
def test_a_folder_that_others_can_write_is_not_believed(cache: Path) -> None:
    question = Question(b"text", ())
    keep(question, "found")
    cache.parent.chmod(0o722)
    assert kept(question) is None
    keep(question, "found")  # and is no obstacle
    cache.parent.chmod(0o700)
    assert kept(question)


def test_training_judges_a_module_once_unless_it_is_told_to(spec_file: Path, judgements: list[str]) -> None:
    command = ["train", str(spec_file), "--out", "run"]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.stderr
    assert len(judgements) == 1
    keep(_asked(spec_file), REPORT.written())
    again = CliRunner().invoke(main, command)
    assert "1 gradients and 1 other checks: all good, judged on 20" in again.stderr
    assert len(judgements) == 1
    assert CliRunner().invoke(main, [*command, "--verify-anew"]).exit_code == 0
    assert len(judgements) == 2


def _asked(spec_file: Path) -> Question:
    return kept_reports.Judgement(sg.read(spec_file), 3, 0, 120.0).question(Path("run/small.py").read_bytes())
