"""The sample data: the same anywhere, with ids that nothing shares."""

from app.demo.sample_data import SampleData


def test_data_of_the_same_size_is_the_same() -> None:
    assert SampleData().comments == SampleData().comments


def test_ids_are_unique() -> None:
    data = SampleData()
    comments = [comment for of_ticket in data.comments.values() for comment in of_ticket]

    for rows in (data.users, data.tickets, comments):
        assert len({row["id"] for row in rows}) == len(rows)


def test_tickets_have_none_to_five_comments() -> None:
    assert {len(comments) for comments in SampleData().comments.values()} == {0, 1, 2, 3, 4, 5}


def test_every_reference_is_to_a_user() -> None:
    data = SampleData(user_count=4, ticket_count=50)
    comments = [comment for of_ticket in data.comments.values() for comment in of_ticket]

    named = {ticket["requester_id"] for ticket in data.tickets} | {comment["author_id"] for comment in comments}

    assert named <= {user["id"] for user in data.users}
