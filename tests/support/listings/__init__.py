"""Upstreams that page, end, lie and fail in every way that is known, and a reader that says what should come of them."""
