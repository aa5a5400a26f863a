"""Parts that take effect where a spec asks for what they do: some modules need them."""
