"""What predict, evaluate, export and import do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from symgrad import api
from symgrad.cli.endings import GOOD, warnings_shown
from symgrad.cli.output import produce, produce_json, produce_report, say
from symgrad.errors import DataError
from symgrad.prediction.continued_text import continued_text
from symgrad.prediction.evaluation_picture import draw_evaluation
from symgrad.prediction.predictions import predictions
from symgrad.prediction.tables import write_table, write_text
from symgrad.prediction.trained import open_trained, spec_of_run

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.needed_inputs import Draws


def predict_rows(
    run: Path, data: Path, output: Path | None, module: Path | None, draws: Draws | None, as_json: bool
) -> int:
    """Write predictions to a file or to stdout. Raises DataError where that file is the data."""
    if output is not None and output.exists() and data.exists() and output.samefile(data):
        raise DataError("these are the data themselves", at=str(output), remedy="choose another file")
    parts = predictions(open_trained(run, module), data, draws=draws)
    if output is None:
        write_text(sys.stdout, parts, ".json" if as_json else ".csv")
        return GOOD
    rows = write_table(output, parts)
    if as_json:
        produce_json({"path": str(output), "rows": rows, "warnings": warnings_shown()})
    else:
        say(f"wrote {output} ({rows:,} {'row' if rows == 1 else 'rows'})")
    return GOOD


def generate_text(
    run: Path,
    module: Path | None,
    start: str,
    length: int,
    temperature: float,
    seed: int,
    as_json: bool,
) -> int:
    """Write on a text."""
    found = continued_text(open_trained(run, module), start.encode(), length, temperature, seed)
    text = found.decode(errors="replace")
    if as_json:
        produce_json({"text": text, "warnings": warnings_shown()})
    else:
        produce(text.removeprefix("\n"))
    return GOOD


def evaluate_rows(
    run: Path, data: Path, metrics: tuple[str, ...], picture: Path | None, module: Path | None, as_json: bool
) -> int:
    """Show an evaluation, and draw it where a picture is asked for."""
    found = api.evaluate(open_trained(run, module), data, metrics)
    if as_json:
        produce_json(found.as_dict() | {"warnings": warnings_shown()})
    else:
        produce_report(found.table())
    if picture is not None:
        draw_evaluation(found, picture)
        say(f"wrote {picture}")
    return GOOD


def export_run(
    run: Path, file: Path, spec: Path | None, names: dict[str, str], module: Path | None, as_json: bool
) -> int:
    """Write a standard file and say how far its answers are from the spec's."""
    trained = open_trained(run, module)
    found = api.export(spec_of_run(run) if spec is None else spec, trained, file, names)
    if as_json:
        produce_json(found.as_dict() | {"warnings": warnings_shown()})
    else:
        say(str(found))
    return GOOD


def import_file(
    file: Path, output: Path | None, loss: str | None, force: bool, identity: bool, as_json: bool
) -> int:
    """Write spec, module and checkpoint, and say how far their answers are from ONNX Runtime's."""
    found = api.import_onnx(file, output, loss=loss, force=force, identity=identity)
    if as_json:
        produce_json(found.as_dict() | {"warnings": warnings_shown()})
    else:
        say(str(found))
    return GOOD
