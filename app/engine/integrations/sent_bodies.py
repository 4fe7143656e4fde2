"""What a method sends as a body, beside what its call or its own config says."""

from enum import StrEnum

from app.engine.config.reader import ConfigReader


class SentBody(StrEnum):
    """What becomes of a request's body."""

    AS_IT_IS = "as_it_is"
    """The method's own, or else the call's."""
    WITH_QUERY = "add_query_to_body"
    """The same, with the fields of the call's query; only methods that write have one."""
    NOTHING = "ignore_body"
    NULL = "set_body_to_null"
    """The JSON text ``null``."""


def read_sent_body(reader: ConfigReader) -> SentBody:
    """Read the flags of a method; of several the one that leaves least counts."""
    set_flags = [one for one in (SentBody.NOTHING, SentBody.NULL, SentBody.WITH_QUERY) if reader.flag(one.value)]
    return set_flags[0] if set_flags else SentBody.AS_IT_IS
