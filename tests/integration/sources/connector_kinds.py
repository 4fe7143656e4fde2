"""The kinds of lists that shipped connectors read: how each goes on and ends, as its vendor documents it."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.integration.sources.list_kind import Answer, At, Json, Kind, Make, says


def link(at: At) -> Answer:
    query = urlencode({**at.first["query"], "page": at.number + 2})
    back = f'<{at.url}{at.first["path"]}?page=1>; rel="prev", ' if at.number else ""
    return Answer(
        body=at.body(), headers={"Link": f'{back}<{at.url}{at.first["path"]}?{query}>; rel="next", <x>; rel="last"'}
    )


GITHUB = Kind(
    more=link,
    following=lambda at: at.asked(page=at.number + 2),
    lasts={
        "no next": (
            "no_cursor",
            lambda at: Answer(body=at.body(), headers={"Link": '<x>; rel="prev", <x>; rel="first"'}),
        ),
        "no Link": ("no_cursor", says()),
    },
)


HUBSPOT = Kind(
    more=lambda at: Answer(body=at.body(paging={"next": {"after": f"c{at.number}", "link": "x"}})),
    following=lambda at: at.asked(after=f"c{at.number}"),
    lasts={"no paging": ("no_cursor", says()), "no next": ("no_cursor", says(paging={}))},
    broken={"a next without after": says(paging={"next": {"link": "x"}})},
)


def beyond_the_last_id(at: At) -> Json:
    (group,) = at.first["body"]["filterGroups"]
    changed, _, before = group["filters"]
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": at.records[-1]["id"]}
    groups = [{"filters": [changed, beyond, before]}]
    return {**at.first, "body": {**at.first["body"], "filterGroups": groups}}


HUBSPOT_SEARCH = Kind(
    more=lambda at: Answer(body=at.body(total=at.total - at.before, paging={"next": {"after": "2"}})),
    following=beyond_the_last_id,
    lasts={"no paging": ("expression", lambda at: Answer(body=at.body(total=len(at.records))))},
    broken={"a next without results": lambda at: Answer(body={"results": [], "paging": {"next": {"after": "2"}}})},
)


def intercom_pages(at: At, **more: Any) -> Answer:
    return Answer(body=at.body(total_count=at.total, pages={"type": "pages", "page": at.number + 1, **more}))


def in_body(at: At) -> Json:
    pagination = {**at.first["body"]["pagination"], "starting_after": f"c{at.number}"}
    return {**at.first, "body": {**at.first["body"], "pagination": pagination}}


INTERCOM = Kind(
    more=lambda at: intercom_pages(at, next={"page": at.number + 2, "starting_after": f"c{at.number}"}, total_pages=3),
    following=lambda at: at.asked(starting_after=f"c{at.number}"),
    lasts={
        "next is null": ("no_more", lambda at: intercom_pages(at, next=None, total_pages=3)),
        "no next": ("no_cursor", lambda at: intercom_pages(at, total_pages=3)),
    },
    broken={"a next without starting_after": lambda at: intercom_pages(at, next={"page": at.number + 2})},
    strange={"no pages": says()},
)
INTERCOM_SEARCH = replace(
    INTERCOM,
    following=in_body,
    lasts={
        "next is null": ("no_more", lambda at: intercom_pages(at, next=None, total_pages=3)),
        "no next": ("expression", lambda at: intercom_pages(at, total_pages=3)),
    },
)
INTERCOM_PAGES = Kind(
    more=lambda at: intercom_pages(at, next=f"{at.url}/companies/list?page={at.number + 2}", total_pages=3),
    following=lambda at: at.asked(page=at.number + 2),
    lasts={
        "next is null": ("no_more", lambda at: intercom_pages(at, next=None, total_pages=at.number + 1)),
        "no next": ("total_pages", lambda at: intercom_pages(at, total_pages=at.number + 1)),
    },
)
INTERCOM_PARTS = Kind(
    more=None,
    lasts={
        "all parts": ("expression", says(conversation_parts={"total_count": 5})),
        "the 500 that are given": ("expression", says(conversation_parts={"total_count": 501})),
    },
)


def jira_page(at: At, **more: Any) -> Answer:
    return Answer(body=at.body(startAt=at.before, maxResults=50, **more))


JIRA = Kind(
    more=lambda at: jira_page(at, total=at.total, isLast=False),
    following=lambda at: at.asked(startAt=at.before + len(at.records)),
    lasts={
        "isLast": ("stop_when", lambda at: jira_page(at, total=at.total, isLast=True)),
        "isLast without total": ("stop_when", lambda at: jira_page(at, isLast=True)),
        "isLast, and a total that counts too many": ("stop_when", lambda at: jira_page(at, total=99, isLast=True)),
    },
)
JIRA_COUNTED = Kind(
    more=lambda at: jira_page(at, total=at.total),
    following=lambda at: at.asked(startAt=at.before + len(at.records)),
    lasts={"total": ("total", lambda at: jira_page(at, total=at.total))},
)
JIRA_ISSUES = Kind(
    more=lambda at: Answer(body=at.body(nextPageToken=f"c{at.number}", isLast=False)),
    following=lambda at: at.asked(nextPageToken=f"c{at.number}"),
    lasts={
        "isLast": ("expression", says(isLast=True)),
        "a token that is null": ("expression", says(isLast=True, nextPageToken=None)),
        "neither": ("expression", says()),
    },
    broken={"not the last, and no token": says(isLast=False)},
)
JIRA_USERS = Kind(
    more=says(),
    following=lambda at: at.asked(startAt=200 * (at.number + 1)),
    lasts={"two empty pages": ("expression", says())},
    is_done_by_empty_pages=True,
    record=lambda number: {"accountId": f"r{number}"},
)


def locator(at: At) -> str:
    return f"/services/data/v62.0/query/01g-{at.before + len(at.records)}"


SALESFORCE = Kind(
    more=lambda at: Answer(body=at.body(totalSize=at.total, done=False, nextRecordsUrl=locator(at))),
    following=lambda at: {**at.first, "path": locator(at), "query": {}},
    lasts={
        "done": ("expression", lambda at: Answer(body=at.body(totalSize=at.total, done=True))),
        "done, a record was deleted": (
            "expression",
            lambda at: Answer(body=at.body(totalSize=at.total + 1, done=True)),
        ),
    },
    broken={"not done, and no nextRecordsUrl": lambda at: Answer(body=at.body(totalSize=at.total, done=False))},
)


def slack(metadata: Json | None = None, **more: Any) -> Make:
    return says(ok=True, **({} if metadata is None else {"response_metadata": metadata}), **more)


SLACK = Kind(
    more=lambda at: slack({"next_cursor": f"c{at.number}="})(at),
    following=lambda at: at.asked(cursor=f"c{at.number}="),
    lasts={
        "an empty next_cursor": ("no_cursor", slack({"next_cursor": ""})),
        "a next_cursor of null": ("no_cursor", slack({"next_cursor": None})),
        "no next_cursor": ("no_cursor", slack({})),
        "no response_metadata": ("no_cursor", slack()),
    },
)
SLACK_MEMBERS = replace(SLACK, record=lambda number: f"U{number}")
SLACK_MESSAGES = replace(
    SLACK,
    more=lambda at: slack({"next_cursor": f"c{at.number}="}, has_more=True)(at),
    lasts={
        "no more": ("no_more", slack(has_more=False)),
        "no more, and an empty cursor": ("no_more", slack({"next_cursor": ""}, has_more=False)),
    },
    broken={
        "more, and no response_metadata": slack(has_more=True),
        "more, and an empty cursor": slack({"next_cursor": ""}, has_more=True),
    },
)


STRIPE = Kind(
    more=says(object="list", has_more=True),
    following=lambda at: at.asked(starting_after=at.records[-1]["id"]),
    lasts={"no more": ("no_more", says(object="list", has_more=False))},
    broken={"more, and no data": lambda at: Answer(body={"object": "list", "has_more": True, "data": []})},
)


def zendesk(cursor: str | None, *, more: bool) -> Make:
    return says(meta={"has_more": more, "after_cursor": cursor, "before_cursor": "b"})


ZENDESK = Kind(
    more=lambda at: zendesk(f"c{at.number}", more=True)(at),
    following=lambda at: at.asked(**{"page[after]": f"c{at.number}"}),
    lasts={
        "no more, and a cursor": ("no_more", zendesk("end", more=False)),
        "no more, no cursor": ("no_more", zendesk(None, more=False)),
    },
    broken={"more, and no cursor": zendesk(None, more=True)},
    strange={"no meta, as by offsets": says(next_page="x", count=500)},
)
ZENDESK_OF_A_TICKET = replace(
    ZENDESK,
    lasts={**ZENDESK.lasts, "an archived ticket's, all at once": ("no_cursor", says(next_page=None, count=5))},
    strange={},
)


def exported(at: At) -> str:
    return f"{at.first['path']}.json?cursor=c{at.number}"


def export_request(at: At) -> Json:
    return {**at.first, "path": f"{at.first['path']}.json", "query": {"cursor": f"c{at.number}"}}


ZENDESK_EXPORT = Kind(
    more=lambda at: Answer(body=at.body(after_url=at.url + exported(at), after_cursor="c", end_of_stream=False)),
    following=export_request,
    lasts={
        "the end, with a cursor for the next export": (
            "expression",
            lambda at: Answer(body=at.body(after_url=at.url + exported(at), after_cursor="c", end_of_stream=True)),
        ),
        "the end, no cursor": ("expression", says(after_url=None, after_cursor=None, end_of_stream=True)),
    },
    broken={"not the end, and no after_url": says(after_url=None, after_cursor=None, end_of_stream=False)},
)
ZENDESK_FORMS = Kind(
    more=lambda at: Answer(
        body=at.body(next_page=f"{at.url}{at.first['path']}.json?page={at.number + 2}", count=at.total)
    ),
    following=lambda at: {**at.first, "path": f"{at.first['path']}.json", "query": {"page": str(at.number + 2)}},
    lasts={
        "next_page is null": ("no_cursor", lambda at: Answer(body=at.body(next_page=None, count=at.total))),
        "no next_page": ("no_cursor", says()),
    },
)

AT_ONCE = Kind(more=None, lasts={"everything at once": ("single_page", says())})
