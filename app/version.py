"""Which version this is."""

import importlib.metadata


def find_version() -> str:
    """Return the version of the installed package; 'dev' for a checkout that is not installed."""
    try:
        return importlib.metadata.version("ferryman")
    except importlib.metadata.PackageNotFoundError:
        return "dev"
