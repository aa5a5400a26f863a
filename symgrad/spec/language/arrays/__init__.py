"""What calls are given that put arrays together, take them apart or reorder their axes."""
