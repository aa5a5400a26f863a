"""The command `symgrad`, to which the modules beside this one add their commands."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.endings import exit_code_of, reader_gone, showing_warnings
from symgrad.long_lived import expect_long_lived_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = click.Path(path_type=Path)
ARGUMENTS = "symgrad.arguments"
"""Where a context keeps the arguments of the command line."""
SEED = click.IntRange(0, 2**32 - 1)
SECONDS = click.FloatRange(0, min_open=True)


def _every(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int | None, float | None] | None:
    """How often: so many epochs, or minutes; the other is None."""
    if text is None:
        return None
    number, is_minutes = text.removesuffix("min").strip(), text.endswith("min")
    try:
        found = float(number) if is_minutes else int(number)
    except ValueError:
        found = 0
    if not 0 < found < float("inf"):
        raise click.BadParameter(f"{text!r} is neither a number of epochs, as 5, nor of minutes, as 2min")
    return (None, float(found)) if is_minutes else (int(found), None)


def _pairs(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Names, and what they are called elsewhere."""
    for text in texts:
        if not all(text.partition("=")):
            raise click.BadParameter(f"{text!r}: expected two names, as W1=encoder_W")
    return dict(text.split("=", 1) for text in texts)


RENAME = click.option(
    "--rename",
    multiple=True,
    callback=_pairs,
    metavar="W1=OTHER",
    help="W1 is called OTHER there; OTHER.T is W1 transposed.",
)
EVERY = click.option(
    "--checkpoint-every",
    callback=_every,
    metavar="EPOCHS|MINUTESmin",
    help="Keep what --resume can go on from: 5, or 2min.  [the spec's, or 1min]",
)


def _calls(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Names and calls, with commas between them; those within brackets are the calls' own."""
    parts = (part.strip() for text in texts for part in re.split(r",(?![^(]*\))", text))
    return tuple(part for part in parts if part)


WITH = click.option(
    "--with",
    "derive",
    multiple=True,
    callback=_calls,
    metavar="DERIVATIVES",
    help="hvp,gauss_newton,per_sample,'jacobian(y, x)','hessian(W)','input_gradient(x)' besides.",
)
IDENTITY = click.option(
    "--identity/--no-identity",
    default=True,
    show_default=True,
    help="Compare the module with the spec exactly before it is written.",
)


def _renamed(_: click.Context, option: click.Parameter, given: str | None) -> None:
    if given is not None:
        raise click.UsageError(f"{option.opts[0]} is called --metric, as in train and in specs")


METRICS = click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Score by f1_macro, ...; may come again."
)
SCORE = click.option("--score", hidden=True, expose_value=False, callback=_renamed)


def named_numbers(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    """`NAME=NUMBER`, each name once."""
    found: dict[str, float] = {}
    for text in texts:
        name, _sign, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            raise click.BadParameter(f"'{text}' is not NAME=NUMBER, as learning_rate=0.01 is") from None
        if not name or name in found:
            raise click.BadParameter(f"'{text}' {'gives the number again' if name else 'has no name'}")
        found[name] = value
    return found


SECTIONS = {
    "Begin": ("new", "list"),
    "Look at a network": ("inspect", "summary", "graph", "compare", "lectures"),
    "Make and train it": ("generate", "verify", "rates", "train", "sweep"),
    "Use what was trained": ("predict", "evaluate", "export", "import"),
    "Measure": ("bench", "plan", "doctor"),
}
"""The commands in the order in which one meets them."""


class Commands(click.Group):
    """A group of commands in sections, that ends with symgrad's exit codes."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names of the commands, section by section."""
        return [name for names in SECTIONS.values() for name in names]

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of commands for each section."""
        for title, names in SECTIONS.items():
            commands = [(name, self.commands[name].get_short_help_str(70)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(f"{name:9}", said) for name, said in commands])

    def main(  # type: ignore[override]  # click overloads this on standalone_mode, which is fixed here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command that the arguments name, and exit."""
        _replace_closed_streams()
        _end_as_by_ctrl_c()
        expect_long_lived_objects()
        run = super().main
        extra["standalone_mode"] = False
        sys.exit(exit_code_of(lambda: run(args, prog_name, **extra)))

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context, which keeps what was asked as it was given."""
        given = [*args]
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[ARGUMENTS] = given
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and show its warnings.

        A reader who has gone is no failure, though click would exit with 1.
        """
        try:
            with showing_warnings(ctx):
                return super().invoke(ctx)
        except BrokenPipeError:
            return reader_gone()


def _replace_closed_streams() -> None:
    """Let what is written to a stream that the caller has closed, as by `>&-`, go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # open until the process ends
            setattr(sys, name, nowhere)


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM, as `timeout` and batch systems send it, end a training as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


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
    2 wrong usage, a bad spec or bad data; 70 a defect of symgrad;
    75 the machine was too busy to judge a module; 130 interrupted.
    """
