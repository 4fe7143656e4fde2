"""What every outbound HTTP request shares."""
