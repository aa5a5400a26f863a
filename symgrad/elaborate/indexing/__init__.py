"""Index notation: how far indices run, and which entries their forms name."""
