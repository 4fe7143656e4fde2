"""What is kept from one run to the next, and what is done to many at once."""
