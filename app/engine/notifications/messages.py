"""What a notification says: what, where, since when, how many, and what to do; without markup of any receiver."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.notifications import events
from app.engine.objects.notifications import NotificationKind
from app.engine.times import format_utc

MOST_EXAMPLES: Final = 5
_LONGEST_TEXT: Final = 400
_PREFIXES: Final = {NotificationKind.RESOLVED: "Over: ", NotificationKind.REMINDER: "Still: "}
_PAGES: Final = {
    "sync_job_run_id": "runs",
    "integrated_account_id": "accounts",
    "webhook_id": "webhooks",
    "destination_id": "destinations",
}
"""The dashboard's page about an id; the first one counts."""
_ADVISED: Final = (NotificationKind.OPENED, NotificationKind.REMINDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Incidents of one event and one cause that are sent together."""

    event: str
    kind: NotificationKind
    cause: str
    incidents: int
    accounts: int
    count: int
    """How often it has happened, over all of them."""
    since: datetime
    left: int
    """Of the same cause, those that are not over."""
    examples: Sequence[JsonObject]
    """The facts of some, with ``account_id``, ``tenant_id``, ``integration_name``, ``opened_at``, ``count``."""
    rule_label: str | None = None


def compose(told: Told, *, public_url: str) -> JsonObject:
    """Compose a message; without a public URL it has no links."""
    event = events.EVENTS[told.event]
    examples = [_show_example(told.event, example, public_url) for example in told.examples[:MOST_EXAMPLES]]
    number = told.accounts if event.what == "account" and told.accounts else told.incidents
    subject = _name_single(told) if number == 1 else f"{number:,} {event.what}s"
    cause = f" ({clean(told.cause)})" if told.cause and event.what == "account" else ""
    link = examples[0].get("url") if number == 1 and examples else _link(public_url, "")
    return {
        "event": told.event,
        "kind": told.kind.value,
        "title": f"{_PREFIXES.get(told.kind, '')}{subject}: {event.title}{cause}",
        "text": _write_lines(told, examples, event.advice),
        "url": link,
        "rule": clean(told.rule_label) if told.rule_label else None,
        "cause": clean(told.cause),
        "incidents": told.incidents,
        "accounts": told.accounts,
        "count": told.count,
        "still_open": told.left,
        "since": format_utc(told.since),
        "examples": examples,
    }


def describe(event: str, example: JsonObject) -> str:
    """Return one incident as a sentence; ``example`` are its facts, as in ``Told.examples``."""
    return clean(_DESCRIPTIONS[event](example))


def compose_test() -> JsonObject:
    """Compose what a test sends."""
    return {
        "event": events.TEST,
        "kind": NotificationKind.TEST.value,
        "title": "A test of Ferryman",
        "text": ["If you can read this, notifications arrive here."],
        "url": None,
    }


def clean(text: object) -> str:
    """Return a text on one line, without control characters and not too long: it may come from anybody."""
    plain = "".join(character if character.isprintable() else " " for character in str(text))
    line = " ".join(plain.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"


def _write_lines(told: Told, examples: Sequence[JsonObject], advice: str) -> list[JSON]:
    times = f"; {told.count:,} times" if told.count > told.incidents else ""
    lines = [f"Since {format_utc(told.since)}{times}."]
    lines += [f"- {example['text']}" for example in examples]
    if told.incidents > len(examples):
        lines.append(f"- and {told.incidents - len(examples):,} more")
    if told.kind is NotificationKind.RESOLVED:
        lines.append(f"Not over yet: {told.left:,}." if told.left else "Nothing of this is left.")
    if told.rule_label:
        lines.append(f"Rule: {clean(told.rule_label)}")
    return [*lines, *([f"What to do: {advice}"] if told.kind in _ADVISED else [])]


def _show_example(event: str, example: JsonObject, public_url: str) -> JsonObject:
    ids = ("sync_job_run_id", "sync_job_id", "integrated_account_id", "webhook_id", "destination_id", "schema_id")
    shown: JsonObject = {name: example[name] for name in ids if example.get(name)}
    return {**shown, "text": describe(event, example), "url": _link(public_url, _find_page(example))}


def _find_page(example: JsonObject) -> str:
    """Return the dashboard's page about it, below /ui; an empty text is the overview."""
    return next((f"/{page}/{example[name]}" for name, page in _PAGES.items() if example.get(name)), "")


def _link(public_url: str, page: str) -> str | None:
    return f"{public_url.rstrip('/')}/ui{page}" if public_url else None


def _name_single(told: Told) -> str:
    example, event = told.examples[0], events.EVENTS[told.event]
    if event.what == "account":
        return clean(_name_account(example))
    if told.event in (events.SCHEMA_CHANGED, events.RECORDS_FELL):
        return clean(f"{example.get('integration_name')} {example.get('resource')}")
    label = f" ({example['label']})" if example.get("label") else ""
    return clean(f"{event.what} {example.get('subject')}{label}")


def _name_account(example: JsonObject) -> str:
    known = [f"tenant {example['tenant_id']}"] if example.get("tenant_id") else []
    known += [str(example["integration_name"])] if example.get("integration_name") else []
    return f"account {example.get('integrated_account_id')}" + (f" ({', '.join(known)})" if known else "")


def _describe_failure(example: JsonObject) -> str:
    times = f" ({example['count']:,} in a row)" if example["count"] > 1 else ""
    run = f"run {example.get('sync_job_run_id')}{times}"
    return f"{_name_account(example)}: {run}: {example.get('message') or 'failed'}"


def _describe_destination(example: JsonObject) -> str:
    label = f" ({example['label']})" if example.get("label") else ""
    message = f": {example['message']}" if example.get("message") else ""
    return f"destination {example.get('destination_id')}{label}: {example.get('accounts')} accounts wait{message}"


_DESCRIPTIONS: Final[Mapping[str, Callable[[JsonObject], str]]] = MappingProxyType(
    {
        events.RUN_FAILED: _describe_failure,
        events.RUN_FAILED_REPEATEDLY: _describe_failure,
        events.RUN_STALLED: lambda example: (
            f"run {example.get('sync_job_run_id')} of {_name_account(example)} is {example.get('status')}"
        ),
        events.RECORDS_FELL: lambda example: (
            f"{_name_account(example)}: {example.get('resource')}: {example.get('fetched')} records, "
            f"{example.get('before')} before"
        ),
        events.RECORDS_QUARANTINED: lambda example: (
            f"{_name_account(example)}: {example.get('records')} records of run {example.get('sync_job_run_id')}"
        ),
        events.STALE: lambda example: (
            f"{_name_account(example)}: {example.get('resource')}, last complete: {example.get('last') or 'never'}"
        ),
        events.AUTHENTICATION_ERROR: lambda example: f"{_name_account(example)}: {example.get('message') or 'refused'}",
        events.WEBHOOK_DISABLED: lambda example: f"webhook {example.get('webhook_id')}: {example.get('message')}",
        events.WEBHOOK_BEHIND: lambda example: (
            f"webhook {example.get('webhook_id')}: the oldest event waits since {example.get('waits_since')}"
        ),
        events.DESTINATION_FAILING: _describe_destination,
        events.DESTINATION_BEHIND: _describe_destination,
        events.SCHEMA_CHANGED: lambda example: (
            f"{example.get('integration_name')} {example.get('resource')}: "
            f"{', '.join(str(name) for name in example.get('columns') or [])}"
        ),
    }
)
