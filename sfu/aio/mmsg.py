"""Many datagrams by one system call: `sendmmsg` (Linux) with UDP_SEGMENT, and `recvmmsg`, through ctypes.

Tables of messages stay where they are; a batch fills their columns by slice assignments, so that the interpreter does
next to nothing per message. `parvis bench forwarding` measures it.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from array import array
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfu.rooms.outlet import Batch, Fanout
    from sfu.units import Address

SOL_UDP = 17
UDP_SEGMENT = 103
MESSAGES = 256
"""Sent by one call at most; the kernel takes 1,024 (UIO_MAXIOV)."""
RECEIVED = 32
"""Taken by one call at most."""
DATAGRAM_BYTES = 2048
KNOWN_ADDRESSES = 10_000
WORDS = 8
"""64-bit words of a `struct mmsghdr`: name, namelen, iov, iovlen, control, controllen, flags, sent length."""
CONTROL_BYTES = socket.CMSG_SPACE(2)
SOCKADDR_BYTES = {socket.AF_INET: 16, socket.AF_INET6: 28}
BUSY = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
NOT_SEGMENTED = (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP)
SUPPORTED = sys.platform == "linux" and sys.byteorder == "little" and ctypes.sizeof(ctypes.c_void_p) == 8
"""The table is laid out for 64-bit little-endian Linux; elsewhere datagrams leave one by one."""


class _Names:
    """Socket addresses as the kernel wants them, and where they are in memory."""

    __slots__ = ("pointers", "stored")

    def __init__(self, addresses: list[Address], family: int) -> None:
        structs = [_sockaddr(address, family) for address in addresses]
        size = len(structs[0])
        self.stored = ctypes.create_string_buffer(b"".join(structs), size * len(structs))
        first = ctypes.addressof(self.stored)
        self.pointers = array("Q", range(first, first + size * len(structs), size))


class MessageSender:
    """Sends batches on one socket; a message that cannot be sent does not hold up the others."""

    def __init__(
        self, descriptor: int, family: socket.AddressFamily, not_segmented: Callable[[memoryview, int, Address], None]
    ) -> None:
        """`not_segmented` is given (data, segment, address) of what the kernel refused to segment."""
        self.calls = 0
        self.messages = 0
        """Each of one datagram or, segmented, of several."""
        self.datagrams = 0
        self.failures = 0
        """Messages that are lost: the socket's buffer was full, or there was no way to the address."""
        self._descriptor = descriptor
        self._family = family
        self._not_segmented = not_segmented
        self._sendmmsg = ctypes.PyDLL(None, use_errno=True).sendmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        words = (ctypes.c_uint64 * (MESSAGES * WORDS))()
        pieces = (ctypes.c_uint64 * (MESSAGES * 2))()
        self._address = ctypes.addressof(words)
        self._table = memoryview(words).cast("B").cast("Q")
        self._pieces = memoryview(pieces).cast("B").cast("Q")
        first = ctypes.addressof(pieces)
        self._table[1::WORDS] = array("Q", (SOCKADDR_BYTES[family],)) * MESSAGES
        self._table[2::WORDS] = array("Q", range(first, first + MESSAGES * 16, 16))
        self._table[3::WORDS] = array("Q", (1,)) * MESSAGES
        self._controls: dict[int, tuple[ctypes.Array[ctypes.c_char], int]] = {}
        self._buffer: tuple[bytearray, int] | None = None

    def send(self, batch: Batch) -> None:
        """Send the runs of a batch, in order."""
        base = self._base(batch.buffer)
        table, pieces = self._table, self._pieces
        queued: list[tuple[int, Fanout, int, int, int]] = []
        end = 0
        for fanout, start, length, segment in batch.runs:
            count = len(fanout.addresses)
            names = fanout.prepared
            if not isinstance(names, _Names):
                names = fanout.prepared = _Names(fanout.addresses, self._family)
            if end + count > MESSAGES:
                self._send(end, queued, batch)
                queued.clear()
                end = 0
            first = end
            end += count
            address = base + start
            control, size = (self._control(segment), CONTROL_BYTES) if length > segment else (0, 0)
            table[first * WORDS : end * WORDS : WORDS] = names.pointers
            table[first * WORDS + 4 : end * WORDS : WORDS] = array("Q", (control,)) * count
            table[first * WORDS + 5 : end * WORDS : WORDS] = array("Q", (size,)) * count
            pieces[2 * first : 2 * end : 2] = array("Q", range(address, address + count * length, length))
            pieces[2 * first + 1 : 2 * end : 2] = array("Q", (length,)) * count
            queued.append((first, fanout, start, length, segment))
            self.messages += count
            self.datagrams += count * -(-length // segment)
        self._send(end, queued, batch)

    def _send(self, end: int, queued: list[tuple[int, Fanout, int, int, int]], batch: Batch) -> None:
        """Hand the first `end` messages of the table to the kernel."""
        position = 0
        while position < end:
            self.calls += 1
            sent = self._sendmmsg(self._descriptor, self._address + position * WORDS * 8, end - position, 0)
            if sent > 0:
                position += sent
                continue
            number = ctypes.get_errno()
            if number in BUSY:
                self.failures += end - position
                return
            if number in NOT_SEGMENTED and self._table[position * WORDS + 5]:
                first, fanout, start, length, segment = next(run for run in reversed(queued) if run[0] <= position)
                start += (position - first) * length
                self._not_segmented(batch.view[start : start + length], segment, fanout.addresses[position - first])
            else:
                self.failures += 1
            position += 1

    def _base(self, buffer: bytearray) -> int:
        known = self._buffer
        if known is None or known[0] is not buffer:
            address = ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
            known = self._buffer = buffer, address
        return known[1]

    def _control(self, segment: int) -> int:
        known = self._controls.get(segment)
        if known is None:
            # struct cmsghdr: length, level, type; then the segment size, padded to eight bytes.
            message = pack("@QiiH6x", socket.CMSG_LEN(2), SOL_UDP, UDP_SEGMENT, segment)
            stored = ctypes.create_string_buffer(message, len(message))
            known = self._controls[segment] = stored, ctypes.addressof(stored)
        return known[1]


def _sockaddr(address: Address, family: int) -> bytes:
    """Return a `struct sockaddr_in` or `sockaddr_in6`."""
    host, port = address
    if family == socket.AF_INET6:
        return pack("=H", family) + pack("!HI", port, 0) + socket.inet_pton(family, host) + bytes(4)
    return pack("=H", family) + pack("!H", port) + socket.inet_pton(family, host) + bytes(8)


class MessageReceiver:
    """Takes what has arrived on one socket."""

    def __init__(self, descriptor: int, family: socket.AddressFamily) -> None:
        self._descriptor = descriptor
        self._family = family
        self._recvmmsg = ctypes.PyDLL(None, use_errno=True).recvmmsg
        self._recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        words = (ctypes.c_uint64 * (RECEIVED * WORDS))()
        pieces = (ctypes.c_uint64 * (RECEIVED * 2))()
        name_bytes = self._name_bytes = SOCKADDR_BYTES[family]
        names = bytearray(name_bytes * RECEIVED)
        data = bytearray(DATAGRAM_BYTES * RECEIVED)
        self._table = memoryview(words).cast("B").cast("Q")
        self._address = ctypes.addressof(words)
        self._names = memoryview(names)
        self._data = memoryview(data)
        first_name = ctypes.addressof((ctypes.c_char * len(names)).from_buffer(names))
        first_data = ctypes.addressof((ctypes.c_char * len(data)).from_buffer(data))
        first_piece = ctypes.addressof(pieces)
        table, count = self._table, range(RECEIVED)
        table[0::WORDS] = array("Q", [first_name + each * name_bytes for each in count])
        table[2::WORDS] = array("Q", [first_piece + each * 16 for each in count])
        table[3::WORDS] = array("Q", (1,)) * RECEIVED
        pieces_view = self._pieces = memoryview(pieces).cast("B").cast("Q")
        pieces_view[0::2] = array("Q", [first_data + each * DATAGRAM_BYTES for each in count])
        pieces_view[1::2] = array("Q", (DATAGRAM_BYTES,)) * RECEIVED
        self._lengths = array("Q", (name_bytes,)) * RECEIVED
        self._known: dict[bytes, Address] = {}

    def receive(self) -> list[tuple[bytes, Address]]:
        """Return at most RECEIVED datagrams and where they came from; less than that when there are no more now.

        An error (an ICMP message about an earlier send) is an empty list: the socket is fine.
        """
        table = self._table
        table[1::WORDS] = self._lengths  # the kernel writes the length of what it filled in
        count = self._recvmmsg(self._descriptor, self._address, RECEIVED, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return []
        known, names, data, size = self._known, self._names, self._data, self._name_bytes
        found = []
        for position in range(count):
            name = bytes(names[position * size : (position + 1) * size])
            address = known.get(name) or self._learn(name)
            start = position * DATAGRAM_BYTES
            found.append((bytes(data[start : start + table[position * WORDS + 7]]), address))
        return found

    def _learn(self, name: bytes) -> Address:
        if len(self._known) >= KNOWN_ADDRESSES:
            self._known.clear()  # a flood from many addresses; it costs the work, not the memory
        port = int.from_bytes(name[2:4], "big")
        host = name[8:24] if self._family == socket.AF_INET6 else name[4:8]
        address = self._known[name] = (socket.inet_ntop(self._family, host), port)
        return address
