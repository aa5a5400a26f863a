"""The commands that make, check and train modules. Each calls one function, imported when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.group import (
    EVERY,
    FILE,
    IDENTITY,
    METRICS,
    RENAME,
    SCORE,
    SECONDS,
    SEED,
    WITH,
    main,
    named_numbers,
)
from symgrad.errors import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (
    *("layers", "activations", "functions", "mathematics", "draws", "noises", "reductions", "arrays"),
    *("derivatives", "states", "losses"),
    *("regularisers", "averages", "parts", "optimizers", "finishes", "schedules", "initializers"),
)
MONITORS = ("gradients",)
LOGS = ("tensorboard", "mlflow")
SAMPLERS = ("grid", "random", "tpe")
FORMS = ("chain", "graph", "index")


@main.command()
@click.argument("spec", type=FILE)
@click.option("-o", "--output", type=FILE, help="The file to write.  [generated/NAME.py or NAME.py]")
@WITH
@IDENTITY
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON on stdout.")
def generate(spec: Path, output: Path | None, derive: tuple[str, ...], identity: bool, as_json: bool) -> int:
    """Write the training module of SPEC.

    It is a Python file that needs NumPy, Numba and SciPy, but not symgrad. Without -o
    it is generated/NAME.py where there is a folder 'generated', else NAME.py.
    """
    from symgrad.cli.actions import generate_module

    return generate_module(spec, output, derive, identity, as_json)


@main.command()
@click.argument("spec", type=FILE)
@click.option("--module", type=FILE, help="The module to check.  [one generated for this]")
@WITH
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON on stdout.")
@click.option(
    "--points", type=click.IntRange(1, 1000), default=3, show_default=True, help="Points to check at."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Draws the points.")
@click.option(
    "--time-limit",
    type=SECONDS,
    default=120.0,
    show_default=True,
    help="Seconds that one call of the module may compute, and as many that it may wait.",
)
@click.option("--certify", type=FILE, help="Write a certificate of the gradient at one point, and no report.")
@click.option("--certificate", type=FILE, help="Compute this certificate again, and make no report.")
def verify(
    spec: Path,
    module: Path | None,
    as_json: bool,
    derive: tuple[str, ...],
    certify: Path | None,
    certificate: Path | None,
    **options: Any,
) -> int:
    """Check the gradients of SPEC's module.

    Its text is run on exact numbers; its answers are compared with differences of the spec's own loss.
    How they were derived plays no part. The module runs in a process of its own, so that it can crash
    or hang without harm. Exit code 1 says that something is wrong, 75 that nothing is known, as the machine
    was too busy or had too little memory.

    A certificate holds, for one point, a ball around every exact entry of the gradient and the module's
    distance from it; it needs what python -m pip install ".[certify]" brings.
    """
    from symgrad.cli.actions import certify_module, check_certificate
    from symgrad.cli.measuring import verify_module

    if certificate is not None:
        return check_certificate(spec, module, certificate, options["time_limit"])
    if certify is not None:
        return certify_module(spec, module, certify, options["seed"], options["time_limit"])
    return verify_module(spec, module, derive, as_json, **options)


@main.command()
@click.argument("spec", type=FILE, required=False)
@click.option("--data", type=FILE, help="Train on this file.  [the spec's train.data]")
@click.option("--epochs", type=click.IntRange(0), help="Passes over the data.  [the spec's]")
@click.option("--seed", type=SEED, help="Draws first values and order.  [the spec's]")
@click.option(
    "--set",
    "hyper",
    multiple=True,
    callback=named_numbers,
    metavar="NAME=NUMBER",
    help="Another hyper-parameter than the spec's, such as optimizer.learning_rate=0.01; may come again.",
)
@click.option("--out", type=FILE, help="The folder to write to.  [runs/NAME]")
@click.option("--module", type=FILE, help="Train this module.  [one generated into the folder]")
@WITH
@click.option("--no-verify", is_flag=True, help="Do not check the gradients first.")
@click.option("--verify-anew", is_flag=True, help="Check them though this very module passed here before.")
@IDENTITY
@click.option("--resume", type=FILE, metavar="RUN", help="Go on with the training in this folder.")
@EVERY
@click.option("--params-from", type=FILE, help="Start from the parameters of a checkpoint that fit.")
@RENAME
@click.option(
    "--freeze", multiple=True, metavar="NAME", help="Leave this parameter as it is; may come again, as 'b*'."
)
@click.option("--monitor", type=click.Choice(MONITORS), help="Add the norms of gradients to the history.")
@click.option("--log", multiple=True, type=click.Choice(LOGS), help="Log epochs there too; may come again.")
@METRICS
@SCORE
@click.option("--ranks", type=click.IntRange(1), help="Train on so many processes, by MPI.")
@click.option(
    "--rank-timeout",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="Seconds that ranks wait for one that does nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
def train(spec: Path | None, **options: Any) -> int:
    """Generate, verify and train SPEC's module.

    The folder gets the module, the learned parameters, the history and the learning curves. Whatever stops
    the training, `symgrad train --resume RUN` comes to the end that it would have come to.

    With --ranks, or begun by mpiexec, processes share the rows of every batch, on one machine or on several
    that share the folder; it needs what python -m pip install ".[mpi]" brings.
    """
    from symgrad.cli.train_command import TrainOptions, train_spec

    return train_spec(spec, TrainOptions(**options))


@main.command()
@click.argument("spec", type=FILE, required=False)
@click.option(
    "--over",
    multiple=True,
    metavar="PATH=VALUES",
    help="optimizer.learning_rate=1e-4..1e-1:log:20, seed=0..4, layers.0.units=32,64; may come again.",
)
@click.option(
    "--metric", metavar="NAME", help="Sort by held_out_accuracy, training_loss, ...  [held_out_loss]"
)
@click.option("--minimize", "direction", flag_value="minimize", help="Less of the metric is better.")
@click.option("--maximize", "direction", flag_value="maximize", help="More of it is.")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="How values are chosen.  [grid]")
@click.option("--trials", type=click.IntRange(1), help="So many trials; a grid makes all.")
@click.option("--seed", type=SEED, help="Draws what is tried; that of training is varied.  [0]")
@click.option("--data", type=FILE, help="Train on this file.  [the spec's train.data]")
@click.option("--out", type=FILE, help="The folder to write to.  [sweeps/NAME]")
@click.option("--workers", type=click.IntRange(1), help="Trials at the same time.  [as many as cores]")
@click.option("--dask", metavar="ADDRESS", help="Have the workers of this scheduler make the trials.")
@click.option("--threads", type=click.IntRange(1), help="Threads of each for its products.  [1]")
@click.option("--resume", type=FILE, metavar="SWEEP", help="Go on with the sweep in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
def sweep(
    spec: Path | None, over: tuple[str, ...], resume: Path | None, as_json: bool, quiet: bool, **options: Any
) -> int:
    """Train SPEC with many settings and compare what comes out.

    Trials that differ in numbers alone share one module. The folder gets a table of all trials, a picture,
    and the run of the best one, for predict, evaluate and export. Whatever stops the sweep, `symgrad sweep
    --resume SWEEP` makes the trials that are missing. Exit code 1 says that no trial has a value.
    """
    from symgrad.cli.train_command import sweep_spec

    return sweep_spec(spec, over, resume, as_json, quiet, **options)


def _listed(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    """A kind in British or American spelling, of one or of many, or an entry's name."""
    from symgrad.cli.listing import kinds_of

    if given is None:
        return None
    word = given.lower().replace("ise", "ize").replace("regularize", "regularise")
    for kind in KINDS:
        if {word, given.lower()} & {kind, kind.removesuffix("s"), kind.removesuffix("es")}:
            return kind
    names = kinds_of(KINDS)
    if given in names:
        return given
    remedy = did_you_mean(word, (*KINDS, *names)) or f"expected an entry or {', '.join(KINDS)}"
    raise click.BadParameter(f"there is no kind or entry '{given}'; {remedy}")


