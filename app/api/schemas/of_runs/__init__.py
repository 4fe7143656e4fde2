"""What belongs to runs beside themselves."""
