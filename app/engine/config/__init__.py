"""Read configured JSON field by field, and find its secrets."""
