"""Events that belong to no run, and whose turn it is to be sent, in Postgres."""
