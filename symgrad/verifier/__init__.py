"""The judge: checks emitted modules against the spec alone, without the differentiator.

SymPy is asked for nothing but the slopes of the language's own functions, where numbers are exact.
"""

from symgrad.verifier.report import Check, GradientEntry, ParameterResult, Report
from symgrad.verifier.verdict import verify

__all__ = ["Check", "GradientEntry", "ParameterResult", "Report", "verify"]
