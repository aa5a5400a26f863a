"""Files of the field's standards: a network and what it learnt, for other programs and from them."""
