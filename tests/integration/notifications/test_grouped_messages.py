"""A failing account is one message, many that fail for one cause are one, and one more comes when it is over."""

from app.engine.json_types import JsonObject
from tests.support.notified_place import NotifiedPlace, Slack


def test_thousand_failing_runs_of_one_account_are_one_message(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account("acme-corp")
    for number in range(1000):
        if number % 250 == 0:
            place.look()
        place.fail(account)

    place.look()
    place.look()

    (text,) = slack.texts
    assert f"account {account} (tenant acme-corp, acme): runs fail (unauthorized)" in text
    assert "the upstream said no" in text


def test_count_is_that_of_all_failures_in_a_row(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    place.run(account, "completed", ago=50)
    for ago in range(40, 0, -1):
        place.fail(account, ago=ago)

    place.look()

    assert "; 40 times." in slack.texts[0]
    assert "(40 in a row)" in slack.texts[0]


def test_many_accounts_that_fail_for_one_cause_are_one_message_with_examples(
    place: NotifiedPlace, slack: Slack
) -> None:
    place.slack(slack)
    accounts = [place.new_account(f"t{number}") for number in range(20)]
    for account in accounts:
        place.fail(account)
    other = place.new_account()
    place.fail(other, "timeout", "no answer")

    place.look()
    place.look()

    first, second = sorted(slack.texts, key=len, reverse=True)
    assert "20 accounts: runs fail (unauthorized)" in first
    assert sum(account in first for account in accounts) == 5
    assert "and 15 more" in first
    assert f"account {other} (tenant t, acme): runs fail (timeout)" in second


def test_one_more_message_comes_when_it_is_over(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    first, second = place.new_account("first"), place.new_account("second")
    place.fail(first)
    place.fail(second)
    place.look()

    place.run(first, "completed")
    place.look()
    place.look()
    place.pass_time(400)
    place.run(second, "completed")
    place.look()
    place.pass_time(10**6)
    place.look()

    opened, half, over = slack.texts
    assert "2 accounts: runs fail" in opened
    assert half.startswith("*Over: account") and first in half and second not in half
    assert "Not over yet: 1." in half
    assert second in over and "Nothing of this is left." in over


def test_account_that_comes_and_goes_is_told_once_in_an_interval(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    for ago in range(60, 0, -2):
        place.fail(account, ago=ago)
        place.look()
        place.run(account, "completed", ago=ago - 1)
        place.look()

    assert len(slack.texts) == 2


def test_what_fails_later_for_the_same_cause_waits_for_the_interval_and_is_told_together(
    place: NotifiedPlace, slack: Slack
) -> None:
    place.slack(slack)
    place.fail(place.new_account())
    place.look()
    later = [place.new_account() for _ in range(7)]
    for account in later:
        place.fail(account)
        place.look()

    assert len(slack.texts) == 1
    place.pass_time(301)
    place.look()

    assert "7 accounts: runs fail" in slack.texts[1]


def test_what_is_still_so_is_told_again_once_a_day_at_most(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    place.fail(account)
    place.look()
    place.pass_time(3600)
    place.look()
    place.pass_time(24 * 3600)
    place.look()
    place.look()

    assert len(slack.texts) == 2
    assert slack.texts[1].startswith("*Still: account")


def test_what_was_over_before_anybody_was_told_is_not_told(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    place.fail(account, ago=2)
    place.run(account, "completed", ago=1)
    place.look()
    place.pass_time(400)
    place.look()

    assert slack.texts == []


def test_message_says_what_where_since_when_how_many_and_what_to_do(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    run = place.fail(account)
    place.look()

    (text,) = slack.texts
    base = "https://ferryman.example.com/base/ui"
    assert text.splitlines()[0] == f"*account {account} (tenant t, acme): runs fail (unauthorized)*"
    assert "Since 20" in text
    assert "What to do: Read the run's error" in text
    assert text.splitlines()[-1] == f"{base}/runs/{run}"


def test_nothing_that_an_upstream_or_tenant_writes_is_markup(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    error: JsonObject = {"code": "x", "message": "<!channel> <https://evil.example|click> & \n\n\x1b[31mred\u202e"}
    place.run(place.new_account("<@U123>"), "failed", error=error)
    place.look()

    (text,) = slack.texts
    assert "<" not in text and ">" not in text
    assert "&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; [31mred" in text
    assert "\x1b" not in text and "\u202e" not in text
