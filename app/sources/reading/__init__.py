"""Read bodies into documents, within bounds of time and memory."""
