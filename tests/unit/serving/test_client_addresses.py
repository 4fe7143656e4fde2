import pytest

from app.serving.connections import find_address


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1234), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1234, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1234, 0, 0), "20010db800010002"),
        (("fe80::1%eth0", 1234, 0, 2), "fe80000000000000"),
        ("", ""),
        (b"", ""),
    ],
)
def test_clients_of_one_network_count_as_one(client: object, address: str) -> None:
    assert find_address(client) == address
