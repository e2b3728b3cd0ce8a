"""The addresses that may be posted to: no setting, and no name that is changed later, must have us
reach into the network we stand in (server-side request forgery).

A name is resolved here, every address it has is checked, and the connection is made to one of
those: what the name means a moment later counts no more (DNS rebinding).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from consumers.runner import MayPass

_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_OF_A_CLOUD = (IPv4Network("192.0.0.0/24"), IPv4Network("168.63.129.16/32"))
"""Where a cloud answers its own machines (Oracle's, Azure's) though `ipaddress` calls it global."""

Address = IPv4Address | IPv6Address


def resolve(host: str, port: int, allow_internal: bool) -> list[tuple[int, str]]:
    """Families and numeric addresses of a host. Whatever way a number is written (octal, decimal,
    one part of four) is the resolver's to read, and checked as what it read.

    Raises ``MayPass`` where it has none, or one that is not for the whole world.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise MayPass(f"{host} has no address: {error}") from None
    addresses = [(int(family), str(where[0])) for family, _, _, _, where in found]
    for _, address in addresses:
        if not allow_internal and not is_public(address):
            raise MayPass(
                f"{host} has the address {address}, which is internal; if that is meant, say"
                " allow_internal: true"
            )
    return addresses


def is_public(text: str) -> bool:
    """Whether an address is for the whole world, also by what it holds of another one."""
    address: Address = ip_address(text.partition("%")[0])
    inside = _inside(address)
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return all(map(is_public, inside))  # these are nothing but another way to write those
    unfit = address.is_multicast or address.is_reserved or address.is_unspecified
    local = isinstance(address, IPv6Address) and address.is_site_local
    unfit = unfit or local or any(address in network for network in _OF_A_CLOUD)
    return address.is_global and not unfit and all(map(is_public, inside))


def _inside(address: Address) -> list[str]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    found: list[IPv4Address | None] = [address.ipv4_mapped, address.sixtofour]
    if address.teredo:
        found += address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [str(one) for one in found if one is not None]
