"""Which addresses of this machine a browser may reach."""

import fcntl
import socket
import struct

SIOCGIFADDR = 0x8915


def local_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine, loopback last (browsers on this machine use it)."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address
            found.append(socket.inet_ntoa(answer[20:24]))
    return [a for a in found if not a.startswith("127.")] + [a for a in found if a.startswith("127.")]
