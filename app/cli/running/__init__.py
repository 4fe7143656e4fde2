"""Runs on the command line: create, follow, show, try, and replay from a cassette."""
