"""The command that proves: its table, and what it says of what is wrong."""

from __future__ import annotations

import sys

import pytest
from corpus import CORPUS

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

pytest.importorskip("flint")
from proofs.__main__ import main  # only with flint
from proofs.proving import _bounds

WIDE = {**CORPUS["loss_mse"], "layers": ["dense(24, activation=tanh)", "dense(3)"]}


def test_two_rows_are_proved(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["proofs", "xor", "loss_mse"])
    assert main() == 0
    xor, mse, *rest = [line for line in capsys.readouterr().out.splitlines()[1:] if line]
    for row, name in ((xor, "xor"), (mse, "loss_mse")):
        assert row.split()[:2] == [name, "identical"]
        assert {"kept", "certified"} <= set(row.split())
    assert [line.split()[0] for line in rest] == ["identity", "bounds", "certificate"]


def test_what_is_read_before_it_is_written_is_told() -> None:
    spec = read(WIDE)
    model, text = expand(spec), module_text(spec)
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("    gemm("))
    assert _bounds(model, text) == "kept"
    assert _bounds(model, "\n".join([*lines[:place], *lines[place + 1 :]])).startswith("WRONG")
