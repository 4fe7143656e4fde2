"""What the dashboard shows and does that no other room answers."""
