"""Why a request that fits the document may be refused all the same: what no JSON Schema can say."""

import re
from typing import Final

from app.engine.json_types import JSON

_REASONS: Final = {
    "what it refers to has to exist": r"\S+: .*(does not exist|is no resource of .*|is not an installation of .*)",
    "and is named one way or the other": r"integration_name: expected this or environment_integration_id",
    "a name is taken once": r"name: an? (integration|unified model|environment) (named|called) .* exists already",
    "and so is the id of a tenant": r"id: a tenant .* exists already",
    "some things stay as they were made": r"\S+: can not be changed: .*",
    "somebody else was faster": r"version: is \d+ by now: read .* again before changing it",
    "others need it": r"id: .* belong to this integration, delete them first: .*",
    "a time passes": r"expires_at: expected a time that is still to come",
    "cursors are those that a list gave": r"next_cursor: is not a cursor that this (list|account) gave",
    "and of the order that they came with": r"next_cursor: belongs to a list in another order: .*",
    "Postgres keeps no U+0000 and 64 bits of an integer": (
        r".*: (holds (the character )?U\+0000.*|is an integer of more than 64 bits: .*|is too large for a number)"
    ),
    "in a query 1.0 is no whole number": r"(limit|wait|after_seq): Not a valid integer\.",
    "an address has a port, or brackets that match": r"target_url: expected an http or https address",
    "the zones of the IANA database": r"timezone: .* is not a zone of the IANA database, .*",
    "a cron expression has a grammar": r"cron_expression: (.*expected five fields.*|is never due)",
    "each kind of log is narrowed by what it has": r"\w+: the log of \w+ is not narrowed by it: .*",
    "most kinds of log are read by a hundred": r"limit: expected a number from 1 to 100 for the log of \w+",
    "one look at the log spans a month": r"created_at\[gte?\]: reaches back \d+ days: .*",
    "a run is either one or the other": r"daemon_group_key: .* exclude each other: send one of them",
    "a template may have no resources, its job may not": r"resources: expected a list of at least one resource",
    "JSON Schema is judged by its own schema": r"args_schema.*: expected .*|resources\..*: is no JSON Schema: .*",
    "JSONata has a grammar": r"(args_validation|config\.\w+(_mapping|\.\w*expression)?|resources\.\d+\.query): .*",
    "a job's items make a tree, and its texts hold placeholders": r"resources\.\d+.*: .*",
    "a format has a config of its own": r"config\.(authorization|pagination|resources|headers|query|base_url)\b.*: .*",
    "what is merged into a config has its keys": r".+: is no key that is known here: .*",
    "what a change makes of a config is judged as a config": r"(integration_)?override\..*: .*",
    "hosts are hosts, and who is no secret is named": r"config\.(allowed_hosts|non_secret)\b.*: .*",
    "a mapping is of a method, and there is one of each": r"\w+_name: (exists already .*|'.*' has no method .*)",
    "a path is a path": r"\S+: (is neither a path nor JSONata|expected a path such as).*",
    "what is not supported is refused": r"id: actions\.post_install of .* are not .*",
    "an account rests or does not": r"status: (expected active or inactive|is needs_reauth, which .*)",
    "and is asked for nothing while it rests": r"(integrated_account_id|id): is inactive: .*",
    "a tenant with accounts stays": r"id: tenant .* has accounts: .*",
    "many are deleted one way": r": expected one of ids, tenant_id, query, found .*",
    "and by filters that say something": r"query(\..*)?: (is empty.*|is no filter here.*|expected a text, .*)",
    "the id of a datastore is taken once too": r"id: a datastore .* exists already",
    "and others need it": r"id: destinations write there, delete them first: .*",
    "a datastore's type has a config of its own": (
        r"config(\..+)?: (is required|is no key of the type .*|lacks .*|expected .*|is part of .*|has .*|is .*)"
    ),
    "a destination reads of one account, of one job, or of all": r"sync_job_id: expected this or .*, or neither",
    "and options": r"options(\..+)?: .*",
    "a destination is filled from a number, or from what was left out": r"quarantined: expected this or .*, not both",
    "an export is of a resource that there is": r"resource: there is no resource .*",
    "and methods": r"method: is none of the type .*",
    "what an operator has not set up is not offered": r"type: .* is not offered here: .*",
    "runs have some filters, and no others": r"filters\.[^:]*: (is not a filter|expected |'.*).*",
    "a bulk action begins once it is counted, and not after its end": r"id: (is still being counted|was cancelled): .*",
    "states that are nowhere else are not rebuilt": r"mode: is append: .*",
    "and a webhook's run lands nowhere": r"wait_for_destinations: is for daemon runs: .*",
    "a daemon group is named where one process writes": r"daemon_group_key: is required: a file of DuckDB has one .*",
    "an event of notifications is one of some": r"(event|event_types\[\d+\]): (is|expected|'.*' is no event: ).*",
    "and has a scope of its own": r"(sync_job_id|integrated_account_id): is no scope of .*",
    "a number of a log is one account's": r"after_seq: is a number of one account's log: name the account too",
    "what is to be parsed as JSON whatever its type is JSON": r": the body is not (UTF-8|JSON).*",
    "a path stays below base_url": r"path: (holds '\.' or '\.\.' as a segment|expected a path below).*",
    "a mapping is a config too": r"unified_model_override\..*: .*",
}
_EXPECTED: Final = [re.compile(pattern, re.DOTALL) for pattern in _REASONS.values()]


def is_expected(answer: JSON) -> bool:
    """Whether each of an answer's faults is one of those."""
    faults = answer.get("details", {}).get("failures", []) if isinstance(answer, dict) else []
    told = [f"{fault['path']}: {fault['message']}" for fault in faults]
    return bool(told) and all(any(pattern.fullmatch(one) for pattern in _EXPECTED) for one in told)
