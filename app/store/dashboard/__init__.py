"""What only the dashboard asks."""
