"""What the leader and each daemon do in the background."""
