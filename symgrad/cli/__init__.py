"""The command line: generate, inspect, graph, verify, compare, train, list, new."""

from symgrad.cli.commands import main

__all__ = ["main"]
