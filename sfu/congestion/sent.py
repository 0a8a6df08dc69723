"""What was sent on one transport, until its feedback says what became of it (transport-wide congestion control)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from sfu.serial import unwrap
from sfu.wire.twcc import REFERENCE_US

MAX_RUNS = 2048
"""Remembered; of a receiver that sends no feedback the older ones are forgotten."""


class PacketResult(NamedTuple):
    """The fate of one packet. Times in seconds: `sent_at` of our clock, `arrived_at` of the receiver's (None: lost)."""

    sequence: int
    size: int
    """Bytes on the wire without IP and UDP headers."""
    sent_at: float
    arrived_at: float | None
    probe: int
    """Number of the probe cluster that it was part of; 0 for none."""


Run = tuple[int, int, int, int, float, int]
"""(first sequence number, packets, size of each, size of the last one, when, probe): packets that left at once."""


class SentLog:
    """The transport-wide sequence numbers of one transport, and what was sent under them.

    Packets are noted by runs, as they are sent. The hot path (`sfu.rooms.forward`) does by itself what `sent` does.
    """

    __slots__ = ("_reference_us", "_settled", "next", "runs", "skipped_bytes")

    def __init__(self) -> None:
        self.next = 1
        """The number of the packet to be sent next, unwrapped; the wire carries its low 16 bits."""
        self.runs: deque[Run] = deque(maxlen=MAX_RUNS)
        self.skipped_bytes = 0
        """Sent before what the last message spoke of, and after what the one before it did."""
        self._settled = 0
        self._reference_us: int | None = None

    def sent(self, size: int, now: float, probe: int = 0) -> int:
        """Note a packet that leaves now; return its number."""
        first = self.next
        self.next = first + 1
        self.runs.append((first, 1, size, size, now, probe))
        return first

    def acknowledged(self, reference_us: int, packets: list[tuple[int, int | None]]) -> list[PacketResult]:
        """Take one feedback message as `sfu.wire.twcc.parse` returns it; return what it tells for the first time.

        Numbers that were never sent, or that an earlier message settled, are left out.
        """
        if self._reference_us is None:
            self._reference_us = reference_us
        else:
            ticks = unwrap(reference_us // REFERENCE_US, self._reference_us // REFERENCE_US, 24)
            self._reference_us = ticks * REFERENCE_US
        results: list[PacketResult] = []
        runs = self.runs
        skipped = 0
        for number, after_us in packets:
            sequence = unwrap(number, self._settled, 16)
            if sequence <= self._settled or sequence >= self.next:
                continue
            while runs and runs[0][0] + runs[0][1] <= sequence:
                first, count, size, last_size, _, _ = runs.popleft()
                unsettled = first + count - 1 - self._settled
                if unsettled > 0 and not results:
                    skipped += size * (min(count, unsettled) - 1) + last_size
            self._settled = sequence
            if not runs or runs[0][0] > sequence:
                continue  # too long ago
            first, count, size, last_size, sent_at, probe = runs[0]
            if sequence == first + count - 1:
                size = last_size
            arrived_at = None if after_us is None else (self._reference_us + after_us) / 1e6
            results.append(PacketResult(sequence, size, sent_at, arrived_at, probe))
        self.skipped_bytes = skipped
        return results
