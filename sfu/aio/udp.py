"""The one UDP socket of a media worker: batched receiving, segmented sending (Linux UDP_SEGMENT)."""

import errno
import socket
from struct import pack

from sfu.units import Address

SOL_UDP = 17
UDP_SEGMENT = 103
SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
BUFFER_BYTES = 8 << 20


class UdpSocket:
    """A non-blocking UDP socket that sends many datagrams in one system call where the kernel can (GSO).

    Where segmentation is refused (EIO and the like: old kernel, some virtual network cards) it sends them one by one
    from then on.
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
        self.segmentation = True
        self.send_calls = 0
        self.datagrams_sent = 0
        self.send_failures = 0

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def fileno(self) -> int:
        """The descriptor, for the event loop."""
        return self._socket.fileno()

    def receive(self) -> tuple[bytes, Address] | None:
        """Return one datagram and where it came from, or None when there is none now."""
        try:
            data, address = self._socket.recvfrom(2048)
        except BlockingIOError:
            return None
        except OSError:  # an ICMP error of an earlier send; the socket is fine
            return b"", ("", 0)
        return data, address[:2]

    def send(self, data: memoryview, segment: int, address: Address) -> None:
        """Send `data` as datagrams of `segment` bytes (the last may be shorter). A full buffer drops and counts."""
        length = len(data)
        try:
            if length <= segment:
                self._socket.sendto(data, address)
                self.datagrams_sent += 1
            elif self.segmentation:
                ancillary = self._ancillary.get(segment)
                if ancillary is None:
                    ancillary = self._ancillary[segment] = [(SOL_UDP, UDP_SEGMENT, pack("H", segment))]
                self._sendmsg((data,), ancillary, 0, address)
                self.datagrams_sent += -(-length // segment)
            else:
                for start in range(0, length, segment):
                    self._socket.sendto(data[start : start + segment], address)
                    self.send_calls += 1
                    self.datagrams_sent += 1
                return
            self.send_calls += 1
        except OSError as error:
            if length > segment and self.segmentation and error.errno in (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP):
                self.segmentation = False
                self.send(data, segment, address)
            else:
                self.send_failures += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
