"""The commands of things that are created, listed, shown, changed and removed over the HTTP API."""
