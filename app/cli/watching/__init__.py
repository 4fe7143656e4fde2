"""What happens now: runs under way, what was logged of one thing, and its page."""
