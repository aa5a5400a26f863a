"""A module in a process of its own: it may crash, hang or end its process, and its caller is told."""

from symgrad.isolation.client import Isolated, isolated

__all__ = ["Isolated", "isolated"]
