"""The one UDP socket of a media worker: batched receiving, segmented sending (Linux UDP_SEGMENT)."""

import socket
from struct import pack

from sfu.aio.mmsg import NOT_SEGMENTED, RECEIVED, SOL_UDP, SUPPORTED, UDP_SEGMENT, MessageReceiver, MessageSender
from sfu.rooms.outlet import Batch, Outlet
from sfu.units import Address

SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
BUFFER_BYTES = 8 << 20
REFUSALS = 16
"""One refused message may be its destination's fault (a narrow link); so many, and most of all, are the machine's."""


class UdpSocket(Outlet):
    """A non-blocking UDP socket that sends many datagrams in one system call where the kernel can (GSO).

    What it refuses to segment (EIO and the like: old kernel, some virtual network cards, a link with small packets) is
    sent one by one.
    """

    def __init__(self, host: str, port: int) -> None:
        """Bind; raises OSError when the port is in use."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for force, option in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
            except OSError:
                self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self._socket.bind((host, port))
        self._sendmsg = self._socket.sendmsg
        self._ancillary: dict[int, list[tuple[int, int, bytes]]] = {}
        descriptor = self._socket.fileno()
        self._messages = MessageSender(descriptor, family, self._send_unsegmented) if SUPPORTED else None
        self._incoming = MessageReceiver(descriptor, family) if SUPPORTED else None
        self.full = RECEIVED if SUPPORTED else 1
        """So many datagrams at once mean that there may be more."""
        self.segmentation = True
        self._refused = 0
        self._calls = 0
        self._datagrams = 0
        self._failures = 0

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    @property
    def counts(self) -> dict[str, float]:
        """Gauges for the operator."""
        messages = self._messages
        return {
            "packets_sent": self._datagrams + (messages.datagrams if messages else 0),
            "send_messages": self._calls + (messages.messages if messages else 0),
            "send_calls": self._calls + (messages.calls if messages else 0),
            "send_failures": self._failures + (messages.failures if messages else 0),
            "segmentation": float(self.segmentation),
        }

    def fileno(self) -> int:
        """The descriptor, for the event loop."""
        return self._socket.fileno()

    def receive(self) -> list[tuple[bytes, Address]]:
        """Return some datagrams and where they came from; fewer than `full` of them when there are no more now."""
        if self._incoming is not None:
            return self._incoming.receive()
        try:
            data, address = self._socket.recvfrom(2048)
        except BlockingIOError:
            return []
        except OSError:  # an ICMP error of an earlier send; the socket is fine
            return []
        return [(data, address[:2])]

    def send(self, data: memoryview, segment: int, address: Address) -> None:
        """Send `data` as datagrams of `segment` bytes (the last may be shorter). A full buffer drops and counts."""
        length = len(data)
        try:
            if length <= segment:
                self._socket.sendto(data, address)
                self._datagrams += 1
            elif self.segmentation:
                ancillary = self._ancillary.get(segment)
                if ancillary is None:
                    ancillary = self._ancillary[segment] = [(SOL_UDP, UDP_SEGMENT, pack("H", segment))]
                self._sendmsg((data,), ancillary, 0, address)
                self._datagrams += -(-length // segment)
            else:
                for start in range(0, length, segment):
                    self._socket.sendto(data[start : start + segment], address)
                    self._calls += 1
                    self._datagrams += 1
                return
            self._calls += 1
        except OSError as error:
            if length > segment and self.segmentation and error.errno in NOT_SEGMENTED:
                self._send_unsegmented(data, segment, address)
            else:
                self._failures += 1

    def send_batch(self, batch: Batch) -> None:
        """Send the runs of a batch by as few system calls as the kernel allows."""
        if self._messages is not None and self.segmentation:
            self._messages.send(batch)
        else:
            super().send_batch(batch)

    def _send_unsegmented(self, data: memoryview, segment: int, address: Address) -> None:
        """Send one by one what the kernel refused to segment, and everything when it refuses most of it."""
        self._refused += 1
        sent = self._messages.messages if self._messages else self._calls
        if self._refused >= REFUSALS and 2 * self._refused > sent:
            self.segmentation = False
        for start in range(0, len(data), segment):
            self.send(data[start : start + segment], segment, address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
