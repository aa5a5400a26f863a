"""The command line: `symgrad` and its commands."""

from symgrad.cli import commands, measures, showing, using
from symgrad.cli.group import main

__all__ = ["commands", "main", "measures", "showing", "using"]
