"""What is shown of an integration within other objects holds no settings and no secret."""

from app.engine.integrations.embedding import show_face
from app.engine.redaction import MASK


def test_only_what_a_list_shows_is_shown() -> None:
    config = {
        "label": "Acme",
        "logo": "https://cdn.test/acme.png",
        "icon": {"light": "x"},
        "base_url": "https://secret.example.com",
        "headers": {"X-Api-Key": "canary"},
    }

    assert show_face(config) == {"label": "Acme", "logo": "https://cdn.test/acme.png"}


def test_address_that_holds_a_secret_is_masked_unless_that_is_declared_to_be_none() -> None:
    config = {"logo": "https://cdn.test/acme.png?api_key=canary"}

    assert show_face(config) == {"logo": MASK}
    assert show_face({**config, "non_secret": ["api_key"]}) == config
