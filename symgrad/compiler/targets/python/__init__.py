"""Python text, and plain Python with NumPy as a target: bounds checked, nothing compiled."""
