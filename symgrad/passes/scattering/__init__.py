"""Passes over equations that add into places: several of them as one."""
