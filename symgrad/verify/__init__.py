"""The judge: checks emitted modules against the spec alone, without the differentiator or SymPy."""

from symgrad.verify.report import Check, Entry, ParameterResult, Report
from symgrad.verify.verdict import verify

__all__ = ["Check", "Entry", "ParameterResult", "Report", "verify"]
