"""The commands. Each reads its arguments and calls one function of `actions`, imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.errors import exit_code_of, reader_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("layers", "activations", "losses", "regularisers", "optimizers", "schedules", "initializers")
FORMS = ("chain", "graph", "index")
FORMATS = ("text", "latex", "html", "json")
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
@click.option("-o", "--output", type=_FILE, help="The file to write.  [stdout]")
def inspect(spec: Path, style: str | None, output: Path | None) -> int:
    """Show the gradients derived from SPEC.

    With the equations they come from and the update rules they lead to. A file's ending (.html, .tex,
    .json) chooses the format when --format does not.
    """
    from symgrad.cli.actions import inspect_spec

    return inspect_spec(spec, style, output)


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
    KIND is one of layers, activations, losses, regularisers,
    optimizers, schedules, initializers.
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
