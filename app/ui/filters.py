"""The filters of a page, which are the query of its address."""

from collections.abc import Mapping

import flask

from app.engine.errors import Failure, InvalidInputError


def read_filters(*names: str) -> Mapping[str, str]:
    """Return the filters that are set; raise InvalidInputError for one that the page does not have, or no text."""
    given = flask.request.args
    failures = [
        Failure(name[:100].replace("\0", ""), "is no filter of this page") for name in given if name not in names
    ]
    failures += [Failure(name, "holds the character U+0000") for name in names if "\0" in given.get(name, "")]
    if failures:
        raise InvalidInputError(failures)
    return {name: given[name].strip() for name in names if given.get(name, "").strip()}
