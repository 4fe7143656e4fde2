"""One module per group of scenarios; bench.registry lists them all."""
