"""How far ahead pages are requested, and so how many a crash can make a run request again."""

from typing import Final

from app.engine.limits import constants

AHEAD_OF_A_CURSOR: Final = 1
"""Of a list whose pages each name the next one."""


def count_repeated_by_a_crash(requests_per_account: int) -> int:
    """Return the most pages of one unit that are requested and not written.

    They wait for their turn, are requested in their turn, or are gathered for one write, whose last part may come at
    once.
    """
    return (constants.REACH + 3) * requests_per_account
