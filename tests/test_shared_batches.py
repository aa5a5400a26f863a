"""What ranks cannot share is refused where the spec says it, before anything is judged or compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from thread_ranks import TalkingRank, on_groups, on_ranks

import symgrad as sg
from symgrad import pipeline
from symgrad.compiler.loading.cache import cached_file, keep_text
from symgrad.errors import SpecError
from symgrad.judgement import gate
from symgrad.judgement.shared_batches import demand_shared
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """name: coupled
inputs: {x: [batch, 4, 3]}
targets: {t: [batch, 2]}
"""
PAIRS = """equations:
  d: dense(x[:,0], 3)
  "e[n,i]": mean(tanh(d[n,i] - d[p,i]), p)
  y: dense(e, 2)
loss: mse(y, t)
"""
REFUSED = {
    "an equation": (PAIRS, '  "e[n,i]', "'e' pairs rows with other rows"),
    "an equation that training has by another name": (
        PAIRS.replace("d: dense(x[:,0], 3)", "d: dropout(dense(x[:,0], 3), 0.5)"),
        '  "e[n,i]',
        "'e' pairs rows with other rows",
    ),
    "an equation of a network": (
        """networks:
  f(u):
    equations:
      d: dense(u, 3)
      "e[n,i]": mean(tanh(d[n,i] - d[p,i]), p)
      v: dense(e, 2)
equations: {y: "f(x[:,0])"}
loss: mse(y, t)
""",
        '      "e[n,i]',
        "pairs rows with other rows",
    ),
    "what a layer is given": (
        """equations:
  d: dense(x[:,0], 3)
  y: dense(tanh(d @ transpose(d)) @ d, 2)
loss: mse(y, t)
""",
        "  y:",
        "pairs rows with other rows",
    ),
    "what is solved for": (
        """equations:
  a: dense(x[:,0], 2)
  "y[n,i]":
    solve: a[n,i] + 0.1 * mean(tanh(y[n,i] - y[p,i]), p)
    start: 0
    method: picard
    steps: 3
loss: mse(y, t)
""",
        '  "y[n,i]',
        "'y' pairs rows with other rows",
    ),
    "a sum between steps, in its own equation": (
        """equations:
  "h[n,-1,i]": 0
  "m[t,i:3]": mean(h[n,t-1,i], n)
  "h[n,t,i:3]": tanh(x[n,t,i] + 0.5 * h[n,t-1,i]) - m[t,i]
  y: dense(h[:,-1], 2)
loss: mse(y, t)
""",
        '  "m[t',
        "'m' has a sum over the rows",
    ),
    "a sum between steps, within another": (
        """equations:
  d: dropout(x, 0.5)
  "h[n,-1,i]": 0
  "h[n,t,i:3]": tanh(d[n,t,i] + 0.5 * h[n,t-1,i]) - mean(h[p,t-1,i], p)
  y: dense(h[:,-1], 2)
loss: mse(y, t)
""",
        '  "h[n,t',
        "'h' has a sum over the rows",
    ),
    "the loss": (
        """equations: {y: "dense(x[:,0], 2)"}
loss: mse(y, t) + mean((y @ transpose(y))**2)
""",
        "loss:",
        "'loss' pairs rows with other rows",
    ),
}
SHARED = HEAD + PAIRS.replace("mean(tanh(d[n,i] - d[p,i]), p)", "d[n,i] - mean(d[p,i], p)")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    gate.emitted.cache_clear()
    return tmp_path / "cache"


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_where_the_spec_says_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a module that is kept too, of which nothing is derived again."""
    equations, beginning, reason = REFUSED[name]
    spec = read(HEAD + equations)
    with pytest.raises(SpecError) as refused:
        demand_shared(spec)
    assert reason in refused.value.problem
    line = next(n for n, text in enumerate(spec.text.splitlines(), 1) if text.startswith(beginning))
    assert refused.value.at.line == line
    keep_text(spec, gate.emitted(spec).text)
    gate.emitted.cache_clear()
    monkeypatch.setattr(pipeline, "stages_of", lambda _: pytest.fail("derived again"))
    with pytest.raises(SpecError) as again:
        demand_shared(spec)
    assert str(again.value) == str(refused.value)


def test_what_concerns_no_equation_is_refused_at_the_loss() -> None:
    rowless = (HEAD + "equations: {y: 'dense(x[:,0], 2)'}\nloss: mse(y, t)\n").replace("batch", "5")
    with pytest.raises(SpecError, match=r":5:7: ranks cannot share .*no axis of rows"):
        demand_shared(read(rowless))


def talking(rank: Any) -> TalkingRank:
    return TalkingRank(rank.rank, rank.board, rank.barrier)


@pytest.mark.parametrize("identity", [True, False])
def test_no_rank_judges_or_loads_a_module_that_they_cannot_share(
    identity: bool, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One derives it; all end with its error."""
    emitted, emit = [], pipeline.emit
    monkeypatch.setattr(pipeline, "emit", lambda *given: emitted.append(1) or emit(*given))
    monkeypatch.setattr(gate, "admitted", lambda *_: pytest.fail("judged"))
    monkeypatch.setattr("symgrad.ranks.patient_comm.PatientComm", talking)
    errors: list[str] = []

    def trial(rank: Any) -> None:
        with pytest.raises(SpecError) as refused:
            sg.train(HEAD + PAIRS, comm=rank, identity=identity)
        errors.append(str(refused.value))

    on_ranks(3, trial)
    assert len(errors) == 3
    assert all("6:4: ranks cannot share the rows of a batch: 'e' pairs" in error for error in errors)
    assert emitted == [1]
    assert not [*cache.rglob("*.py")]


def test_plan_compiles_nothing_that_ranks_cannot_share(cache: Path) -> None:
    told: list[str] = []
    with pytest.raises(SpecError, match="6:4: ranks cannot share the rows of a batch: 'e' pairs"):
        sg.plan(HEAD + PAIRS, random=True, progress=told.append)
    assert "compiling the module" not in told
    assert not [*cache.rglob("*.py")]


def test_what_ranks_can_share_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    emitted, emit = [], pipeline.emit
    monkeypatch.setattr(pipeline, "emit", lambda *given: emitted.append(1) or emit(*given))
    spec = read(SHARED)
    demand_shared(spec)
    cached_file(spec, gate.checked_text)
    demand_shared(spec)
    assert emitted == [1]


def test_where_the_first_rank_fails_no_other_begins() -> None:
    begun: list[int] = []

    def trial(ranks: Any) -> None:
        def fail() -> None:
            begun.append(ranks.rank)
            raise SpecError("no")

        with pytest.raises(SpecError, match="no"):
            ranks.after_first(fail)

    on_groups(3, trial)
    assert begun == [0]
