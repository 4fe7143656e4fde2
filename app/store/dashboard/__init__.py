"""The queries of the dashboard that no other room has."""
