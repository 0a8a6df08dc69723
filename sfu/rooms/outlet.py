"""What leaves a media worker: datagrams one by one, and batches of sealed runs to many addresses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfu.units import Address

BATCH_BYTES = 4 << 20
"""Pages that are never written cost nothing; the largest run is 64 KB, to at most MAX_FANOUT addresses."""
MAX_FANOUT = 64


class Fanout:
    """The addresses of one run, in the order of its copies. It outlives a batch: addresses change rarely."""

    __slots__ = ("addresses", "prepared")

    def __init__(self, addresses: list[Address]) -> None:
        self.addresses = addresses
        self.prepared: object = None
        """For the outlet: what it worked out of the addresses the first time."""


class Batch:
    """Sealed bytes that wait to be sent together.

    A run is (fanout, start, length, segment): one copy of `length` bytes for each address of the fanout, one after the
    other in `buffer` from `start` on; each copy is one or several datagrams of `segment` bytes (the last may be
    shorter).
    """

    __slots__ = ("buffer", "runs", "used", "view")

    def __init__(self, size: int = BATCH_BYTES) -> None:
        self.buffer = bytearray(size)
        self.view = memoryview(self.buffer)
        self.used = 0
        self.runs: list[tuple[Fanout, int, int, int]] = []

    def clear(self) -> None:
        """Forget everything; to be called when it is sent."""
        self.used = 0
        self.runs.clear()


class Outlet(ABC):
    """What carries sealed bytes away; `sfu.aio.udp` does it by socket."""

    @abstractmethod
    def send(self, data: memoryview, segment: int, address: Address) -> None:
        """Send `data` as UDP datagrams of `segment` bytes each (the last may be shorter)."""

    def send_batch(self, batch: Batch) -> None:
        """Send the runs of a batch, in order."""
        for fanout, start, length, segment in batch.runs:
            for address in fanout.addresses:
                self.send(batch.view[start : start + length], segment, address)
                start += length
