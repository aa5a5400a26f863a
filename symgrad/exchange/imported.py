"""What an import has written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.displayed import Displayed

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, repr=False)
class Import(Displayed):
    """The files written. `difference` is how far the spec's answers are from ONNX Runtime's."""

    spec: Path
    module: Path
    checkpoint: Path
    parameters: int
    difference: float | None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        compared = (
            "not compared with ONNX Runtime: the network gives no numbers on random data"
            if self.difference is None
            else f"ONNX Runtime agrees to {self.difference:.1e}"
        )
        lines = [f"wrote {self.spec} ({self.parameters:,} parameters; {compared})", *self.notes]
        return "\n".join([*lines, f"wrote {self.module}", f"wrote {self.checkpoint}"])

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        files = {"spec": str(self.spec), "module": str(self.module), "checkpoint": str(self.checkpoint)}
        numbers = {"parameters": self.parameters, "difference": self.difference}
        return {**files, **numbers, "notes": list(self.notes)}
