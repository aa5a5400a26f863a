"""Mean losses per row, of which those of more rows are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeanLoss:
    """The mean `loss` per row of so many `rows`."""

    loss: float = 0.0
    rows: int = 0

    def joined(self, other: MeanLoss) -> MeanLoss:
        """That of all rows of both; no sum, which may be infinite where the mean is not."""
        rows = self.rows + other.rows
        return MeanLoss(self.loss * (self.rows / rows) + other.loss * (other.rows / rows), rows)
