"""Units of work and the pages that they write, in Postgres."""
