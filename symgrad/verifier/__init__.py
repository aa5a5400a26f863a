"""The judge: checks emitted modules against the spec alone, without the differentiator.

SymPy is asked for nothing but the slopes of the language's own functions, where numbers are exact.
"""
