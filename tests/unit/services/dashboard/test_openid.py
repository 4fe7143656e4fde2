"""What a provider claims of a person, and what becomes of it."""

from typing import Any

import pytest

from app.engine.errors import ForbiddenError
from app.engine.objects.environments import Role
from app.services.dashboard.openid import Grant, read_grant


@pytest.mark.parametrize(
    ("claim", "environment", "role"),
    [
        ("read", "default", Role.READ),
        ("eu:admin", "eu", Role.ADMIN),
        (["nonsense", 7, None, "eu:run", "admin"], "eu", Role.RUN),
    ],
)
def test_first_text_that_is_a_role_counts(claim: Any, environment: str, role: Role) -> None:
    assert read_grant({"r": claim, "email": "a@b"}, "r") == Grant(name="a@b", environment=environment, role=role)


@pytest.mark.parametrize("claim", [None, "", "owner", "eu:", ":", {"role": "admin"}, [], True])
def test_anything_else_is_no_grant(claim: Any) -> None:
    with pytest.raises(ForbiddenError, match="its claim 'r' should be"):
        read_grant({"r": claim, "sub": "1"}, "r")


def test_name_can_be_stored_and_has_a_bound() -> None:
    name = read_grant({"r": "read", "name": "a\x00b\ud800" + "c" * 1000}, "r").name

    assert "\x00" not in name
    assert len(name.encode()) <= 800
    assert read_grant({"r": "read"}, "r").name == "somebody"
