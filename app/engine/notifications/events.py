"""What can be watched: for each event its bounds, its scope, and the words of its messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject

RUN_FAILED: Final = "sync_job_run:failed"
RUN_FAILED_REPEATEDLY: Final = "sync_job_run:failed_repeatedly"
RUN_STALLED: Final = "sync_job_run:stalled"
RECORDS_FELL: Final = "sync_job_run:records_fell"
RECORDS_QUARANTINED: Final = "sync_job_run:quarantined"
STALE: Final = "record:stale"
AUTHENTICATION_ERROR: Final = "integrated_account:authentication_error"
WEBHOOK_DISABLED: Final = "webhook:disabled"
WEBHOOK_BEHIND: Final = "webhook:behind"
DESTINATION_FAILING: Final = "destination:failing"
DESTINATION_BEHIND: Final = "destination:behind"
SCHEMA_CHANGED: Final = "schema:changed"
TEST: Final = "test"

_LONGEST_MINUTES: Final = 90 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A number in a rule's config."""

    default: int
    most: int
    least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedEvent:
    """An event that people can be notified of."""

    title: str
    """What is so, behind the number or name of what it is about."""
    what: str
    """What it is about, in the singular."""
    advice: str
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    """The numbers of a rule's config."""
    has_resource: bool = False
    """A rule has to name a resource."""
    has_job: bool = False
    """A rule may be of one job."""
    has_account: bool = False
    """A rule may be of one account."""
    ends: bool = True
    """It can be over, which is sent too."""
    is_reminded: bool = True
    is_default: bool = False
    """A destination without rules is notified of it."""


def _minutes(default: int) -> Mapping[str, Bound]:
    return {"minutes": Bound(default=default, most=_LONGEST_MINUTES)}


EVENTS: Final[Mapping[str, WatchedEvent]] = MappingProxyType(
    {
        RUN_FAILED: WatchedEvent(
            title="runs fail",
            what="account",
            advice="Read the run's error, mend its cause, then resume the run.",
            has_job=True,
            has_account=True,
            is_default=True,
        ),
        RUN_FAILED_REPEATEDLY: WatchedEvent(
            title="runs fail again and again",
            what="account",
            advice="Read the run's error, mend its cause, then resume the run.",
            bounds={"count": Bound(default=3, least=2, most=1000)},
            has_job=True,
            has_account=True,
        ),
        RUN_STALLED: WatchedEvent(
            title="no progress",
            what="run",
            advice="'ferryman run why ID' says what a run waits for.",
            bounds=_minutes(60),
            has_job=True,
            has_account=True,
        ),
        RECORDS_FELL: WatchedEvent(
            title="far fewer records than before",
            what="resource",
            advice="Compare with the upstream: a filter, a permission or an API may have changed.",
            bounds={"percent": Bound(default=50, most=100)},
            has_job=True,
            has_account=True,
            is_reminded=False,
        ),
        RECORDS_QUARANTINED: WatchedEvent(
            title="many records that can not be stored or sent",
            what="account",
            advice="The run's errors name the records and the reasons.",
            bounds={"count": Bound(default=100, most=10**9, least=0)},
            has_job=True,
            has_account=True,
        ),
        STALE: WatchedEvent(
            title="stale records",
            what="account",
            advice="Look at the account's last runs, and at the trigger that should create them.",
            bounds=_minutes(24 * 60),
            has_resource=True,
            has_job=True,
            has_account=True,
        ),
        AUTHENTICATION_ERROR: WatchedEvent(
            title="to be reconnected",
            what="account",
            advice="The account's owner connects it anew, or gives new credentials.",
            has_account=True,
            is_default=True,
        ),
        WEBHOOK_DISABLED: WatchedEvent(
            title="disabled, since its receiver failed for too long",
            what="webhook",
            advice="Mend the receiver, then set is_active to true: what waits is sent.",
            is_default=True,
        ),
        WEBHOOK_BEHIND: WatchedEvent(
            title="behind",
            what="webhook",
            advice="The webhook's deliveries show what its receiver answers.",
            bounds=_minutes(60),
        ),
        DESTINATION_FAILING: WatchedEvent(
            title="writes fail",
            what="destination",
            advice="'ferryman datastore test ID' tries the datastore; what waits is written once it works.",
            bounds=_minutes(5),
            is_default=True,
        ),
        DESTINATION_BEHIND: WatchedEvent(
            title="behind",
            what="destination",
            advice="'ferryman destination cursors ID' shows which accounts wait.",
            bounds=_minutes(60),
        ),
        SCHEMA_CHANGED: WatchedEvent(
            title="columns have changed",
            what="schema",
            advice="Check what reads these columns.",
            ends=False,
            is_reminded=False,
        ),
    }
)
DEFAULTS: Final = tuple(name for name, event in EVENTS.items() if event.is_default)
"""What a destination without rules is notified of."""


def check_event_types(names: list[str] | None) -> list[Failure]:
    """Return the failures of names that are no events."""
    return [
        Failure(f"event_types[{position}]", f"'{name[:80]}' is no event: expected one of {', '.join(EVENTS)}")
        for position, name in enumerate(names or ())
        if name not in EVENTS
    ]


def check_rule(event_name: JSON, config: JSON, scope: JsonObject) -> list[Failure]:
    """Return every fault of a rule: its event, the keys of its config, and the scope that its event can have."""
    event = EVENTS.get(event_name) if isinstance(event_name, str) else None
    if event is None:
        return [Failure("event", f"expected one of: {', '.join(EVENTS)}")]
    found = [
        Failure(name, f"is no scope of {event_name}: leave it out")
        for name, is_known in (("sync_job_id", event.has_job), ("integrated_account_id", event.has_account))
        if scope.get(name) is not None and not is_known
    ]
    if not isinstance(config, dict):
        return [*found, Failure("config", "expected an object")]
    keys = [*event.bounds, *(["resource"] if event.has_resource else [])]
    expected = ", ".join(keys) or "none"
    found += [
        Failure(f"config.{name}", f"is no key of {event_name}: expected {expected}")
        for name in config
        if name not in keys
    ]
    return [*found, *_check_values(event, config)]


def read_bounds(event_name: str, config: JsonObject) -> JsonObject:
    """Return a rule's numbers, each with its default, and the resource."""
    event = EVENTS[event_name]
    numbers = {name: config.get(name, bound.default) for name, bound in event.bounds.items()}
    return {**numbers, "resource": config.get("resource")}


def _check_values(event: WatchedEvent, config: JsonObject) -> list[Failure]:
    found = []
    for name, bound in event.bounds.items():
        value = config.get(name, bound.default)
        if type(value) is not int or not bound.least <= value <= bound.most:
            found.append(Failure(f"config.{name}", f"expected a whole number from {bound.least} to {bound.most}"))
    resource = config.get("resource")
    if event.has_resource and not (isinstance(resource, str) and 0 < len(resource) <= 200):
        found.append(Failure("config.resource", "expected the name of a resource, such as tickets"))
    return found
