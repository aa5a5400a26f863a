"""Rows cut of what follows on: windows of a text, and of a series."""
