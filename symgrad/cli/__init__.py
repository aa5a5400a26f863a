"""The command line: generate, inspect, verify, train, list, new."""

from symgrad.cli.commands import main

__all__ = ["main"]
