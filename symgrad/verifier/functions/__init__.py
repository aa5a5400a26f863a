"""The elementary functions in a module: how exact they are, and the polynomials inside them."""
