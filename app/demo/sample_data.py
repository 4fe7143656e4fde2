"""What the sample upstream holds: users, tickets and comments, each made from its number alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from app.engine.json_types import JsonObject
from app.engine.times import format_utc

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST_NAMES = ("Ada", "Björk", "Chidi", "Dolores", "Emeka", "Frida", "Grace", "Hiro", "Ines", "José", "Kaya")
_LAST_NAMES = ("Lindqvist", "Moreau", "Nakamura", "Okafor", "Petrova", "Quispe", "Rossi", "Şahin", "Tanaka")
_SUBJECTS = ("Login fails", "Invoice is wrong", "Export is slow", "Please add dark mode", "Webhook is silent")
_STATES = ("open", "pending", "solved")
_REMARKS = ("It happens again.", "Thank you!", "Could you send a screenshot?", "Fixed in the next release.")
_MOST_COMMENTS = 5


@dataclass(frozen=True)
class SampleData:
    """A given number of users and tickets; the same numbers give the same records anywhere, at any time."""

    user_count: int = 300
    ticket_count: int = 2000

    @cached_property
    def users(self) -> Sequence[JsonObject]:
        """Every user."""
        return [_user(number) for number in range(1, self.user_count + 1)]

    @cached_property
    def tickets(self) -> Sequence[JsonObject]:
        """Every ticket."""
        return [self._ticket(number) for number in range(1, self.ticket_count + 1)]

    @cached_property
    def comments(self) -> dict[str, Sequence[JsonObject]]:
        """The comments of each ticket, by the ticket's id: none to five."""
        return {ticket["id"]: self._comments(number) for number, ticket in enumerate(self.tickets, start=1)}

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many records there are of each resource."""
        comment_count = sum(map(len, self.comments.values()))
        return {"users": len(self.users), "tickets": len(self.tickets), "comments": comment_count}

    def _ticket(self, number: int) -> JsonObject:
        return {
            "id": f"ticket-{number:04}",
            "subject": _pick(_SUBJECTS, number),
            "status": _pick(_STATES, number * number),
            "requester_id": self._user_id(number),
            "updated_at": format_utc(_EPOCH + timedelta(minutes=number)),
        }

    def _comments(self, ticket_number: int) -> list[JsonObject]:
        ticket_id = f"ticket-{ticket_number:04}"
        return [
            {
                "id": f"comment-{ticket_number:04}-{place}",
                "ticket_id": ticket_id,
                "author_id": self._user_id(ticket_number + place),
                "body": _pick(_REMARKS, ticket_number + place),
            }
            for place in range(1, ticket_number * 7 % (_MOST_COMMENTS + 1) + 1)
        ]

    def _user_id(self, number: int) -> str:
        return f"user-{number % max(self.user_count, 1) + 1:03}"


def _user(number: int) -> JsonObject:
    first, last = _pick(_FIRST_NAMES, number), _pick(_LAST_NAMES, number)
    return {"id": f"user-{number:03}", "name": f"{first} {last}", "email": f"user{number}@example.com"}


def _pick(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]
