"""Passes: from a program to an equal one that is computed better, one idea each."""
