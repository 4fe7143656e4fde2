import ipaddress

import pytest

from app.net import addresses
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
    assert not AllowedNetworks().is_allowed(address)


# What the blocks of the registries hold, by IANA's own finer entries, and their first and last neighbours outside.
FINER = [
    *("192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.100", "192.0.0.170", "192.0.0.171", "192.88.99.1"),
    *("192.88.99.2", "192.31.196.1", "192.52.193.1", "192.175.48.42", "100:0:0:1::1", "2001:1::1", "2001:1::2"),
    *("2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:5::1", "2001:10::1", "2001:20::1", "2001:30::1"),
    *("2001:1ff:ffff::1", "2620:4f:8000::1", "3fff:fff::1", "1::1", "4000::1", "fbff::1"),
]
NEIGHBOURS = [
    *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
    *("169.253.255.255", "169.255.0.0", "172.15.255.255", "191.255.255.255", "192.0.1.0", "192.0.3.0"),
    *("192.88.98.255", "192.88.100.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "198.51.101.0"),
    *("203.0.112.255", "223.255.255.255", "2001:200::", "2001:db7:ffff::1", "2001:db9::", "2620:4f:8001::", "3ffe::1"),
]
PLACES_OF_IPV4 = {
    "mapped": "::ffff:{}",
    "NAT64": "64:ff9b::{}",
    "6to4": "2002:{hex}::1",
    "ISATAP": "2606:4700::5efe:{}",
    "ISATAP, global bit": "2606:4700::200:5efe:{}",
    "ISATAP within 6to4": "2002:808:808::5efe:{}",
}


def within(place: str, address: str) -> str:
    number = int(ipaddress.IPv4Address(address))
    return place.format(address, hex=f"{number >> 16:x}:{number & 0xFFFF:x}")


@pytest.mark.parametrize("address", FINER)
def test_a_special_purpose_address_is_refused(address: str) -> None:
    assert not AllowedNetworks().is_allowed(address)


@pytest.mark.parametrize("address", NEIGHBOURS)
def test_the_neighbours_of_special_blocks_are_allowed(address: str) -> None:
    assert AllowedNetworks().is_allowed(address)


@pytest.mark.parametrize("place", PLACES_OF_IPV4.values(), ids=PLACES_OF_IPV4)
def test_every_special_block_is_refused_by_its_first_and_last_address_in_every_form(place: str) -> None:
    for block in addresses.IPV4:
        for address in (block[0], block[-1]):
            assert not AllowedNetworks().is_allowed(str(address))
            assert not AllowedNetworks().is_allowed(within(place, str(address))), within(place, str(address))
    assert AllowedNetworks().is_allowed(within(place, "8.8.8.8"))


def test_every_special_block_of_ipv6_is_refused_but_for_what_carries_a_public_address() -> None:
    carriers = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "::/8"}

    for block in addresses.IPV6:
        assert not AllowedNetworks().is_allowed(str(block[0]))
        assert str(block) in carriers or not AllowedNetworks().is_allowed(str(block[-1]))


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        ("64:ff9b:1::/48", "64:ff9b:1::808:808", True),
        ("64:ff9b:1::/48", "64:ff9b:1::7f00:1", False),
        ("2001::/32", "2001:0:808:808::f7f7:f7f7", True),
        ("2001::/32", "2001:0:808:808::80ff:fffe", False),
        ("2001::/32", "2001:0:7f00:1::f7f7:f7f7", False),
    ],
    ids=["NAT64 to public", "NAT64 to loopback", "Teredo to public", "Teredo client", "Teredo server"],
)
def test_an_allowed_carrier_allows_no_address_within_that_is_not_public(
    networks: str, address: str, is_allowed: bool
) -> None:
    assert AllowedNetworks.parse(networks).is_allowed(address) is is_allowed


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert AllowedNetworks().is_allowed(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_listed_network_is_allowed_however_its_address_is_written(address: str) -> None:
    assert AllowedNetworks.parse(LOOPBACK).is_allowed(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::2", "2606:4700::5efe:a00:1"])
def test_a_listed_network_allows_no_other(address: str) -> None:
    assert not AllowedNetworks.parse(LOOPBACK).is_allowed(address)


def test_what_is_no_network_is_told() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        AllowedNetworks.parse("127.0.0.0/8, 10.0.0.1/8")
