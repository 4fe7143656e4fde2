"""Tables in files of DuckDB, written exactly once by one process at a time."""
