"""Real receivers of each type: what they get, what they answer, and what becomes of a message that they refuse."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from app.engine.errors import DeliveryError
from app.engine.json_types import JsonObject
from app.services.maintenance.duties import start_thread
from tests.support.http_server import HttpServer, Request, Response
from tests.support.mail_server import PASSWORD, USER, MailServer, running_mail_server
from tests.support.notified_place import SLACK_SECRET, NotifiedPlace, Slack
from tests.support.patience import wait_for
from tests.support.servers import PostgresServer
from tests.support.tls_tunnel import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"), host="localhost")


@pytest.fixture(params=["starttls", "tls"])
def security(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mail_server(authority: Authority, security: str) -> Iterator[MailServer]:
    with running_mail_server(authority, is_tls=security == "tls") as server:
        yield server


def _mail_config(server: MailServer, authority: Authority, security: str) -> JsonObject:
    return {
        **{
            "to": ["ops@example.com"],
            "cc": "lead@example.com",
            "bcc": ["hidden@example.com"],
            "subject_prefix": "[prod]",
        },
        **{"from": "ferryman@example.com", "host": "localhost", "port": server.port, "security": security},
        **{"user": USER, "password": PASSWORD, "root_certificate": authority.certificate.read_text()},
    }


def test_mail_is_handed_over_by_tls_with_a_login(
    place: NotifiedPlace, mail_server: MailServer, authority: Authority, security: str
) -> None:
    made = place.destination("email", _mail_config(mail_server, authority, security))
    account = place.new_account("acme\r\nBcc: thief@example.com")
    place.fail(account, message="no\r\nX-Evil: 1")

    place.look()
    answer = place.api.notifications.destinations.test(place.environment, made.id)

    (mail, receivers), (test, _) = mail_server.mails
    assert receivers == ["ops@example.com", "lead@example.com", "hidden@example.com"]
    assert mail["Subject"].startswith(f"[prod] account {account} (tenant acme Bcc: thief@example.com, acme): runs fail")
    assert (mail["To"], mail["Cc"], mail["Bcc"], mail["X-Evil"]) == ("ops@example.com", "lead@example.com", None, None)
    assert "What to do: " in mail.get_content()
    (row,) = place.rows("select id from notification where notification_destination_id = :id", id=made.id)
    assert mail["Message-ID"] == f"<{row['id']}@example.com>"
    assert "A test of Ferryman" in test["Subject"]
    assert answer == {"status_code": 250, "answer": "accepted for 3 addresses"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"root_certificate": None}, "the server's certificate is not trusted"),
        ({"host": "127.0.0.1"}, "the server's certificate is not trusted"),
        ({"password": "wrong"}, "the server refused the login"),
        ({"port": 1}, "the server can not be reached: ConnectionRefusedError"),
        ({"to": ["nobody@example.com"]}, "refused 1 of 3 addresses"),
    ],
    ids=["unknown-authority", "other-host", "wrong-password", "nobody-there", "refused-address"],
)
def test_mail_server_that_can_not_be_used_is_told_in_words(
    place: NotifiedPlace, mail_server: MailServer, authority: Authority, security: str, change: JsonObject, words: str
) -> None:
    mail_server.refused = "nobody@example.com"
    config = {**_mail_config(mail_server, authority, security), **change}
    made = place.destination("email", {name: value for name, value in config.items() if value is not None})

    with pytest.raises(DeliveryError) as caught:
        place.api.notifications.destinations.test(place.environment, made.id)

    assert words in caught.value.message
    assert PASSWORD not in caught.value.message


def test_hosts_that_are_not_public_are_refused_unless_the_operator_allows_their_network(notified_url: str) -> None:
    place = NotifiedPlace(notified_url, {"allowed_networks": ""})
    own: JsonObject = {"to": ["o@example.com"], "from": "f@example.com", "host": "localhost", "port": 25}
    configs: list[tuple[str, JsonObject]] = [
        ("email", own),
        ("slack", {"webhook_url": "http://127.0.0.1:1/x"}),
        ("webhook", {"target_url": "http://localhost:1/x"}),
    ]
    for kind, config in configs:
        made = place.destination(kind, config)
        with pytest.raises(DeliveryError) as caught:
            place.api.notifications.destinations.test(place.environment, made.id)
        assert "FERRYMAN_ALLOWED_NETWORKS does not list it" in caught.value.message
    place.close()


def test_operators_server_serves_mail_that_names_none(notified_url: str, authority: Authority, tmp_path: Path) -> None:
    with running_mail_server(authority, is_tls=False) as server:
        mail = {"smtp_url": f"smtp://{USER}:{PASSWORD}@localhost:{server.port}", "smtp_from": "ferry@example.com"}
        # Its host may be anywhere, and its certificate is checked as any.
        place = NotifiedPlace(notified_url, {**mail, "allowed_networks": ""})
        made = place.destination("email", {"to": ["ops@example.com"]})

        with pytest.raises(DeliveryError, match="certificate is not trusted"):
            place.api.notifications.destinations.test(place.environment, made.id)
        place.close()


def test_generic_webhook_is_signed_as_others_are(place: NotifiedPlace) -> None:
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(status=202, body=b"taken")

    server = HttpServer(answer)
    made = place.destination("webhook", {"target_url": f"{server.url}/hook"})
    account = place.new_account()
    place.fail(account)
    place.look()
    answered = place.api.notifications.destinations.test(place.environment, made.id)
    server.close()

    told, test = (Webhook(made.config["secret"]).verify(one.body, dict(one.headers)) for one in requests)
    assert requests[0].headers["webhook-id"] == told["id"]
    assert (told["event"], told["payload"]["event"]) == ("notification:opened", "sync_job_run:failed")
    assert told["payload"]["examples"][0]["integrated_account_id"] == account
    assert (told["environment_id"], told["notification_destination_id"]) == (place.environment, made.id)
    assert test["event"] == "notification:test"
    assert answered == {"status_code": 202, "answer": "taken"}


def test_message_that_is_refused_is_sent_again_later_under_the_same_id_and_its_destination_shows_why(
    place: NotifiedPlace, slack: Slack
) -> None:
    slack.answer = Response(status=500, body=b"no_service")
    destination = place.slack(slack)
    place.fail(place.new_account())
    place.look()
    place.look()

    shown = place.api.notifications.destinations.get(place.environment, destination)
    assert len(slack.texts) == 1
    assert shown.failing_since is not None
    assert shown.last_error == "the receiver answered 500: no_service"

    slack.answer = Response(body=b"ok")
    place.pass_time(6)
    place.look()

    assert len(slack.texts) == 2
    assert slack.texts[0] == slack.texts[1]
    shown = place.api.notifications.destinations.get(place.environment, destination)
    assert (shown.failing_since, shown.last_error) == (None, None)


def test_messages_to_a_receiver_that_is_down_do_not_pile_up_and_are_given_up_after_a_day(
    place: NotifiedPlace, slack: Slack
) -> None:
    slack.answer = Response(status=503)
    place.slack(slack)
    for _ in range(5):
        place.fail(place.new_account())
        place.look()
        place.pass_time(400)
    assert len(place.rows("select from notification where given_up_at is null")) == 1

    place.pass_time(24 * 3600)
    place.look()
    slack.answer = Response(body=b"ok")
    place.look()
    place.pass_time(10)
    place.look()

    given_up, *_ = place.rows("select last_error from notification where given_up_at is not null")
    assert given_up["last_error"] == "the receiver answered 503"
    assert any("4 accounts: runs fail" in text for text in slack.texts)


def test_receivers_that_hang_delay_nobody_else(
    postgres_server: PostgresServer, notified_url: str, authority: Authority, slack: Slack
) -> None:
    release = threading.Event()
    place = NotifiedPlace(notified_url, start=start_thread)

    def hang(_request: Request) -> Response:
        release.wait()
        return Response()

    hanging = HttpServer(hang)
    silent = socket.create_server(("127.0.0.1", 0))
    mail: JsonObject = {"to": ["o@example.com"], "from": "f@example.com", "host": "127.0.0.1"}
    mail["port"] = silent.getsockname()[1]
    # One is asked by HTTP, the other waits for a greeting that never comes.
    stuck = [
        place.destination("slack", {"webhook_url": hanging.url}).id,
        place.destination("email", {**mail, "security": "starttls"}).id,
        place.destination("email", {**mail, "security": "tls"}).id,
    ]
    place.slack(slack)
    place.fail(place.new_account())

    while place.watching.watch():
        pass
    place.sending.send_due()
    wait_for(lambda: slack.texts, what="the message of the receiver that works")

    assert place.sending.under_way >= 3
    wait_for(lambda: place.sending.under_way == 0, 60.0, what="the end of the time that they have")
    for id in stuck:
        shown = place.api.notifications.destinations.get(place.environment, id)
        assert shown.last_error == "no answer within 5 s"
    release.set()
    hanging.close()
    silent.close()
    place.close()


def test_answer_byte_by_byte_ends_with_the_time_too(notified_url: str) -> None:
    place = NotifiedPlace(notified_url, {"delivery_timeout_seconds": 1.0})
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            while not ended.wait(0.2):
                try:
                    connection.sendall(b"2")
                except OSError:
                    return

    threading.Thread(target=drip, daemon=True).start()
    config: JsonObject = {"to": "o@example.com", "from": "f@example.com", "host": "127.0.0.1"}
    made = place.destination("email", {**config, "port": listener.getsockname()[1]})

    with pytest.raises(DeliveryError, match="no answer within 1 s"):
        place.api.notifications.destinations.test(place.environment, made.id)
    ended.set()
    listener.close()
    place.close()


def test_no_secret_is_in_what_is_stored_or_told(place: NotifiedPlace, slack: Slack) -> None:
    slack.answer = Response(status=404, body=b"no_team")
    id = place.slack(slack)
    place.fail(place.new_account())
    place.look()

    with pytest.raises(DeliveryError) as caught:
        place.api.notifications.destinations.test(place.environment, id)
    stored = place.rows(
        "select cast(d as text) || coalesce((select string_agg(cast(n as text), '') from notification n), '') as all "
        "from notification_destination d where id = :id",
        id=id,
    )

    assert SLACK_SECRET not in f"{stored}{caught.value.message}"
    assert "404: no_team" in caught.value.message


@pytest.mark.parametrize("cut", [0, 500 - len("/services/T000/B000/the-path-that")])
def test_receiver_that_repeats_its_address_gives_no_secret_away(place: NotifiedPlace, slack: Slack, cut: int) -> None:
    """As Apache does: of an answer that is cut within the secret, the beginning is one too."""
    slack.answer = Response(status=404, body=b"." * cut + f"/services/{SLACK_SECRET} was not found".encode())
    id = place.slack(slack)
    place.fail(place.new_account())
    place.look()

    with pytest.raises(DeliveryError) as caught:
        place.api.notifications.destinations.test(place.environment, id)
    slack.answer = Response(status=200, body=slack.answer.body)
    answer = place.api.notifications.destinations.test(place.environment, id)
    shown = place.api.notifications.destinations.get(place.environment, id)

    for text in (caught.value.message, answer["answer"], str(shown.last_error)):
        assert "********" in text
        assert "the-path" not in text
    assert caught.value.status == 404


def test_mail_server_that_answers_without_end_is_cut_off(notified_url: str) -> None:
    place = NotifiedPlace(notified_url, {"delivery_timeout_seconds": 60.0})
    listener = socket.create_server(("127.0.0.1", 0))
    said = 0

    def talk() -> None:
        nonlocal said
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while True:
                said += connection.send(b"220-" + b"x" * 4000 + b"\r\n")

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    config: JsonObject = {"to": "o@example.com", "from": "f@example.com", "host": "127.0.0.1"}
    made = place.destination("email", {**config, "port": listener.getsockname()[1]})

    with pytest.raises(DeliveryError, match="the server can not be reached: SMTPServerDisconnected"):
        place.api.notifications.destinations.test(place.environment, made.id)
    talker.join()
    listener.close()
    place.close()

    # Beyond what is read, the sockets hold some.
    assert said < 32 * 1024 * 1024
