"""Which keys integration configs, items of jobs, mappings and models have: declared once, as data."""
