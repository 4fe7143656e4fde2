"""What the compatible API has and Ferryman does not, with the reason, which the 404 or 405 answers."""

from collections.abc import Mapping
from typing import Final

_PROGRAMS: Final = "there are no programs of a customer's daemons"
_RECEIVED: Final = "events of third parties are not received"
_AFTERWARDS: Final = "what happens after a run is its webhook's matter"
_OWN_DAEMONS: Final = "daemons enrol themselves when they start"

PATHS: Final[Mapping[str, str]] = {
    "alarm": "POST /notification-rule says what people are notified of",
    "batch-request": "a run is of a job: make one, and run it",
    "category": "integrations are the operator's own, and few",
    "daemon-job": _PROGRAMS,
    "daemon-job-cron-trigger": _PROGRAMS,
    "daemon-job-run": _PROGRAMS,
    "documentation": "there is no documentation of integrations for end users",
    "environment-integration-webhook": _RECEIVED,
    "file": "files are called from accounts by /proxy, and none is kept",
    "integrated-account-webhook": _RECEIVED,
    "link-token": "the page on which users connect accounts is yours: POST /integrated-account/token is for it",
    "mcp": "there is no server of tools for language models: /integrated-account/{id}/tools describes them",
    "sandbox-integrated-account": "an account of a test environment does the same",
    "static-gate": "there are no pages but /docs",
    "team": "whoever runs Ferryman is the only team",
    "user": "tokens call, not users",
    "workflow": _AFTERWARDS,
    "workflow-run": _AFTERWARDS,
}
"""By the first part of a path."""
METHODS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "daemon"): _OWN_DAEMONS,
    ("PATCH", "daemon"): _OWN_DAEMONS,
    ("DELETE", "daemon"): _OWN_DAEMONS,
    ("POST", "environment"): "environments are made at the command line",
    ("DELETE", "environment"): "environments are removed by nobody",
}
"""By the method and that part."""


def reason(path: str, method: str) -> str | None:
    """Return the reason why a path or method of the compatible API is not served; None for an unknown one."""
    first = path.strip("/").partition("/")[0]
    return PATHS.get(first) or METHODS.get((method, first))
