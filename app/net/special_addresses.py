"""The blocks of addresses that are not, or not simply, somebody's place on the internet, as IANA registers them.

Python's own ``is_global`` follows the registries of the year in which it was released. Blocks that the registries call
globally reachable are here all the same: they are anycast services that the nearest network answers, or carry another
address within, and no API lives there.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

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


def block_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    """Return what the special block of an address is for; None when it is in none."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((name for block, name in IPV4.items() if address in block), None)
    return next((name for block, name in IPV6.items() if address in block), None)
