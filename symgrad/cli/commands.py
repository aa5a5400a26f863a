"""The commands. Each reads its arguments and calls one function of `actions`, imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.errors import exit_code_of, reader_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = (
    *("layers", "activations", "losses", "regularisers", "averages", "parts"),
    *("optimizers", "schedules", "initializers"),
)
FORMS = ("chain", "graph", "index")
DETAILS = ("gates", "blocks")
PICTURES = ("text", "dot", "mermaid", "svg", "png")
FORMATS = ("text", "latex", "html", "json")
NOTATIONS = ("rows", "columns", "greek", "delta")
_FILE = click.Path(path_type=Path)


class Commands(click.Group):
    """A group of commands that ends with symgrad's exit codes."""

    def main(  # type: ignore[override]  # click overloads this on standalone_mode, which is fixed here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command that the arguments name, and exit."""
        run = super().main
        extra["standalone_mode"] = False
        sys.exit(exit_code_of(lambda: run(args, prog_name, **extra)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader who has gone is no failure, though click would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return reader_gone()


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from symgrad.version import VERSION

        click.echo(f"symgrad {VERSION}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Turn a network written as mathematics into a Python module that trains it.

    Every gradient is derived from the equations and checked against them.

    \b
    Exit codes: 0 good; 1 a check failed or training diverged;
    2 wrong usage, a bad spec or bad data; 70 a defect of symgrad; 130 interrupted.
    """


@main.command()
@click.argument("spec", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="The file to write.  [generated/NAME.py or NAME.py]")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON on stdout.")
def generate(spec: Path, output: Path | None, as_json: bool) -> int:
    """Write the training module of SPEC.

    It is a Python file that needs NumPy, Numba and SciPy, but not symgrad. Without -o
    it is generated/NAME.py where there is a folder 'generated', else NAME.py.
    """
    from symgrad.cli.actions import generate_module

    return generate_module(spec, output, as_json)


@main.command()
@click.argument("spec", type=_FILE)
@click.option("--format", "style", type=click.Choice(FORMATS), help="How it is written.  [text]")
@click.option(
    "--notation", type=click.Choice(NOTATIONS), default="rows", show_default=True, help="See above."
)
@click.option(
    "--symbol", "symbols", multiple=True, metavar="NAME=SYMBOL", help="Write W1 as Ω¹: --symbol W1=Ω¹"
)
@click.option("--scalar", is_flag=True, help="Show every weight's own rule, indices filled in.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME", help="Only these rules: W1, or 'W1[0, 3]'."
)
@click.option("--jacobians", is_flag=True, help="Show the local Jacobians of every block.")
@click.option("-o", "--output", type=_FILE, help="The file to write.  [stdout]")
def inspect(
    spec: Path, style: str | None, notation: str, symbols: tuple[str, ...], output: Path | None, **shown: Any
) -> int:
    """Show the gradients derived from SPEC.

    With the equations they come from and the update rules they lead to. A file's ending (.html, .tex,
    .json) chooses the format when --format does not.

    \b
    Notations:
      rows     samples are rows:    Z = X·W + b, dW = Xᵀ·dZ, dX = dZ·Wᵀ
      columns  samples are columns: Z = Wᵀ·X + b, dW = X·dZᵀ, dX = W·dZ
      greek    columns; ζ = Ωᵀ·α + β, B = gradient at ζ, P = gradient at α,
               the 1/M of a mean over M samples before the sums: (1/M)·α·Bᵀ
      delta    columns; δ = gradient at a net input, ∇ = gradient at an
               activation, the 1/N before the sums

    --symbol may stand several times, with any notation, for tensors, gradients
    (dW1) and the axis of the samples.
    """
    from symgrad.cli.actions import inspect_spec

    return inspect_spec(spec, style, notation, symbols, output, **shown)


@main.command()
@click.argument("spec", type=_FILE)
@click.option(
    "--detail",
    type=click.Choice(DETAILS),
    help="Every operation, or every equation.  [gates for scalars, blocks for networks]",
)
@click.option("--at", multiple=True, metavar="NUMBERS", help="x=-2,y=5 or 'x=[[1, 2]]' or @FILE.npz")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Draws the numbers that --at does not give.")
@click.option("--format", "style", type=click.Choice(PICTURES), help="How it is written.  [text]")
@click.option("-o", "--output", type=_FILE, help="The file to write.  [stdout]")
def graph(spec: Path, **options: Any) -> int:
    """Draw the computation graph of SPEC.

    With --at or --seed, every edge bears the value that flows forward and the gradient that flows back.
    A file's ending (.dot, .mmd, .svg, .png) chooses the format when --format does not; svg and png need
    Graphviz.
    """
    from symgrad.cli.graph import draw_graph

    return draw_graph(spec, **options)


@main.command()
@click.argument("spec", type=_FILE)
@click.option("--module", type=_FILE, help="The module to check.  [one generated for this]")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON on stdout.")
@click.option(
    "--points", type=click.IntRange(1, 1000), default=3, show_default=True, help="Points to check at."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Draws the points."
)
def verify(spec: Path, module: Path | None, as_json: bool, points: int, seed: int) -> int:
    """Check the gradients of SPEC's module.

    They are compared with differences of the spec's own loss; how they were derived plays no part.
    Exit code 1 says that something is wrong.
    """
    from symgrad.cli.actions import verify_module

    return verify_module(spec, module, as_json, points, seed)


@main.command()
@click.argument("spec", type=_FILE)
@click.option("--rows", type=click.IntRange(1), help="Rows of data.  [the batch size, at most 32]")
@click.option("--random", is_flag=True, help="Draw the data, even where the spec has some.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Draws the point."
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for one gradient in one way; a slower way is left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the comparison as JSON on stdout.")
def compare(spec: Path, as_json: bool, **options: Any) -> int:
    """Set the ways to SPEC's gradient side by side.

    Manual, symbolic, numerical and automatic (PyTorch and JAX, where they are installed): their
    values, their errors, their times. The formulas in the spec's manual block are checked entry by entry.
    Exit code 1 says that one is wrong, or that a way is off.
    """
    from symgrad.cli.comparing import compare_ways

    return compare_ways(spec, as_json, **options)


@main.command()
@click.argument("spec", type=_FILE)
@click.option("--data", type=_FILE, help="Train on this file.  [the spec's train.data]")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data.  [the spec's]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Draws first values and order.  [the spec's]")
@click.option("--out", type=_FILE, help="The folder to write to.  [runs/NAME]")
@click.option("--module", type=_FILE, help="Train this module.  [one generated into the folder]")
@click.option("--no-verify", is_flag=True, help="Do not check the gradients first.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
def train(spec: Path, **options: Any) -> int:
    """Generate, verify and train SPEC's module.

    The folder gets the module, the learned parameters, the history and the learning curves.
    """
    from symgrad.cli.training import TrainOptions, train_spec

    return train_spec(spec, TrainOptions(**options))


@main.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False, metavar="[KIND]")
@click.option("--json", "as_json", is_flag=True, help="Write the list as JSON.")
def list_library(kind: str | None, as_json: bool) -> int:
    """List the layers, losses, ... that specs can use.

    \b
    KIND is one of layers, activations, losses, regularisers, averages,
    parts (of losses), optimizers, schedules, initializers.
    """
    from symgrad.cli.listing import show_library

    return show_library((kind,) if kind else KINDS, as_json)


@main.command()
@click.argument("name")
@click.option(
    "--form", type=click.Choice(FORMS), default="chain", show_default=True, help="How it is written."
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def new(name: str, form: str, force: bool) -> int:
    """Write a spec to start from.

    NAME.yaml is a commented spec that works as it is; NAME.csv holds made-up data for it.
    """
    from symgrad.cli.starter import write_starter

    return write_starter(name, form, force)


@main.command()
@click.argument("numbers", type=click.IntRange(1, 23), nargs=-1, metavar="[ROW]...")
@click.option("--json", "as_json", is_flag=True, help="Write the verdicts as JSON on stdout.")
def lectures(numbers: tuple[int, ...], as_json: bool) -> int:
    """Check what the source lectures teach.

    Each of 23 demands is one or more specs, whose derived results are compared with the lecture's, here and
    now. ROW numbers choose some of them. Exit code 1 says that one does not hold.
    """
    from symgrad.cli.lectures import show_verdicts

    return show_verdicts(numbers, as_json)
