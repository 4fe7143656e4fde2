"""One module per screen: what it gathers, and which templates show it."""
