"""Other sync engines reading the same upstream, from an environment of their own; never a dependency."""
