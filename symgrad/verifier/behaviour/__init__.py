"""How a module behaves for its callers, tried on the module as they would call it."""

from symgrad.verifier.behaviour.suite import behaviour_checks, size_checks

__all__ = ["behaviour_checks", "size_checks"]
