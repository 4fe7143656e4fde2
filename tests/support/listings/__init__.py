"""Upstreams that page, end, lie and fail in every known way, and a reader that says what should come of them."""
