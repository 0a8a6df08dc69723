"""What a receiver knows of one RTP stream: counts, loss, jitter, for its reports (RFC 3550 sections 6.4, A.3, A.8)."""


class ReceiveStatistics:
    """Reception statistics of one SSRC. Packet indices are unwrapped sequence numbers."""

    __slots__ = (
        "_expected_prior", "_jitter", "_last_sr_arrival", "_last_sr_middle", "_last_transit", "_rate",
        "_received_prior", "bytes", "first", "highest", "received",
    )  # fmt: skip

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self.first: int | None = None
        self.highest = -1
        self.received = 0
        self.bytes = 0
        self._jitter = 0.0
        self._last_transit: float | None = None
        self._expected_prior = 0
        self._received_prior = 0
        self._last_sr_middle = 0
        self._last_sr_arrival = 0.0

    def packet(self, index: int, timestamp: int, size: int, now: float) -> None:
        """Note an arrival: packet index, RTP timestamp, payload size in bytes, monotonic seconds."""
        if self.first is None:
            self.first = index
        self.received += 1
        self.bytes += size
        if index > self.highest:
            self.highest = index
            transit = now * self._rate - timestamp
            if self._last_transit is not None:
                difference = abs(transit - self._last_transit)
                if difference < self._rate:  # a wrapped timestamp or a pause is not jitter
                    self._jitter += (difference - self._jitter) / 16
            self._last_transit = transit

    def sender_report(self, ntp_middle: int, now: float) -> None:
        """Note a sender report by the middle 32 bits of its NTP time."""
        self._last_sr_middle = ntp_middle
        self._last_sr_arrival = now

    @property
    def expected(self) -> int:
        """Packets that a network without loss would have brought (RFC 3550 section A.3)."""
        return 0 if self.first is None else self.highest - self.first + 1

    def report(self, now: float) -> tuple[int, int, int, int, int, int]:
        """Return (fraction lost of 256, cumulative lost, extended highest sequence number, jitter, LSR, DLSR)."""
        expected = self.expected
        expected_interval = expected - self._expected_prior
        received_interval = self.received - self._received_prior
        self._expected_prior = expected
        self._received_prior = self.received
        lost_interval = expected_interval - received_interval
        fraction = min(255, (lost_interval << 8) // expected_interval) if expected_interval and lost_interval > 0 else 0
        delay = int((now - self._last_sr_arrival) * 65536) if self._last_sr_middle else 0
        lost = max(-0x800000, min(0x7FFFFF, expected - self.received))
        return (
            fraction,
            lost,
            self.highest & 0xFFFFFFFF,
            int(self._jitter),
            self._last_sr_middle,
            delay & 0xFFFFFFFF,
        )
