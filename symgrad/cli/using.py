"""The commands that use what was trained. Each calls one function, imported when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from symgrad.cli.group import FILE, IDENTITY, METRICS, RENAME, SCORE, main

if TYPE_CHECKING:
    from pathlib import Path

MODULE = click.option("--module", type=FILE, help="The module trained.  [the one beside the checkpoint]")


@main.command()
@click.argument("run", type=FILE)
@click.argument("data", type=FILE, required=False)
@click.option("-o", "--output", type=FILE, help="A .csv, .json, .jsonl or .parquet file.  [CSV on stdout]")
@MODULE
@click.option(
    "--generate", type=click.IntRange(min=0), metavar="BYTES", help="Write on so far, without DATA."
)
@click.option("--start", default="\n", help="What the text begins with.  [an empty line]")
@click.option(
    "--temperature", type=float, default=1.0, help="Below 1 for what is likelier; 0: the likeliest."
)
@click.option(
    "--draws",
    type=click.IntRange(min=2),
    help="Mean and spread of so many predictions by chance, as dropout.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Another seed, other draws or text.  [0]"
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON on stdout.")
def predict(
    run: Path,
    data: Path | None,
    output: Path | None,
    module: Path | None,
    generate: int | None,
    start: str,
    temperature: float,
    draws: int | None,
    seed: int,
    as_json: bool,
) -> int:
    """Predict the rows of DATA with what RUN learnt.

    RUN is the folder that train wrote, or a checkpoint in it. DATA is a file as for training, whose
    targets may be missing; rows are treated as those in training were. Of classes the answer is a label and
    the probability of each; of numbers, the numbers. A file larger than memory is read in parts.

    Where training draws, as dropout does, --draws 50 predicts so often by chance: each number is their mean,
    and beside it stands its spread. Without it a prediction is always the same.

    A network that was trained on windows of a text writes a text on with --generate.
    """
    from symgrad.cli.use_run import generate_text, predict_rows
    from symgrad.training.needed_inputs import Draws

    if (data is None) is (generate is None):
        raise click.UsageError("name the file with the rows, or say --generate BYTES")
    if data is None:
        return generate_text(run, module, start, generate or 0, temperature, seed, as_json)
    often = None if draws is None else Draws(draws, seed)
    return predict_rows(run, data, output, module, often, as_json)


@main.command()
@click.argument("run", type=FILE)
@click.argument("data", type=FILE)
@METRICS
@SCORE
@click.option(
    "--picture", type=FILE, help="Draw confusion and calibration, or values and residuals, into this file."
)
@MODULE
@click.option("--json", "as_json", is_flag=True, help="Write the evaluation as JSON on stdout.")
def evaluate(
    run: Path, data: Path, metrics: tuple[str, ...], picture: Path | None, module: Path | None, as_json: bool
) -> int:
    """Measure what RUN learnt on the rows of DATA.

    Loss and accuracy, or R² and RMSE; of classes what each was taken for, and how often probabilities
    come true.
    """
    from symgrad.cli.use_run import evaluate_rows

    return evaluate_rows(run, data, metrics, picture, module, as_json)


@main.command()
@click.argument("run", type=FILE)
@click.argument("file", type=FILE)
@click.option("--spec", type=FILE, help="The spec that was trained.  [the run's own]")
@RENAME
@MODULE
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON on stdout.")
def export(
    run: Path, file: Path, spec: Path | None, rename: dict[str, str], module: Path | None, as_json: bool
) -> int:
    """Write what RUN learnt to FILE for other programs.

    The ending of FILE says of which standard: .onnx has the network, its parameters and the scaling of its
    inputs; .safetensors the parameters.
    """
    from symgrad.cli.use_run import export_run

    return export_run(run, file, spec, rename, module, as_json)


@main.command("import")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, help="The spec to write.  [NAME.yaml for NAME.onnx]")
@click.option("--loss", metavar="LOSS", help="What to train on: mse, softmax_cross_entropy, ...")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@IDENTITY
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON on stdout.")
def import_(
    file: Path, output: Path | None, loss: str | None, force: bool, identity: bool, as_json: bool
) -> int:
    """Write the spec of the network in FILE, which another program made.

    FILE is an ONNX file of dense layers and operations on rows. Beside the spec lie its module, NAME.py,
    and NAME.npz with the parameters, for predict, train --params-from and verify.
    """
    from symgrad.cli.use_run import import_file

    return import_file(file, output, loss, force, identity, as_json)
