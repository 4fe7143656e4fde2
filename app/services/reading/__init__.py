"""What was persisted and what happened, page by page."""
