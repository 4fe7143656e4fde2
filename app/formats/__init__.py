"""Records as files: Parquet, JSON lines and CSV, made piece by piece."""
