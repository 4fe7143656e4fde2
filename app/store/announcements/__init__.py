"""Events that belong to no run, and the order in which webhooks are sent to, in Postgres."""
