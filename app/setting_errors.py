"""The error of a process whose settings are not complete."""


class MissingSettingError(Exception):
    """A required environment variable is not set, or one holds a value that it can not have."""
