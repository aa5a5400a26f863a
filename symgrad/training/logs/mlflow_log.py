"""Epochs as metrics of a run of MLflow."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError, DataWarning, ModuleError, how_to_install, warn
from symgrad.files import write_whole
from symgrad.training.records.history import row_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from symgrad.training.records.history import EpochRecord
    from symgrad.training.scores.metrics import ScoreName

RUN_FILE = "mlflow.json"
_ENDS = {"diverged": "FAILED", "callback failed": "FAILED", "interrupted": "KILLED", "": "FAILED"}
_REMEDY = "MLFLOW_TRACKING_URI says where MLflow keeps its runs; see its documentation"


def client_parts() -> tuple[Any, Any]:
    """MLflow's client and its metric. Raises ModuleError where MLflow is missing."""
    try:
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        remedy = how_to_install("mlflow")
        raise ModuleError(f"MLflow cannot be loaded: {error}", at="log", remedy=remedy) from None
    return MlflowClient, Metric


class MlflowLog:
    """A run in the experiment that is called as the spec: its settings, and every column of the history.

    It goes where MLflow is told by MLFLOW_TRACKING_URI. `mlflow.json` in the folder remembers which run it
    is, so that a training that goes on adds to the same one, and no epoch twice.

    Raises:
        ModuleError: MLflow is missing.
        DataError: MLflow cannot be reached, or keep a run there.
    """

    def __init__(
        self,
        folder: Path,
        score_name: ScoreName,
        records: Sequence[EpochRecord],
        experiment: str,
        settings: Mapping[str, Any],
    ) -> None:
        self.score_name, (client, self.metric) = score_name, client_parts()
        self.is_broken = False
        try:
            self.client = client()
            self.run = self._known(folder / RUN_FILE) if records else ""
            if not self.run:
                self.run = self._new(folder, experiment, settings)
            found = self.client.get_metric_history(self.run, "loss")
            self.logged = {point.step for point in found}
            self.client.update_run(self.run, status="RUNNING")
        except Exception as error:  # noqa: BLE001  # whatever its stores raise
            problem = f"MLflow keeps no run: {_first_line(error)}"
            raise DataError(problem, at=experiment, remedy=_REMEDY) from None
        for record in records:
            self.add(record)

    def add(self, record: EpochRecord) -> None:
        """Send an epoch, unless it is there already, made before this run was stopped. A failure is warned
        of once."""
        if record.epoch in self.logged or self.is_broken:
            return
        now = int(1000 * time.time())
        row = row_of(record, self.score_name)
        points = [
            self.metric(name, float(value), now, record.epoch)
            for name, value in row.items()
            if value is not None and name != "epoch"
        ]
        self._told(lambda: self.client.log_batch(self.run, metrics=points))
        self.logged.add(record.epoch)

    def close(self, reason: str) -> None:
        """Say how the run ended."""
        if not self.is_broken:
            self._told(lambda: self.client.set_terminated(self.run, _ENDS.get(reason, "FINISHED")))

    def _told(self, say: Any) -> None:
        try:
            say()
        except Exception as error:  # noqa: BLE001  # whatever its stores raise
            self.is_broken = True
            remedy = "training goes on without it; resumed later, it sends what is missing"
            warn(DataWarning(f"MLflow: {_first_line(error)}", at=self.run, remedy=remedy))

    def _known(self, file: Path) -> str:
        """The run that this training wrote before, if it is there still."""
        try:
            return str(self.client.get_run(json.loads(file.read_text())["run_id"]).info.run_id)
        except Exception:  # noqa: BLE001  # whatever its stores raise
            return ""

    def _new(self, folder: Path, experiment: str, settings: Mapping[str, Any]) -> str:
        found = self.client.get_experiment_by_name(experiment)
        where = found.experiment_id if found else self.client.create_experiment(experiment)
        run = str(self.client.create_run(where, run_name=folder.name).info.run_id)
        for name, value in settings.items():
            self.client.log_param(run, name, value)
        write_whole(folder / RUN_FILE, json.dumps({"experiment": experiment, "run_id": run}).encode() + b"\n")
        return run


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
