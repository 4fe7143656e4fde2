"""What retention, erasures and daemons need of Postgres."""
