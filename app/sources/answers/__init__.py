"""From an answer to records: its errors, its lists, its files."""
