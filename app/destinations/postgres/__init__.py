"""Real tables in any Postgres, written exactly once."""
