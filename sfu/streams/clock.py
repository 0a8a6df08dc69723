"""From a publisher's RTP timestamps to the server's wall clock, and so to sync between tracks and people.

A sender report (RFC 3550 section 6.4.1) ties an RTP timestamp to the publisher's own NTP clock, which may be wrong by
hours. `PeerClock` estimates how far that clock is from ours, once for all streams of one peer: the smallest difference
between arrival and sending in the last minute, since a queue only ever adds delay. So the streams of one person keep
their exact sync, and those of different people are aligned to within the one-way delay.
"""

from collections import deque

from sfu.serial import unwrap

WINDOW_S = 60.0
"""How long a smallest difference counts; clocks drift by less than a few ms in this time."""

STEP_S = 30.0
"""A difference that changes by more is no delay, not even that of a server that stood still: the clock was set."""


class PeerClock:
    """Offset between a publisher's NTP clock and the server's wall clock."""

    __slots__ = ("_minima",)

    def __init__(self) -> None:
        self._minima: deque[tuple[float, float]] = deque()

    def report(self, ntp_s: float, arrived_at_s: float) -> None:
        """Note a sender report: when it says it was sent (its NTP time as Unix seconds), and when it came."""
        difference = arrived_at_s - ntp_s
        minima = self._minima
        if minima and abs(difference - minima[-1][1]) > STEP_S:
            minima.clear()
        while minima and minima[-1][1] >= difference:
            minima.pop()
        minima.append((arrived_at_s, difference))
        while minima[0][0] < arrived_at_s - WINDOW_S:
            minima.popleft()

    @property
    def offset_s(self) -> float | None:
        """What to add to the publisher's time to have ours; None before the first report."""
        return self._minima[0][1] if self._minima else None


class StreamClock:
    """Wall time of the RTP timestamps of one received stream."""

    __slots__ = ("_peer", "_rate", "_reference_s", "_reference_timestamp", "_reported")

    def __init__(self, peer: PeerClock, clock_rate: int) -> None:
        self._peer = peer
        self._rate = clock_rate
        self._reference_timestamp: int | None = None
        self._reference_s = 0.0
        self._reported = False

    def received(self, timestamp: int, arrived_at_s: float) -> None:
        """Note a packet's arrival: the only clue before the first sender report."""
        if self._reported:
            return
        if self._reference_timestamp is None:
            self._reference_timestamp = timestamp
            self._reference_s = arrived_at_s
            return
        expected = self._captured(timestamp, self._reference_timestamp)
        if arrived_at_s < expected:
            self._reference_s -= expected - arrived_at_s

    def report(self, ntp_s: float, timestamp: int) -> None:
        """Note a sender report of this stream (after `PeerClock.report` of the same one)."""
        self._reported = True
        self._reference_timestamp = timestamp
        self._reference_s = ntp_s

    @property
    def known(self) -> bool:
        """Whether anything is known yet."""
        return self._reference_timestamp is not None

    def wall_time(self, timestamp: int) -> float:
        """Return the Unix time at which the media with this RTP timestamp was captured."""
        if self._reference_timestamp is None:
            raise ValueError("no packet was received yet")
        at_s = self._captured(timestamp, self._reference_timestamp)
        return at_s + (self._peer.offset_s or 0.0) if self._reported else at_s

    def timestamp_at(self, at_s: float) -> int:
        """Return the RTP timestamp (32 bits) of the media captured at a Unix time."""
        if self._reference_timestamp is None:
            raise ValueError("no packet was received yet")
        if self._reported:
            at_s -= self._peer.offset_s or 0.0
        return (self._reference_timestamp + round((at_s - self._reference_s) * self._rate)) & 0xFFFFFFFF

    def _captured(self, timestamp: int, reference: int) -> float:
        """Return when a timestamp was captured by the clock of the reference: the publisher's, or that of arrivals."""
        return self._reference_s + (unwrap(timestamp, reference, 32) - reference) / self._rate
