"""Arrays made of arrays: placed into a new one, cut, reshaped, given more axes."""
