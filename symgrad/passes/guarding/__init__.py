"""0 times infinity decided: where a product is 0 although one factor is no number."""
