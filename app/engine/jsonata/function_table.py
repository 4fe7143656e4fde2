"""The functions that expressions know beside JSONata's own, and those of JSONata's that are replaced.

Each one takes and gives JSON; a missing argument is None, and None is given for nothing. The limits of an evaluation
do not reach into them: their time is at most about linear in the size of their arguments, which is bounded for each.
"""

from collections.abc import Callable, Mapping
from typing import Final

from app.engine.json_types import JSON
from app.engine.jsonata.functions import collections, encodings, guarded, moments, objects, texts
from app.engine.jsonata.functions.bounds import BOUNDS, within

_FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    **collections.FUNCTIONS,
    **objects.FUNCTIONS,
    **encodings.FUNCTIONS,
    **texts.FUNCTIONS,
    **moments.FUNCTIONS,
    **guarded.FUNCTIONS,
}
FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    name: within(name, function, BOUNDS[name]) for name, function in _FUNCTIONS.items()
}
"""By name, without the ``$``."""

PRELUDES: Final[Mapping[str, str]] = {**moments.PRELUDES, **guarded.PRELUDES}
"""Functions written in JSONata, because what they give has methods or they take some; by name, without the ``$``."""
