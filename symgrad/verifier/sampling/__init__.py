"""Numbers drawn for a model: data, labels, first values of parameters."""
