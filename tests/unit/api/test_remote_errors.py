"""What an account's API refuses is answered by its status, and its own words beside ours."""

import pytest

from app.api.errors import remote_errors
from app.engine.record_errors import (
    LoopError,
    MappingError,
    PlaceholderError,
    ProviderAnswer,
    RateLimitedError,
    RecordError,
    SourceError,
)


def answered(status: int, body: str = '{"why": 1}') -> SourceError:
    answer = ProviderAnswer(status=status, headers={"x-request-id": "r"}, body=body)
    return SourceError(f"http_{status}", "no", status=status, answer=answer)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (answered(404), 404),
        (answered(422), 422),
        (answered(499), 502),
        (answered(503), 502),
        (SourceError("timeout", "late"), 504),
        (SourceError("connect", "nobody"), 502),
        (SourceError("request", "a '..' in the path"), 400),
        (RateLimitedError(3.2), 429),
        (MappingError("response_mapping", "no"), 422),
        (PlaceholderError("id", "no id"), 400),
        (LoopError(), 400),
    ],
)
def test_status_tells_who_is_to_blame(error: RecordError, status: int) -> None:
    assert remote_errors.status_of(error) == status


def test_the_providers_words_stand_beside_ours() -> None:
    forbidden, plain = remote_errors.details_of(answered(403)), remote_errors.details_of(answered(400, "<html>"))

    assert (forbidden["truto_is_remote_error"], forbidden["raw_response"]) == (True, {"why": 1})
    assert sorted(forbidden["truto_error_insight"]) == ["forbidden_error", "remote_error"]
    assert (plain["raw_response"], list(plain["truto_error_insight"])) == ("<html>", ["remote_error"])
    assert remote_errors.details_of(MappingError("query", "no")) == {}


def test_waits_are_told_as_the_client_expects() -> None:
    limited = RateLimitedError(3.2)

    assert remote_errors.headers_of(limited) == {"retry-after": "3"}
    assert remote_errors.details_of(limited)["truto_error_insight"]["rate_limit_error"]["value"] == {"retry_after": 3.2}
    assert remote_errors.headers_of(answered(400)) == {"x-request-id": "r"}
    assert remote_errors.headers_of(LoopError()) == {}
