"""By which names and addresses other machines reach this one."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path

from sfu.aio.addresses import local_addresses

EVERYWHERE = ("::", "0.0.0.0")
_PASSING = 0x01 | 0x08 | 0x20 | 0x40
"""Flags of an IPv6 address that will not stay: temporary, failed, deprecated, tentative (linux/if_addr.h)."""


def outside(host: str) -> list[str]:
    """Return the addresses at which others reach what listens on `host`, the one that most will use first."""
    if host not in EVERYWHERE:
        return [host]
    four = [address for address in local_addresses() if not address.startswith("127.")]
    way_out = _way_out()
    four.sort(key=lambda address: address != way_out)
    return four + (_stable_ipv6() if host == "::" else [])


def names(host: str) -> list[str]:
    """Return everything that a certificate for `host` must hold: this machine's names and its addresses."""
    own = socket.gethostname().lower()
    found = ["localhost", "127.0.0.1", "::1", *outside(host)]
    if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", own):
        found.insert(0, own)
    return list(dict.fromkeys(found))


def _way_out() -> str | None:
    """Return the address from which this machine would speak to the internet; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documents
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def _stable_ipv6() -> list[str]:
    """Return the global IPv6 addresses that stay: those that are made anew every day would wear out a certificate."""
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return []
    found = []
    for digits, _index, _prefix, scope, flags, _name in map(str.split, lines):
        if scope == "00" and not int(flags, 16) & _PASSING:
            found.append(str(ipaddress.IPv6Address(int(digits, 16))))
    return found
