"""The log: its kinds of entries, and how far back one look reaches."""
