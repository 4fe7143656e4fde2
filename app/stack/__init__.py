"""The embedded stack: Postgres, Redis, API, daemons and Flower as supervised child processes."""
