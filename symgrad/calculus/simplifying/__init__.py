"""Steps of simplification that look across equations: known sums, values that are held already."""
