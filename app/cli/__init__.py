"""The command line: ``ferryman``."""
