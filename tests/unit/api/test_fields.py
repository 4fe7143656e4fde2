from datetime import UTC, datetime

import pytest
from marshmallow import Schema, ValidationError

from app.api.schemas.fields import Flag, Id, Time, Whole
from app.engine.json_types import JSON


class Fields(Schema):
    id = Id()
    flag = Flag()
    whole = Whole()
    time = Time(allow_none=True)


@pytest.mark.parametrize(
    ("name", "given", "loaded"),
    [
        ("id", "1BA1F401-7183-47C5-9E39-E8E257E3C795", "1ba1f401-7183-47c5-9e39-e8e257e3c795"),
        ("flag", True, True),
        ("flag", "false", False),
        ("whole", 3, 3),
        ("whole", 3.0, 3),
        ("time", "2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
        ("time", "2026-01-05T10:00:00.123Z", datetime(2026, 1, 5, 10, 0, 0, 123000, tzinfo=UTC)),
        ("time", "2026-01-05T10:00:00 02:00", datetime(2026, 1, 5, 8, tzinfo=UTC)),
        ("time", "2026-01-05 10:00:00", datetime(2026, 1, 5, 10, tzinfo=UTC)),
    ],
)
def test_loads(name: str, given: JSON, loaded: JSON) -> None:
    assert Fields().load({name: given}) == {name: loaded}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(("id", value) for value in ("", "x", 5, "1ba1f401718347c59e39e8e257e3c795", "z" * 36)),
        *(("flag", value) for value in (1, 0, "yes", "True", 1.0, [], {})),
        *(("whole", value) for value in (True, "4", 1.5, float("inf"), [])),
        *(("time", value) for value in ("", "now", 5, "0001-01-01T00:00:00+10:00", "2026-13-01", [])),
    ],
)
def test_refuses(name: str, given: JSON) -> None:
    with pytest.raises(ValidationError):
        Fields().load({name: given})
