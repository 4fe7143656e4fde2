"""The commands of objects that are created, listed, shown, changed and removed over the HTTP API."""
