"""The events of webhook runs, in Postgres."""