@main.command("list")
@click.argument("word", callback=_listed, required=False, metavar="[KIND|NAME]")
@click.option("--json", "as_json", is_flag=True, help="Write the list as JSON.")
def list_library(word: str | None, as_json: bool) -> int:
    """List the layers, losses, ... that specs can use, or describe one.

    \b
    KIND is one of layers, activations, functions (of one number), mathematics,
    draws, noises, reductions, arrays (what is made of whole ones), derivatives,
    states, losses, regularisers, averages, parts (of losses), optimisers, finishes (after them), schedules,
    initialisers.
    """
    from symgrad.cli.listing import kinds_of, show_library

    if word is None or word in KINDS:
        return show_library(KINDS if word is None else (word,), as_json)
    return show_library(kinds_of(KINDS)[word], as_json, word)


@main.command()
@click.argument("name")
@click.option(
    "--form", type=click.Choice(FORMS), default="chain", show_default=True, help="How it is written."
)
@click.option("--force", is_flag=True, help="Overwrite NAME.yaml and NAME.csv.")
def new(name: str, form: str, force: bool) -> int:
    """Write a spec to start from.

    NAME.yaml is a commented spec that works as it is; NAME.csv holds made-up data for it.
    """
    from symgrad.cli.starter import write_starter

    return write_starter(name, form, force)
