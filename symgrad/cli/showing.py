"""The commands that show derivations. Each calls one function, imported when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.group import FILE, SECONDS, SEED, main
from symgrad.report.formats import FORMATS
from symgrad.report.notations import NOTATIONS

if TYPE_CHECKING:
    from pathlib import Path

DETAILS = ("gates", "blocks")
PICTURES = ("text", "dot", "mermaid", "svg", "png")


@main.command()
@click.argument("spec", type=FILE)
@click.option("--format", "style", type=click.Choice(list(FORMATS)), help="How it is written.  [text]")
@click.option(
    "--notation", type=click.Choice(list(NOTATIONS)), default="rows", show_default=True, help="See above."
)
@click.option(
    "--symbol", "symbols", multiple=True, metavar="NAME=SYMBOL", help="Write W1 as Ω¹: --symbol W1=Ω¹"
)
@click.option("--scalar", is_flag=True, help="Show every weight's own rule, indices filled in.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME", help="Only these rules: W1, or 'W1[0, 3]'."
)
@click.option("--jacobians", is_flag=True, help="Show the local Jacobians of every block.")
@click.option("--hessian", is_flag=True, help="Show the Hessian of the loss, as matrices where they say it.")
@click.option("--memory", is_flag=True, help="Show what is kept for the backward pass, in bytes.")
@click.option("--stages", is_flag=True, help="Show instead every stage from SPEC to its module.")
@click.option("-o", "--output", type=FILE, help="The file to write.  [stdout]")
def inspect(
    spec: Path,
    style: str | None,
    notation: str,
    symbols: tuple[str, ...],
    stages: bool,
    output: Path | None,
    **shown: Any,
) -> int:
    """Show the gradients derived from SPEC.

    With the equations they come from and the update rules they lead to. A file's ending, such as .html,
    .tex, .md or .json, chooses the format when --format does not; latex-fragment is what stands in the
    document's body, for \\input.

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

    --stages shows what each stage of the compiler gave, and of a program what it changed: lines
    with - were there before, lines with + are new.
    """
    from symgrad.cli.actions import inspect_spec, inspect_stages

    if stages:
        if symbols or notation != "rows" or any(shown.values()) or style not in (None, "text", "json"):
            raise click.UsageError("--stages goes with --format text or json and with -o alone")
        return inspect_stages(spec, style, output)
    return inspect_spec(spec, style, notation, symbols, output, **shown)


@main.command()
@click.argument("spec", type=FILE)
@click.option(
    "--size", "sizes", multiple=True, metavar="AXIS=NUMBER", help="How long a free axis is: batch=64"
)
@click.option("--json", "as_json", is_flag=True, help="Write the summary as JSON.")
def summary(spec: Path, sizes: tuple[str, ...], as_json: bool) -> int:
    """Show SPEC's network at a glance.

    Its layers with their shapes and parameters, and the operations and memory of one step of training.
    Without --size the rows are those of the spec's batch, where it says how many, and every other free
    axis is 1 long.
    """
    from symgrad.cli.actions import show_summary

    return show_summary(spec, sizes, as_json)


@main.command()
@click.argument("spec", type=FILE)
@click.option(
    "--detail",
    type=click.Choice(DETAILS),
    help="Every operation, or every equation.  [gates for scalars, blocks for networks]",
)
@click.option("--at", multiple=True, metavar="NUMBERS", help="x=-2,y=5 or 'x=[[1, 2]]' or @FILE.npz")
@click.option("--seed", type=SEED, help="Draws the numbers that --at does not give.")
@click.option("--format", "style", type=click.Choice(PICTURES), help="How it is written.  [text]")
@click.option("-o", "--output", type=FILE, help="The file to write.  [stdout]")
def graph(spec: Path, **options: Any) -> int:
    """Draw the computation graph of SPEC.

    With --at or --seed, every edge bears the value that flows forward and the gradient that flows back.
    A file's ending (.dot, .mmd, .svg, .png) chooses the format when --format does not; svg and png need
    Graphviz.
    """
    from symgrad.cli.graph_pictures import draw_graph

    return draw_graph(spec, **options)


@main.command()
@click.argument("spec", type=FILE)
@click.option("--rows", type=click.IntRange(1), help="Rows of data.  [the batch size, at most 32]")
@click.option("--random", is_flag=True, help="Draw the data, even where the spec has some.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Draws the point.")
@click.option(
    "--time-limit",
    type=SECONDS,
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
    from symgrad.cli.measuring import compare_ways

    return compare_ways(spec, as_json, **options)


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
