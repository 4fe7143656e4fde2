"""Read configured JSON field by field, and tell its secrets from what anybody may see."""
