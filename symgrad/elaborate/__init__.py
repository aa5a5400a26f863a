"""From formulas to a program: shapes inferred, broadcasting spelled out, reductions named."""
