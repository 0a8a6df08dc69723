"""Sockets to listen on, by what the settings say; what is not possible becomes a sentence that names the option."""

from __future__ import annotations

import contextlib
import errno
import socket

from parvis.errors import StartError

BACKLOG = 128
OTHER_PORTS = 20
"""How many more ports are tried when nobody asked for the first one."""


def listen(host: str, port: int, prefix: str, *, chosen: bool) -> list[socket.socket]:
    """Return sockets that listen on `host`, all of them on one port; `prefix` is that of the options: `web.tls_`.

    A port that nobody chose (`chosen` is false: it is the default) gives way to one of the next. Raises StartError.
    """
    others = [] if chosen or port == 0 else [*range(port + 1, port + OTHER_PORTS), 0]
    while True:
        try:
            return _bind(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not others:
                raise StartError.of_socket(error, prefix, host, port) from error
            port = others.pop(0)


def _bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address that `host` means. `::` takes IPv4 along, and is IPv4 alone where there is no IPv6."""
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            one = opened.enter_context(socket.socket(family, kind, protocol))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            one.bind((address[0], port, *address[2:]))
            one.listen(BACKLOG)
            one.setblocking(False)
            port = one.getsockname()[1]
            sockets.append(one)
        opened.pop_all()
    return sockets
