"""Runs on the command line: made, followed, shown, tried, and carried out from a cassette."""
