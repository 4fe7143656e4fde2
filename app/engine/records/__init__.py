"""Records: their keys, their rows, and what became of them."""
