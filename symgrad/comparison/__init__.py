"""The ways to a derivative, side by side: manual, symbolic, numerical, automatic."""

from symgrad.comparison.manual import Claim, WrongEntry, check_manual

__all__ = ["Claim", "WrongEntry", "check_manual"]
