"""Which addresses Ferryman connects to, and which proxies it believes: public ones, and those that settings allow.

A user chooses the host of an upstream or a webhook, and could name one that only this server reaches: itself, its
network, or the cloud's metadata service, which hands out the machine's credentials.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

REGISTRIES_AS_OF: Final = "2024-10-22"
"""The registries' own date. Of what came later, RFC 9780's prefix (2025) is here."""

IPV4: Final[Mapping[ipaddress.IPv4Network, str]] = {
    ipaddress.IPv4Network(block): name
    for block, name in {
        # iana-ipv4-special-registry
        "0.0.0.0/8": "this network (RFC 791), this host (RFC 1122)",
        "10.0.0.0/8": "private use (RFC 1918)",
        "100.64.0.0/10": "shared address space (RFC 6598)",
        "127.0.0.0/8": "loopback (RFC 1122)",
        "169.254.0.0/16": "link local (RFC 3927)",
        "172.16.0.0/12": "private use (RFC 1918)",
        "192.0.0.0/24": "IETF protocol assignments (RFC 6890): DS-Lite, dummy, PCP and TURN anycast, NAT64 discovery",
        "192.0.2.0/24": "documentation (RFC 5737)",
        "192.31.196.0/24": "AS112 (RFC 7535)",
        "192.52.193.0/24": "AMT (RFC 7450)",
        "192.88.99.0/24": "6to4 and 6a44 relay anycast (RFC 7526, RFC 6751)",
        "192.168.0.0/16": "private use (RFC 1918)",
        "192.175.48.0/24": "direct delegation AS112 (RFC 7534)",
        "198.18.0.0/15": "benchmarking (RFC 2544)",
        "198.51.100.0/24": "documentation (RFC 5737)",
        "203.0.113.0/24": "documentation (RFC 5737)",
        "240.0.0.0/4": "reserved, and limited broadcast (RFC 1112, RFC 8190)",
        # ipv4-address-space
        "224.0.0.0/4": "multicast (RFC 5771)",
        # Not IANA's: services of clouds at addresses that look public.
        "168.63.129.16/32": "Azure's host",
    }.items()
}

IPV6: Final[Mapping[ipaddress.IPv6Network, str]] = {
    ipaddress.IPv6Network(block): name
    for block, name in {
        # iana-ipv6-special-registry
        "::/128": "unspecified (RFC 4291)",
        "::1/128": "loopback (RFC 4291)",
        "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
        "64:ff9b::/96": "NAT64 (RFC 6052)",
        "64:ff9b:1::/48": "NAT64 for local use (RFC 8215)",
        "100::/64": "discard only (RFC 6666)",
        "100:0:0:1::/64": "dummy prefix (RFC 9780)",
        "2001::/23": "IETF protocol assignments (RFC 2928): Teredo, benchmarking, AMT, AS112, ORCHID, DRIP, anycast",
        "2001:db8::/32": "documentation (RFC 3849)",
        "2002::/16": "6to4 (RFC 3056)",
        "2620:4f:8000::/48": "direct delegation AS112 (RFC 7534)",
        "3fff::/20": "documentation (RFC 9637)",
        "5f00::/16": "segment routing (RFC 9602)",
        "fc00::/7": "unique local (RFC 4193)",
        "fe80::/10": "link local (RFC 4291)",
        # ipv6-address-space
        "::/8": "reserved, IPv4-compatible and IPv4-translated within (RFC 4291)",
        "fec0::/10": "site local (RFC 3879)",
        "ff00::/8": "multicast (RFC 4291)",
    }.items()
}


def find_block(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    """Return what the special block of an address is for; None when it is in none."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((name for block, name in IPV4.items() if address in block), None)
    return next((name for block, name in IPV6.items() if address in block), None)


ALLOWED_NETWORKS_SETTING: Final = "FERRYMAN_ALLOWED_NETWORKS"
LOOPBACK: Final = "127.0.0.0/8,::1/128"
"""What ``ferryman up`` allows: it runs on a developer's own machine."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8,::1``, separated by commas; raise ValueError that names what is wrong."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class AllowedNetworks:
    """The networks that may be connected to although they are not public."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowedNetworks":
        """Read networks as ``parse_networks`` does."""
        return cls(parse_networks(text))

    def is_allowed(self, address_text: str) -> bool:
        """Whether an address may be connected to; one that does not parse may not."""
        try:
            address = ipaddress.ip_address(address_text.partition("%")[0])
        except ValueError:
            return False
        return all(is_public(one) or self._is_listed(one) for one in _list_targets(address))

    def _is_listed(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet at large."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return find_block(address) is None


def _list_targets(address: Address) -> Iterator[Address]:
    """Yield the addresses that packets to this one reach: an IPv6 address may carry an IPv4 one."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    tail = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        yield tail
        return
    yield address.sixtofour or address
    # These do not replace the address, whatever network it is in: a router within may unwrap them.
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP or address in _LOCAL_NAT64:
        yield tail
    if address.teredo is not None:
        yield from address.teredo


TRUSTED_PROXIES_SETTING: Final = "FERRYMAN_TRUSTED_PROXIES"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks of trusted proxies."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Read networks as ``parse_networks`` does."""
        return cls(parse_networks(text))

    def is_trusted(self, address_text: str) -> bool:
        """Whether an address is that of a trusted proxy; a text that is no address is not."""
        address = parse_address(address_text) if self.networks else None
        return address is not None and any(address in network for network in self.networks)


def parse_address(text: str) -> Address | None:
    """Read an address; an IPv4 address that was mapped into IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
