"""Ids: one function makes them all."""

import uuid


def new_id() -> str:
    """Make a random UUID in its canonical text form."""
    return str(uuid.uuid4())


def canonical_id(text: str) -> str | None:
    """Give a UUID's canonical form; None when the text is not one."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def derived_id(id: str, name: str) -> str:
    """Make the UUID that a name has within the thing of an id: the same whenever it is asked for."""
    return str(uuid.uuid5(uuid.UUID(id), name))
