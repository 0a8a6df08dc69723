"""What was sent on one transport, until its feedback says what became of it (transport-wide congestion control)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sfu.serial import unwrap
from sfu.wire.twcc import REFERENCE_US

MAX_RUNS = 4096
MAX_AGE_S = 10.0


@dataclass(slots=True, frozen=True)
class PacketResult:
    """The fate of one packet. Times in seconds: `sent_at` of our clock, `arrived_at` of the receiver's (None: lost)."""

    sequence: int
    size: int
    """Bytes on the wire without IP and UDP headers."""
    sent_at: float
    arrived_at: float | None
    probe: int
    """Number of the probe cluster that it was part of; 0 for none."""


@dataclass(slots=True)
class _Run:
    """Packets with consecutive numbers that were sent at once: all of `size` bytes but the last one."""

    first: int
    count: int
    size: int
    last_size: int
    sent_at: float
    probe: int


class SentLog:
    """The transport-wide sequence numbers of one transport, and what was sent under them.

    Packets are noted by runs, as the hot path sends them, not one by one.
    """

    __slots__ = ("_reference_us", "_runs", "_settled", "in_flight", "next")

    def __init__(self) -> None:
        self.next = 1
        """The number of the packet to be sent next, unwrapped; the wire carries its low 16 bits."""
        self.in_flight = 0
        """Bytes sent that no feedback has spoken of yet."""
        self._runs: deque[_Run] = deque()
        self._settled = 0
        self._reference_us: int | None = None

    def sent(self, count: int, size: int, last_size: int, now: float, probe: int = 0) -> int:
        """Note packets that leave now; return the number of the first of them."""
        first = self.next
        self.next = first + count
        runs = self._runs
        runs.append(_Run(first, count, size, last_size, now, probe))
        self.in_flight += size * (count - 1) + last_size
        while len(runs) > MAX_RUNS or now - runs[0].sent_at > MAX_AGE_S:
            self._drop()
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
        runs = self._runs
        for number, after_us in packets:
            sequence = unwrap(number, self._settled, 16)
            if sequence <= self._settled or sequence >= self.next:
                continue
            while runs and runs[0].first + runs[0].count <= sequence:
                self._drop()
            self._settled = sequence
            if not runs or runs[0].first > sequence:
                continue
            run = runs[0]
            size = run.last_size if sequence == run.first + run.count - 1 else run.size
            arrived_at = None if after_us is None else (self._reference_us + after_us) / 1e6
            results.append(PacketResult(sequence, size, run.sent_at, arrived_at, run.probe))
        return results

    def _drop(self) -> None:
        run = self._runs.popleft()
        self.in_flight -= run.size * (run.count - 1) + run.last_size
