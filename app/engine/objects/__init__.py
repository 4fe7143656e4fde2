"""The objects of the API as values: what is stored, and what is shown."""
