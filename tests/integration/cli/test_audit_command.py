"""``ferryman audit`` lists and shows changes."""

from tests.support.served_api import served_api
from tests.support.servers import PostgresServer


def test_changes_are_listed_narrowed_and_shown(postgres_server: PostgresServer) -> None:
    with served_api(postgres_server) as served:
        webhook = served.client.post("/webhook", {"target_url": "https://example.com/hook"})
        served.client.patch(f"/webhook/{webhook['id']}", {"is_active": False})

        found = served.shown("audit", "list", "--type", "webhook", "--since", "1h")["result"]
        entry = served.shown("audit", "show", found[0]["id"])
        listed = served.ferryman("audit", "list", "--action", "webhook.updated", "--actor-kind", "token")
        nothing = served.ferryman("audit", "list", "--actor-kind", "operator", "--object", webhook["id"])

        assert [one["action"] for one in found] == ["webhook.updated", "webhook.created"]
        assert (entry["before"], entry["after"]) == ({"is_active": True}, {"is_active": False})
        assert "webhook.updated" in listed.output
        assert "webhook.created" not in listed.output
        assert "There are no such changes." in nothing.output
        assert served.ferryman("audit", "show", "nothing").exit_code != 0
