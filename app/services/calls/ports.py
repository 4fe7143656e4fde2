"""What direct calls need from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from app.engine.json_types import JSON


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted under one key, right after requests were taken."""

    used: int
    """Taken by all processes; more than the limit once it is used up."""
    left_seconds: float


TakeRequests: TypeAlias = Callable[[Mapping[str, int]], Mapping[str, Window]]
"""Takes requests of each key's window, which the first of them begins, in one round trip; never raises."""


class SealPurpose(StrEnum):
    """What a sealed value is for; none opens as one of another kind."""

    ACCOUNT_TOKEN = "integrated account token"  # noqa: S105  # the name of a kind
    NEXT_CURSOR = "next cursor"


class Seal(Protocol):
    """Protects what a caller carries from request to request from being read or changed."""

    def seal(self, value: JSON, purpose: SealPurpose) -> bytes:
        """Encrypt a JSON value for a purpose."""

    def open(self, sealed: bytes, purpose: SealPurpose) -> JSON:
        """Decrypt what ``seal`` gave for a purpose; raise UnreadableSecretError for anything else."""
