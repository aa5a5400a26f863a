"""The judge: checks emitted modules against the spec alone, without the differentiator or SymPy."""

from symgrad.verifier.report import Check, Entry, ParameterResult, Report
from symgrad.verifier.verdict import verify

__all__ = ["Check", "Entry", "ParameterResult", "Report", "verify"]
