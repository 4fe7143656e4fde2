"""How an upstream divides a list into pages: the request for the next one, and the end of the list."""
