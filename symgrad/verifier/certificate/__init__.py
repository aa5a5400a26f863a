"""Certificates: enclosures of a loss and its gradient at a point, and how far a module is from them."""
