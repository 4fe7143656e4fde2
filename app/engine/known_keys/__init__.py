"""Which keys integration configs, items of jobs, mappings and models have: told once, as data."""
