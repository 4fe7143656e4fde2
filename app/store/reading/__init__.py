"""Records and logs, read page by page."""
