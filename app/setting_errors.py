"""The fault of a process that is not told what it must be."""


class MissingSettingError(Exception):
    """A required environment variable is not set, or one holds a value that it can not have."""
