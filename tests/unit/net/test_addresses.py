import pytest

from app.net.addresses import LOOPBACK, AllowedNetworks

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1"),
    *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::ffff:0:7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
    *("fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1"),
    *("", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "127.0.0.1 ", "1.1.1.256"),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not AllowedNetworks().allow(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert AllowedNetworks().allow(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_listed_network_is_allowed_however_its_address_is_written(address: str) -> None:
    assert AllowedNetworks.parse(LOOPBACK).allow(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::2", "2606:4700::5efe:a00:1"])
def test_a_listed_network_allows_no_other(address: str) -> None:
    assert not AllowedNetworks.parse(LOOPBACK).allow(address)


def test_what_is_no_network_is_told() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        AllowedNetworks.parse("127.0.0.0/8, 10.0.0.1/8")
