"""Commands of operators, which need no API."""
