"""Records land in the tables of another Postgres, each once, as they are now."""

from tests.support.landing import Landing
from tests.support.target import TargetDatabase


def test_records_of_all_accounts_land_in_one_table(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config)
    first, second = landing.account("a"), landing.account("b")
    landing.write(first, {"1": {"name": "Ada", "age": 36, "tags": ["x"], "vip": True}})
    landing.write(second, {"1": {"name": "Bob", "price": 1.5}})

    landing.land()

    rows = target.dicts("select * from acme.tickets order by tenant_id")
    shown = [{k: v for k, v in row.items() if k not in ("account_id", "synced_at")} for row in rows]
    nothing = {"remote_id": "1", "sequence": 1, "deleted_at": None}
    assert shown == [
        {**nothing, "tenant_id": "a", "name": "Ada", "age": 36, "tags": ["x"], "vip": True, "price": None},
        {**nothing, "tenant_id": "b", "name": "Bob", "age": None, "tags": None, "vip": None, "price": 1.5},
    ]
    assert {(one.cursor, one.read, one.written, one.lag_records) for one in landing.cursors(destination)} == {
        (1, 1, 1, 0)
    }
