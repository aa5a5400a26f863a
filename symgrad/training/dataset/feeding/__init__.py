"""Which columns feed which tensor, what is learnt about them, and how they become its numbers."""
