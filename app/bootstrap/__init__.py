"""The only place that names concrete classes: build what a process needs out of its settings."""
