"""JSON Schema within a bound of time: arguments and unified models are checked by it."""
