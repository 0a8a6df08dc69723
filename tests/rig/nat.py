"""A network address translator on loopback: one UDP port in front of a media worker, which can forget its mappings."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Address = tuple[str, int]
FRONT, BACK = "127.0.0.2", "127.0.0.1"


def free_port() -> int:
    """Return a UDP port that is free on both addresses now."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind((FRONT, 0))
        port = int(one.getsockname()[1])
        two.bind((BACK, port))
        return port


class Nat(asyncio.DatagramProtocol):
    """Browsers send to FRONT; each reaches BACK, at the same port, from a port of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._front: asyncio.DatagramTransport
        self._mappings: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: set[Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._front = transport

    def datagram_received(self, data: bytes, address: Address) -> None:
        mapping = self._mappings.get(address)
        if mapping is not None:
            mapping.sendto(data)
        elif address not in self._opening:
            self._opening.add(address)
            task = self._loop.create_task(self._open(data, address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def answer(self, data: bytes, address: Address) -> None:
        """Carry what the media worker sent to the browser."""
        self._front.sendto(data, address)

    def rebind(self) -> None:
        """Forget all mappings: from now on every browser comes from another port, and the old ones lead nowhere."""
        old, self._mappings = self._mappings, {}
        for mapping in old.values():
            mapping.close()

    def close(self) -> None:
        self.rebind()
        self._front.close()

    async def _open(self, data: bytes, address: Address) -> None:
        mapping, _ = await self._loop.create_datagram_endpoint(
            lambda: _Mapping(self, address), local_addr=(BACK, 0), remote_addr=(BACK, self._port)
        )
        self._mappings[address] = mapping
        self._opening.discard(address)
        mapping.sendto(data)


class _Mapping(asyncio.DatagramProtocol):
    def __init__(self, nat: Nat, address: Address) -> None:
        self._nat = nat
        self._address = address

    def datagram_received(self, data: bytes, address: Address) -> None:
        self._nat.answer(data, self._address)


@asynccontextmanager
async def translated(port: int) -> AsyncIterator[Nat]:
    """Stand in front of a media worker's port while the block lasts."""
    _, nat = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Nat(port), local_addr=(FRONT, port))
    try:
        yield nat
    finally:
        nat.close()
