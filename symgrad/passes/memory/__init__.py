"""Passes that decide where values lie, and what is taken apart for it."""
