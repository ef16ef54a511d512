"""Addresses of the public internet, for calls to a host outside our control."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA has assigned of IPv6's public space. `is_global` is true outside of it, too, such as for ::7f00:1."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052). The last 32 bits are the IPv4 address."""


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet, also as an IPv4 address inside an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    embedded = _embedded(parsed)
    if embedded is not None:
        return all(map(_is_public_v4, embedded))
    return parsed in _GLOBAL_UNICAST and parsed.is_global


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    """Return the IPv4 addresses to which an IPv6 address leads: mapped, 6to4, Teredo's server and client, NAT64."""
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast
