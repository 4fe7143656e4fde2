"""JSONata expressions: compiled once, evaluated within limits, with the functions that mappings use."""
