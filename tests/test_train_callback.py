"""What is called after every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from building import interpreted, written

import symgrad as sg

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.records.history import EpochRecord

SPEC: dict[str, Any] = {
    "name": "line",
    "inputs": {"x": ["n", 1]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(1)"],
    "loss": "mse",
    "train": {"epochs": 30},
}


def test_a_callback_sees_every_epoch_and_ends_training(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    def after_epoch(record: EpochRecord, params: Any) -> bool:
        seen.append((record.epoch, float(params.W1[0, 0])))
        params.W1[:] = 1e6  # a copy: training goes on as if nothing had happened
        return record.epoch == 3

    module = interpreted(written(SPEC, tmp_path))
    data = {"x": [[0.0], [1], [2], [3]], "t": [[1.0], [3], [5], [7]]}
    run = sg.train(SPEC, module, data=data, after_epoch=after_epoch, progress=False)
    alone = sg.train(SPEC, module, data=data, epochs=3, progress=False)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert run.stop_reason == "callback"
    assert "as the callback asked" in str(run)
    assert seen[-1][1] == float(alone.checkpoint.fitted.W1[0, 0]) == float(run.checkpoint.fitted.W1[0, 0])
