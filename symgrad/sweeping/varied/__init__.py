"""What a sweep varies: places in a spec, the values each may have, and the specs that come of them."""
