"""How a command ends: its exit code, and one clean message where something went wrong or may have."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.output import console_on, hold, say_held
from symgrad.errors import (
    DivergenceError,
    LostRanksError,
    NotIdenticalError,
    NoVerdictError,
    Position,
    SymgradError,
    SymgradWarning,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD, FAILED, USAGE, DEFECT, NO_VERDICT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 70, 75, 130, 141
_ENDS = {
    DivergenceError: FAILED,
    LostRanksError: FAILED,
    NotIdenticalError: DEFECT,
    NoVerdictError: NO_VERDICT,
}
_MAX_BYTES = 1_000_000
_WIDTH = 100


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command and give its exit code; what goes wrong becomes one message on stderr.

    It comes before the warnings that nothing was said after, which may only repeat it.
    """
    try:
        return _exit_code_of(command)
    finally:
        say_held()


def _exit_code_of(command: Callable[[], Any]) -> int:
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SymgradError as error:
        if not error.is_known:
            show_error(error)
        return status_of(error)
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return reader_gone()
    except OSError as error:
        return _system_refused(error)
    except Exception as error:  # noqa: BLE001  # a defect is shown as one, not as a traceback
        return _defect(error)
    return code if isinstance(code, int) else GOOD


def status_of(error: SymgradError) -> int:
    """The exit code that says what kind of error it was."""
    return _ENDS.get(type(error), USAGE)


def show_error(error: SymgradError) -> None:
    """The message, and the line it is about with a mark under the place."""
    _complain(str(error))
    _show_excerpt(error.at)


@contextmanager
def showing_warnings(context: click.Context) -> Iterator[None]:
    """Show each warning about an input once, before what is said next; the context keeps them for --json."""
    shown: list[SymgradWarning] = []
    context.obj = shown
    with warnings.catch_warnings():
        warnings.simplefilter("always", SymgradWarning)
        others = warnings.showwarning

        def show(message: Warning | str, *where: Any, **how: Any) -> None:
            if not isinstance(message, SymgradWarning):
                others(message, *where, **how)
            elif str(message) not in map(str, shown):
                shown.append(message)
                hold(partial(_show_warning, message))

        warnings.showwarning = show
        yield


def warnings_shown() -> list[str]:
    """What the command has warned of so far, each as `place: problem; remedy`."""
    return [str(warning) for warning in click.get_current_context().find_root().obj or ()]


def _show_warning(warning: SymgradWarning) -> None:
    place = f"{warning.at}: " if warning.at is not None else ""
    _tell(place, "warning: ", "bold yellow", str(warning).removeprefix(place))
    _show_excerpt(warning.at)


def _show_excerpt(at: Position | str | None) -> None:
    if isinstance(at, Position):
        for line in _excerpt(at):
            click.echo(line, err=True)


def _complain(message: str) -> None:
    _tell("", "error: ", "bold red", message)


def _tell(place: str, kind: str, style: str, message: str) -> None:
    from rich.text import Text

    line = Text(_clean(place)).append(kind, style=style).append(_clean(message), style="not bold default")
    console_on(sys.stderr).print(line, soft_wrap=True)


def _excerpt(at: Position) -> list[str]:
    """The line at a position and a caret under its column; nothing when it cannot be read."""
    text = _line(at)
    if text is None or not 1 <= at.column <= len(text) + 1:
        return []
    from rich.cells import cell_len

    start = max(0, at.column - 1 - _WIDTH // 2)
    shown, before = text[start : start + _WIDTH], text[start : at.column - 1]
    margin = f"{at.line} | "
    return [f"  {margin}{shown}", " " * (2 + len(margin) + cell_len(before)) + "^"]


def _line(at: Position) -> str | None:
    try:
        with open(at.source, "rb") as file:
            lines = file.read(_MAX_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, ValueError):
        return None
    return _clean(lines[at.line - 1]) if 1 <= at.line <= len(lines) and lines[at.line - 1].strip() else None


def _clean(text: str) -> str:
    """Text without the control characters that could command a terminal; tabs become one space."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c == "\t" else "�" for c in text)


def reader_gone() -> int:
    """Whoever read stdout has closed it: end quietly, as other commands do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _system_refused(error: OSError) -> int:
    place = f"{error.filename}: " if error.filename else ""
    _complain(f"{place}{error.strerror or error}")
    return USAGE


def _defect(error: Exception) -> int:
    if os.environ.get("SYMGRAD_DEBUG"):
        traceback.print_exception(error)
    name = type(error).__name__
    _complain(
        f"symgrad itself went wrong ({name}: {error})\n"
        "This is a defect of symgrad, not of your spec. Please report it with the spec; "
        "SYMGRAD_DEBUG=1 shows where it happened."
    )
    return DEFECT
