"""What a spec means: its formulas walked in any arithmetic, without SymPy and without the compiler."""
