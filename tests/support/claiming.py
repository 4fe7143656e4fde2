"""How tests claim units: by anybody, as many as they like."""

from dataclasses import replace
from typing import Any

from app.engine.ids import new_id
from app.engine.runs.work import ClaimTerms

_PLENTY = ClaimTerms(owner="", lease_seconds=9, most_of_account=100, most_of_webhook=100)


def terms(**wishes: Any) -> ClaimTerms:
    """Return the terms of somebody new, who is as generous as a test does not say otherwise."""
    return replace(_PLENTY, **{"owner": new_id(), **wishes})
