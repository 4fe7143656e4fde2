"""What users describe, in Postgres."""
