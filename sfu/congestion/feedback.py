"""Arrival times of a publisher's packets, for transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-01)."""

from sfu.serial import unwrap

INTERVAL_S = 0.1
"""Time between feedback messages; libwebrtc uses 50 to 250 ms."""

MAX_SPAN = 4096
"""Sequence numbers that one report may span; older ones are forgotten."""


class ArrivalRecorder:
    """Collects arrivals between two feedback messages of one transport."""

    __slots__ = ("_arrivals", "_begin", "_interval_s", "_last", "_next_first", "_sent_at")

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._arrivals: dict[int, int] = {}
        self._last = -1
        self._next_first = -1
        self._begin: int | None = None
        self._sent_at = 0.0

    def received(self, sequence_number: int, now: float) -> None:
        """Note the arrival of a packet by its 16-bit transport sequence number."""
        last = self._last
        sequence = sequence_number if last < 0 else unwrap(sequence_number, last, 16)
        if sequence > last:
            self._last = sequence
        if sequence >= 0 and sequence >= self._next_first and sequence not in self._arrivals:
            self._arrivals[sequence] = int(now * 1_000_000)

    def poll(self, now: float) -> tuple[int | None, dict[int, int]] | None:
        """Return (first number that was not spoken of yet, arrivals) when a report is due, else None.

        Arrivals are {unwrapped transport sequence number: µs}. The first number is None in the first report.
        """
        if not self._arrivals or now - self._sent_at < self._interval_s:
            return None
        self._sent_at = now
        arrivals = self._arrivals
        self._arrivals = {}
        newest = max(arrivals)
        if newest - min(arrivals) >= MAX_SPAN:
            arrivals = {sequence: at for sequence, at in arrivals.items() if sequence > newest - MAX_SPAN}
        self._next_first = newest + 1 - 64  # a straggler may still be reported, an ancient one not
        begin, self._begin = self._begin, max(newest + 1, self._begin or 0)
        return begin, arrivals
