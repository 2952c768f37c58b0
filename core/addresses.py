"""Which addresses on the internet anybody may be sent to, and which lead inside."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # looks public, and is Azure's own service for the machine that asks
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # once led to the nearest 6to4 relay, whoever ran it
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
"""The special purposes of IPv4 (RFC 6890). Written out, as what Python's own list holds depends on its version."""
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Within it: what carries another address inside (Teredo, 6to4), and what is for protocols and for books."""
TRANSLATED = IPv6Network("64:ff9b::/96")
"""What a resolver makes of an IPv4 address for machines that have no IPv4 (RFC 6052)."""


class Reach:
    """What may be connected to: public addresses, and the networks that are named as well."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError for what is no network."""
        self._networks = tuple(ip_network(text) for text in networks)

    def named(self, text: str) -> bool:
        """True for an address in one of the named networks."""
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)

    def allows(self, text: str) -> bool:
        """True for an address that may be connected to; False for everything that is none."""
        return self.named(text) or is_public(text)


def is_public(text: str) -> bool:
    """True for an address of the internet at large.

    False for loopback, private, link-local, shared, multicast, reserved and documentation addresses, for the metadata
    services of clouds, for IPv6 that has one of these inside, and for text that is no address in its usual form.
    """
    address = _address(text)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    return address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6) if address else False


def _address(text: str) -> Address | None:
    """The address that packets would go to; None for text that is none, or that has a zone."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        return None
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
