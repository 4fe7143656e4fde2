"""How answers become documents: where, within which bounds, and what they may take."""
