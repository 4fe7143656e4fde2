"""What expressions can call, by kind."""
