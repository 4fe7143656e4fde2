"""Partitions of a list: how its range, or its known values, are cut into parts that are read side by side."""
