"""Records and the log that numbers their changes, in Postgres."""
