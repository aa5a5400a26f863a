"""Equations as they stand in a spec, repeated ones and those of networks too."""
