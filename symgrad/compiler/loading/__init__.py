"""Emitted modules in memory and on disk."""
