"""One UDP socket for all pipes of a worker (asyncio)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from control.ids import PipeId
from control.pipes import PipeSpec
from sfu.pipes.receiver import PipePacket, PipeReceiver
from sfu.units import Address

TICK_S = 0.02
BUFFER_BYTES = 4 << 20
OnPackets = Callable[[list[PipePacket]], None]


class PipeEndpoint(asyncio.DatagramProtocol):
    """Hands datagrams to the pipe of their SSRC, and packets in order to whoever added it."""

    def __init__(self) -> None:
        self._pipes: dict[int, tuple[PipeReceiver, OnPackets]] = {}
        self._addresses: dict[int, Address] = {}
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._transport: asyncio.DatagramTransport
        self.dropped = 0
        """Datagrams of no pipe that is known."""

    @classmethod
    async def open(cls, host: str = "127.0.0.1") -> PipeEndpoint:
        """Bind a port that the system gives."""
        loop = asyncio.get_running_loop()
        _, endpoint = await loop.create_datagram_endpoint(cls, local_addr=(host, 0))
        return endpoint

    @property
    def address(self) -> Address:
        """Where pipes are to be sent."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def add(self, spec: PipeSpec, on_packets: OnPackets) -> PipeReceiver:
        """Begin to receive a pipe."""
        receiver = PipeReceiver(spec)
        self._pipes[spec.ssrc] = (receiver, on_packets)
        return receiver

    def remove(self, pipe: PipeId) -> None:
        """Stop receiving a pipe; unknown ones are no error."""
        for ssrc, (receiver, _) in list(self._pipes.items()):
            if receiver.spec.pipe == pipe:
                del self._pipes[ssrc]
                self._addresses.pop(ssrc, None)

    def close(self) -> None:
        """Close the socket."""
        self._timer.cancel()
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    def datagram_received(self, data: bytes, address: Address) -> None:
        """Take a datagram (asyncio)."""
        at = 4 if len(data) > 7 and 200 <= data[1] <= 206 else 8
        ssrc = int.from_bytes(data[at : at + 4], "big")
        known = self._pipes.get(ssrc)
        if known is None:
            self.dropped += 1
            return
        if known[0].receive_datagram(data, self._loop.time()):
            self._addresses[ssrc] = address
        self._deliver(ssrc, *known)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now = self._loop.time()
        for ssrc, (receiver, on_packets) in list(self._pipes.items()):
            receiver.handle_timeout(now)
            self._deliver(ssrc, receiver, on_packets)

    def _deliver(self, ssrc: int, receiver: PipeReceiver, on_packets: OnPackets) -> None:
        packets = receiver.packets()
        if packets:
            on_packets(packets)
        address = self._addresses.get(ssrc)
        for datagram in receiver.datagrams_to_send():
            if address is not None:
                self._transport.sendto(datagram, address)
