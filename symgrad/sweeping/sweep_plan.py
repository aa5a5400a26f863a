"""What a sweep was told: all that its trials follow from, as its journal keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.spec.reader import read, source_of
from symgrad.sweeping.sampling.samplers import SamplerName
from symgrad.sweeping.sweep_metrics import SweepMetric
from symgrad.sweeping.varied.sweep_axes import ListedValues, SweepAxis, ValueRange

if TYPE_CHECKING:
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class SweepPlan:
    """The spec, what is varied in it, how, and what trials are compared by.

    `data` replaces the spec's. The same `threads` give the same bits.
    """

    spec: Spec
    axes: tuple[SweepAxis, ...]
    sampler: SamplerName
    trials: int
    seed: int
    metric: SweepMetric
    data: Path | None
    threads: int

    def record(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        path = self.spec.path
        return {
            "spec": source_of(self.spec),
            "name": self.spec.name,
            "spec_path": None if path is None else str(path.absolute()),
            "axes": [{"kind": type(axis).__name__, **asdict(axis)} for axis in self.axes],
            "sampler": self.sampler,
            "trials": self.trials,
            "seed": self.seed,
            "metric": asdict(self.metric),
            "data": None if self.data is None else str(self.data.absolute()),
            "threads": self.threads,
        }


def plan_of(record: dict[str, Any]) -> SweepPlan:
    """The plan that a record is of. Raises KeyError, TypeError or ValueError where it is of none."""
    path = record["spec_path"]
    spec = replace(read(record["spec"]), path=None if path is None else Path(path), name=record["name"])
    return SweepPlan(
        spec=spec,
        axes=tuple(map(_axis, record["axes"])),
        sampler=record["sampler"],
        trials=int(record["trials"]),
        seed=int(record["seed"]),
        metric=SweepMetric(**record["metric"]),
        data=None if record["data"] is None else Path(record["data"]),
        threads=int(record["threads"]),
    )


def _axis(record: dict[str, Any]) -> SweepAxis:
    kind, rest = record["kind"], {name: value for name, value in record.items() if name != "kind"}
    return (
        ValueRange(**rest)
        if kind == ValueRange.__name__
        else ListedValues(rest["path"], tuple(rest["values"]))
    )
