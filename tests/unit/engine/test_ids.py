"""Ids that are made of others stay the same."""

from app.engine.ids import canonical_id, derived_id, new_id


def test_derived_id_is_a_uuid_of_its_own_for_each_thing_and_name() -> None:
    run = new_id()

    first, again, other = (derived_id(run, name) for name in ("created", "created", "started"))

    assert first == again != other
    assert canonical_id(first) == first
    assert len({run, first, other, derived_id(new_id(), "created")}) == 4
