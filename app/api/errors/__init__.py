"""From exceptions to answers."""
