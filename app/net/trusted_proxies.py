"""Which machines are believed when they tell of whom they ask for: proxies of one's own, and nobody else."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from app.net.addresses import Address, Network

SETTING: Final = "FERRYMAN_TRUSTED_PROXIES"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks that one's own proxies lie in."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Read networks such as ``10.0.0.0/8,::1``, parted by commas; raise ValueError that names what is wrong."""
        return cls(tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()))

    def trust(self, address_text: str) -> bool:
        """Whether an address is that of a proxy of one's own; a text that is no address is not."""
        address = parsed(address_text) if self.networks else None
        return address is not None and any(address in network for network in self.networks)


def parsed(text: str) -> Address | None:
    """Read an address; an IPv4 address that was mapped into IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
