"""Which addresses Ferryman connects to on behalf of its users: public ones, and those that a setting allows.

What an upstream's address or a webhook's target is called is a user's choice, so it could name what only this server
reaches: itself, its network, or the cloud's metadata service, which hands out the machine's credentials.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.net import special_addresses

SETTING: Final = "FERRYMAN_ALLOWED_NETWORKS"
LOOPBACK: Final = "127.0.0.0/8,::1/128"
"""What ``ferryman up`` allows: it runs on a developer's own machine."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True)
class AllowedNetworks:
    """The networks that may be connected to although they are not public."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowedNetworks":
        """Read networks such as ``10.0.0.0/8,::1``, parted by commas; raise ValueError that names what is wrong."""
        return cls(tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()))

    def allow(self, address_text: str) -> bool:
        """Whether an address may be connected to; one that does not parse may not."""
        try:
            address = ipaddress.ip_address(address_text.partition("%")[0])
        except ValueError:
            return False
        return all(is_public(one) or self._lists(one) for one in _meant(address))

    def _lists(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet at large."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return special_addresses.block_of(address) is None


def _meant(address: Address) -> Iterator[Address]:
    """Give the addresses that packets to this one end at: an IPv6 address may carry an IPv4 one."""
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
